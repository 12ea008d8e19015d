"""Reads of connections and of the models that a project can name."""

import json
from uuid import UUID

from django.db.models import QuerySet

from apps.core import crypto
from apps.core.errors import NotFound
from apps.core.models import find
from apps.providers import sandbox
from apps.providers.models import ProviderCredential
from apps.providers.types import Connection, ModelChoice

TABLE = "providers_providercredential"


def credentials_of(project_id: UUID) -> QuerySet[ProviderCredential]:
    """The connections of a project."""
    return ProviderCredential.objects.filter(project_id=project_id)


def get_credential(project_id: UUID, public_id: str) -> ProviderCredential:
    """A connection by its public id. Raises NotFound."""
    credential = find(credentials_of(project_id), public_id)
    if credential is None:
        raise NotFound("There is no such provider connection in this project.")
    return credential


def load_connection(project_id: UUID, slug: str) -> Connection:
    """A connection with its unsealed key, by name; `sandbox` is always there. Raises NotFound.

    Needs the organization's scope.
    """
    if slug == sandbox.CONNECTION:
        return Connection(slug=slug, models=tuple(model.id for model in sandbox.MODELS))
    found = credentials_of(project_id).filter(name=slug).first()
    if found is None:
        raise NotFound(
            f"There is no provider connection '{slug}' in this project.",
            code="connection_not_found",
            param="model",
        )
    return unsealed(found)


def unsealed(credential: ProviderCredential) -> Connection:
    """A connection's secrets, for a call and for nothing else. Needs the organization's scope."""
    headers = _unseal(credential, "sealed_headers", credential.sealed_headers)
    return Connection(
        slug=credential.name,
        base_url=credential.base_url,
        api_key=_unseal(credential, "sealed_key", credential.sealed_key),
        headers=json.loads(headers) if headers else {},
        models=tuple(credential.model_ids),
        credential_id=credential.id,
    )


def model_choices(project_id: UUID) -> list[ModelChoice]:
    """Every model that a prompt of the project can name: the connections' own, then the sandbox's."""
    configured = [
        ModelChoice(f"{name}/{model}", model, name, sandbox=False)
        for name, models in credentials_of(project_id).order_by("name").values_list("name", "model_ids")
        for model in models
    ]
    built_in = [
        ModelChoice(model.reference, model.label, sandbox.CONNECTION, sandbox=True)
        for model in sandbox.MODELS
    ]
    return configured + built_in


def _unseal(credential: ProviderCredential, column: str, sealed: bytes | memoryview | None) -> str:
    if sealed is None:
        return ""
    return crypto.unseal(
        bytes(sealed),
        organization_id=credential.organization_id,
        table=TABLE,
        column=column,
        row_id=credential.id,
    ).decode()
