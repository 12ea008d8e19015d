"""Writes of provider connections. A key goes in and never comes out."""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final, cast
from uuid import UUID

import orjson
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes, crypto
from apps.core.errors import Conflict, InvalidRequest
from apps.providers import connection_values as values
from apps.providers.models import ProviderCredential
from apps.providers.queries import TABLE
from apps.providers.trial import CallOutcome
from apps.providers.types import API
from apps.tenants.models import Organization, Project


class KeptValue(Enum):
    """Says that a value stays as it is, where None is a value."""

    KEPT = "kept"


KEPT: Final = KeptValue.KEPT
KEY_REQUIRED: Final = (
    "Enter the key again: a stored key is never sent to a changed address or with changed headers."
)


def create_connection(
    *,
    actor: Actor,
    organization: Organization | None = None,
    project: Project | None = None,
    name: str,
    base_url: str,
    api_key: str,
    headers: Mapping[str, str] | None = None,
    models: Iterable[str] = (),
    api: API = "openai",
    concurrent_calls: int | None = None,
) -> ProviderCredential:
    """A new connection of a project, or of every project of an organization; give exactly one of them.

    Raises InvalidRequest for a value that can't be, Conflict for a name in use.
    """
    credential = ProviderCredential(
        organization_id=_organization_id(organization, project),
        project=project,
        name=values.check_name(name),
        api=api,
        base_url=values.check_base_url(base_url, api),
        model_ids=values.check_models(models),
        concurrent_calls=values.check_concurrent_calls(concurrent_calls),
    )
    _seal_key(credential, values.check_key(api_key))
    _seal_headers(credential, values.check_headers(headers or {}))
    try:
        with transaction.atomic():
            credential.save(force_insert=True)
    except IntegrityError:
        where = "in this project" if project else "for every project"
        message = f"There is a connection named '{name}' {where} already."
        raise Conflict(message, code="name_taken", param="name") from None
    audit.record(
        actor=actor,
        action="connection.created",
        target=credential,
        organization_id=credential.organization_id,
        changes={
            "base_url": (None, credential.base_url),
            "headers": (None, credential.header_names),
            "every_project": (None, project is None),
        },
    )
    _tell(credential)
    return credential


def update_connection(
    *,
    actor: Actor,
    credential: ProviderCredential,
    base_url: str | None = None,
    api_key: str | None = None,
    headers: Mapping[str, str] | None = None,
    models: Iterable[str] | None = None,
    concurrent_calls: int | KeptValue | None = KEPT,
) -> ProviderCredential:
    """Change what is given; None leaves a value as it is, but for `concurrent_calls`, which it unlimits.

    A changed address or header demands the key again, and a changed address drops the stored headers:
    else whoever may edit a connection could have the stored secrets sent to a server of their own.
    Raises InvalidRequest (code key_required).
    """
    _lock(credential)
    before = _shown(credential)
    if models is not None:
        credential.model_ids = values.check_models(models)
    if not isinstance(concurrent_calls, KeptValue):
        credential.concurrent_calls = values.check_concurrent_calls(concurrent_calls)
    api = cast("API", credential.api)
    moved = base_url is not None and values.check_base_url(base_url, api) != credential.base_url
    readdressed = moved or headers is not None
    if readdressed and api_key is None:
        raise InvalidRequest(KEY_REQUIRED, code="key_required", param="api_key")
    if readdressed:
        _seal_headers(credential, values.check_headers(headers or {}))
    if base_url is not None:
        credential.base_url = values.check_base_url(base_url, api)
    if api_key is not None:
        _seal_key(credential, values.check_key(api_key))
    if readdressed or api_key is not None:
        credential.tested_at, credential.test_passed, credential.test_message = None, None, ""
        credential.offers_batches = None
    credential.save()
    audit.record(
        actor=actor,
        action="connection.updated",
        target=credential,
        organization_id=credential.organization_id,
        changes=_changes(before, _shown(credential), new_key=api_key is not None),
    )
    _tell(credential)
    return credential


def delete_connection(*, actor: Actor, credential: ProviderCredential) -> None:
    """Remove a connection with its key. Prompts that name its models fail from then on, and say so."""
    audit.record(
        actor=actor,
        action="connection.deleted",
        target=credential,
        organization_id=credential.organization_id,
        changes={"base_url": (credential.base_url, None)},
    )
    _tell(credential)
    credential.delete()


def store_test_result(*, actor: Actor, credential: ProviderCredential, outcome: CallOutcome) -> None:
    """Keep what a test call found, the provider's list too; a connection without models gets all of them."""
    _lock(credential)
    credential.tested_at = timezone.now()
    credential.test_passed = outcome.passed
    credential.test_message = outcome.message
    if outcome.offers_batches is not None:
        credential.offers_batches = outcome.offers_batches
    if outcome.models:
        fitting = [model for model in outcome.models if values.is_model_id(model)]
        credential.listed_models = fitting[: values.MOST_LISTED]
        credential.model_ids = credential.model_ids or fitting[: values.MOST_MODELS]
    credential.save()
    audit.record(
        actor=actor,
        action="connection.tested",
        target=credential,
        organization_id=credential.organization_id,
        changes={"passed": (None, outcome.passed)},
    )
    _tell(credential)


def _lock(credential: ProviderCredential) -> None:
    """Read the row as it is now and hold it: a key that somebody else has just replaced must not come back.

    Raises DoesNotExist for a connection that was deleted meanwhile, which saving would bring back.
    """
    credential.refresh_from_db(from_queryset=ProviderCredential.objects.select_for_update(no_key=True))


def _shown(credential: ProviderCredential) -> dict[str, Any]:
    return {
        "base_url": credential.base_url,
        "headers": list(credential.header_names),
        "models": list(credential.model_ids),
        "concurrent_calls": credential.concurrent_calls,
    }


def _changes(
    before: dict[str, Any], after: dict[str, Any], *, new_key: bool
) -> dict[str, tuple[object, object]]:
    changed = {name: (before[name], value) for name, value in after.items() if before[name] != value}
    return changed | {"api_key": ("a key", "a new key")} if new_key else changed


def _seal_key(credential: ProviderCredential, key: str) -> None:
    credential.sealed_key = _seal(credential, "sealed_key", key.encode()) if key else None
    # Four characters of a short key would be too much of it.
    credential.key_hint = key[-4:] if len(key) >= 16 else ""


def _seal_headers(credential: ProviderCredential, headers: dict[str, str]) -> None:
    credential.header_names = sorted(headers)
    credential.sealed_headers = (
        _seal(credential, "sealed_headers", orjson.dumps(headers)) if headers else None
    )


def _seal(credential: ProviderCredential, column: str, plaintext: bytes) -> bytes:
    return crypto.seal(
        plaintext,
        organization_id=credential.organization_id,
        table=TABLE,
        column=column,
        row_id=credential.id,
    )


def _organization_id(organization: Organization | None, project: Project | None) -> UUID:
    if organization is not None and project is None:
        return organization.id
    if project is None:
        raise ValueError("a connection needs an organization or a project")
    return project.organization_id


def _tell(credential: ProviderCredential) -> None:
    changes.append("connection", f"{credential.project_id or credential.organization_id}:{credential.name}")
