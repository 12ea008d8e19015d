"""Rows of providers."""

from datetime import datetime
from decimal import Decimal

from apps.audit.actor import SYSTEM
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.providers import services as provider_services
from apps.providers.models import DefaultModel, ModelAlias, PriceOverride, ProviderCredential
from apps.providers.types import API
from apps.tenants.models import Project
from tests.factories.registry import numbers, tenant_factory


def make_connection(
    *,
    project: Project,
    name: str = "",
    base_url: str = "https://api.openai.com/v1",
    api_key: str = "sk-secret-0123456789abcdef",
    headers: dict[str, str] | None = None,
    models: tuple[str, ...] = ("gpt-4o-mini",),
    api: API = "openai",
    every_project: bool = False,
) -> ProviderCredential:
    """A provider connection of a project, or of every project of its organization; nothing is called."""
    with organization_scope(project.organization_id):
        return provider_services.create_connection(
            actor=SYSTEM,
            organization=project.organization if every_project else None,
            project=None if every_project else project,
            api=api,
            name=name or f"provider-{next(numbers)}",
            base_url=base_url,
            api_key=api_key,
            headers=headers,
            models=models,
        )


def make_price(
    *,
    project: Project,
    pattern: str,
    input_price: str = "1",
    output_price: str = "2",
    cached_input_price: str | None = None,
    batch_discount: str | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    every_project: bool = False,
) -> PriceOverride:
    """An own price of a project, or of every project of its organization."""
    with organization_scope(project.organization_id):
        return provider_services.create_price(
            actor=SYSTEM,
            organization=project.organization,
            project=None if every_project else project,
            pattern=pattern,
            batch_discount=None if batch_discount is None else Decimal(batch_discount),
            input_price=Decimal(input_price),
            output_price=Decimal(output_price),
            cached_input_price=Decimal(cached_input_price) if cached_input_price else None,
            starts_at=starts_at,
            ends_at=ends_at,
        )


@tenant_factory("providers.PriceOverride")
def _price_override(project: Project) -> TenantModel:
    return make_price(project=project, pattern=f"provider-{next(numbers)}/some-model")


@tenant_factory("providers.ModelAlias")
def _model_alias(project: Project) -> TenantModel:
    return ModelAlias.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=f"alias-{next(numbers)}",
        target="sandbox/standard",
    )


@tenant_factory("providers.DefaultModel")
def _default_model(project: Project) -> TenantModel:
    provider_services.set_default_model(actor=SYSTEM, project=project, reference="sandbox/fast")
    return DefaultModel.objects.get(project=project)


@tenant_factory("providers.ProviderCredential")
def _provider_credential(project: Project) -> TenantModel:
    # A name that resolves nowhere: the access matrix makes test calls.
    return make_connection(project=project, base_url="https://provider.invalid/v1")
