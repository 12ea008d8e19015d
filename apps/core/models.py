"""Base of every tenant table, and the tables of core itself."""

from typing import ClassVar, TypeVar
from uuid import UUID

from django.db import models

from apps.core import ids
from apps.core.scope import current_organization_id

Row = TypeVar("Row", bound=models.Model)


class ScopedManager(models.Manager[Row]):
    """Fence 1: rows of the open scope's organization only; raises ScopeError outside a scope."""

    def get_queryset(self) -> models.QuerySet[Row]:
        return super().get_queryset().filter(organization_id=current_organization_id())


class UnscopedManager(models.Manager[Row]):
    """Every organization's rows, as far as the database role may see them; for the listed doors only."""


class IdentifiedModel(models.Model):
    """A row with a UUIDv7 key and, where the outside sees it, a prefixed public id."""

    PREFIX: ClassVar[str] = ""

    id = models.UUIDField(primary_key=True, default=ids.uuid7, editable=False)

    class Meta:
        abstract = True

    @property
    def public_id(self) -> str:
        return ids.encode(self.PREFIX, self.id)


class TenantModel(IdentifiedModel):
    """A row that belongs to one organization.

    Its table stands behind row-level security (``row_security.TenantTable`` in the migration), and
    every index leads with the organization.
    """

    organization = models.ForeignKey(
        "tenants.Organization", on_delete=models.CASCADE, db_index=False, related_name="+", editable=False
    )
    organization_id: UUID

    # The first manager is Django's default manager: related look-ups and admin go through the fence.
    objects = ScopedManager()
    all_organizations = UnscopedManager()

    class Meta:
        abstract = True
