"""Rows of providers."""

from apps.audit.actor import SYSTEM
from apps.core.models import TenantModel
from apps.core.scope import organization_scope
from apps.providers import services as provider_services
from apps.providers.models import ProviderCredential
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
) -> ProviderCredential:
    """A provider connection; nothing is called."""
    with organization_scope(project.organization_id):
        return provider_services.create_connection(
            actor=SYSTEM,
            project=project,
            name=name or f"provider-{next(numbers)}",
            base_url=base_url,
            api_key=api_key,
            headers=headers,
            models=models,
        )


@tenant_factory("providers.ProviderCredential")
def _provider_credential(project: Project) -> TenantModel:
    # A name that resolves nowhere: the access matrix makes test calls.
    return make_connection(project=project, base_url="https://provider.invalid/v1")
