"""Connections to model providers with the customer's own keys, the default model, and own prices."""

from typing import ClassVar
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from apps.core.models import TenantModel
from apps.tenants.models import Project


class ProviderAPI(models.TextChoices):
    OPENAI = "openai", "OpenAI-compatible"
    ANTHROPIC = "anthropic", "Anthropic"


class ProviderCredential(TenantModel):
    """A way to a provider: address, sealed key, sealed extra headers, enabled models.

    The key is write-only: it is unsealed for a call and for nothing else. A model of the connection is
    named `<name>/<model id>`. Without project it serves every project of the organization that has none of
    the same name. Only `model_ids` can be called, where `*` stands for any text; `listed_models` is what the
    provider offered when it was last asked. `offers_batches` is what a test found of a batch endpoint, None
    before one (see `batches.offers_batches`). `concurrent_calls` bounds the calls that one process makes at
    a time; unset is no bound.
    """

    PREFIX: ClassVar[str] = "pcr"

    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    project_id: UUID | None
    name = models.SlugField(max_length=40, db_index=False)
    api = models.CharField(
        max_length=16, choices=ProviderAPI.choices, default=ProviderAPI.OPENAI, db_default=ProviderAPI.OPENAI
    )
    base_url = models.URLField(max_length=500)
    sealed_key = models.BinaryField(null=True)
    sealed_headers = models.BinaryField(null=True)
    header_names = ArrayField(models.CharField(max_length=100), default=list)
    concurrent_calls = models.PositiveIntegerField(null=True, blank=True)
    key_hint = models.CharField(max_length=4, blank=True)
    model_ids = ArrayField(models.CharField(max_length=200), default=list)
    listed_models = ArrayField(models.CharField(max_length=200), default=list, db_default=[])
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    tested_at = models.DateTimeField(null=True)
    test_passed = models.BooleanField(null=True)
    offers_batches = models.BooleanField(null=True)
    test_message = models.CharField(max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="credential_name"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="credential_name_everywhere",
                condition=Q(project__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultModel(TenantModel):
    """The model that new prompts of a project begin with, and the playground."""

    PREFIX: ClassVar[str] = "pdm"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, db_index=False, related_name="+")
    project_id: UUID
    reference = models.CharField(max_length=255)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project"], name="default_model_project")
        ]

    def __str__(self) -> str:
        return self.reference


class ModelAlias(TenantModel):
    """A name of a project that stands for a model: `target` is called wherever `name` is asked for.

    The name is a word of the project's own ("fast") or a model reference ("openai/gpt-4"), so that a model
    that its provider takes away is replaced in one place. Without project it holds for every project that
    has none of the same name. Aliases don't lead to aliases.
    """

    PREFIX: ClassVar[str] = "mal"

    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    project_id: UUID | None
    name = models.CharField(max_length=255)
    target = models.CharField(max_length=255)
    reason = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=254, blank=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "project", "name"], name="model_alias_name"),
            models.UniqueConstraint(
                fields=["organization", "name"],
                name="model_alias_everywhere",
                condition=Q(project__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PriceOverride(TenantModel):
    """What an organization pays for models, in US dollars for a million tokens, from one moment to another.

    `pattern` is a model reference in which `*` stands for any text. Without project it holds for all.
    It prices runs of its time and is then frozen with the run: nothing here changes what is past.
    `batch_discount` is the percent by which calls of the provider's batch endpoint are cheaper; None takes
    the discount that the price list knows.
    """

    PREFIX: ClassVar[str] = "prc"

    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, db_index=False, related_name="+"
    )
    project_id: UUID | None
    pattern = models.CharField(max_length=255)
    input_price = models.DecimalField(max_digits=14, decimal_places=6)
    output_price = models.DecimalField(max_digits=14, decimal_places=6)
    cached_input_price = models.DecimalField(max_digits=14, decimal_places=6, null=True)
    batch_discount = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "project", "-id"], name="price_override_project")]
        constraints = [
            models.CheckConstraint(
                condition=Q(input_price__gte=0)
                & Q(output_price__gte=0)
                & (Q(cached_input_price__isnull=True) | Q(cached_input_price__gte=0)),
                name="price_override_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(batch_discount__isnull=True) | Q(batch_discount__gte=0, batch_discount__lte=100),
                name="price_override_discount_is_percent",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="price_override_ends_after_start",
            ),
        ]

    def __str__(self) -> str:
        return self.pattern
