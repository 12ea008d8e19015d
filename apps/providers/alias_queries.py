"""Reads of model aliases."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.core.errors import NotFound
from apps.core.models import find
from apps.providers.models import ModelAlias

# What the change feed calls a change of any of an organization's aliases; its key is the organization's id.
ALIASES_CHANGED: Final = "model_aliases"
EVERY_PROJECT: Final = "every"


def aliases_of(project_id: UUID) -> QuerySet[ModelAlias]:
    """The aliases that a project has: its own, and those of every project."""
    return ModelAlias.objects.filter(Q(project_id=project_id) | Q(project__isnull=True))


def list_aliases(project_id: UUID, *, search: str = "", serves: str = "") -> QuerySet[ModelAlias]:
    """Those of `aliases_of` that match. What is empty narrows nothing."""
    own = ModelAlias.objects.filter(project_id=project_id, name=OuterRef("name"))
    found = aliases_of(project_id)
    if serves:
        found = found.filter(project__isnull=serves == EVERY_PROJECT)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(target__icontains=search))
    return found.annotate(replaced=Q(project__isnull=True) & Exists(own))


def alias_targets(project_id: UUID) -> Mapping[str, str]:
    """What each alias of a project stands for; its own stands before one of every project."""
    found = aliases_of(project_id).values_list("name", "target", "project_id")
    ordered = sorted(found, key=lambda row: row[2] is not None)
    return {name: target for name, target, _ in ordered}


def get_alias(project_id: UUID, public_id: str) -> ModelAlias:
    """An alias by its public id. Raises NotFound."""
    alias = find(aliases_of(project_id), public_id)
    if alias is None:
        raise NotFound("There is no such model alias in this project.")
    return alias
