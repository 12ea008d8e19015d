"""Connections to model providers, with the customer's own keys."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.core.models import TenantModel
from apps.tenants.models import Project


class ProviderCredential(TenantModel):
    """A way to an OpenAI-compatible provider: address, sealed key, sealed extra headers, models.

    The key is write-only: it is unsealed for a call and for nothing else. A model of the connection is
    named `<name>/<model id>`.
    """

    PREFIX: ClassVar[str] = "pcr"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    name = models.SlugField(max_length=40, db_index=False)
    base_url = models.URLField(max_length=500)
    sealed_key = models.BinaryField(null=True)
    sealed_headers = models.BinaryField(null=True)
    header_names = ArrayField(models.CharField(max_length=100), default=list)
    key_hint = models.CharField(max_length=4, blank=True)
    model_ids = ArrayField(models.CharField(max_length=200), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tested_at = models.DateTimeField(null=True)
    test_passed = models.BooleanField(null=True)
    test_message = models.CharField(max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="credential_name")
        ]

    def __str__(self) -> str:
        return self.name
