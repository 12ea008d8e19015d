"""Reads of connections, of the models that a project can name, and of own prices."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, cast
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.core import crypto
from apps.core.errors import NotFound
from apps.core.models import find
from apps.providers import sandbox
from apps.providers.alias_queries import aliases_of
from apps.providers.models import DefaultModel, PriceOverride, ProviderCredential
from apps.providers.patterns import is_pattern, matches
from apps.providers.price_rules import PriceRule
from apps.providers.types import API, SANDBOX, Connection, ModelChoice

TABLE = "providers_providercredential"
FALLBACK_MODEL: Final = f"{SANDBOX}/standard"
# A run is priced at its start, and may take a while to get there.
ENDED_AND_STILL_LOADED: Final = timedelta(hours=1)

THIS_PROJECT: Final = "project"
EVERY_PROJECT: Final = "every"
TEST_PASSED: Final = "answers"
TEST_FAILED: Final = "failed"
TEST_NEVER: Final = "never"
PRICE_HOLDS: Final = "holds"
PRICE_COMING: Final = "coming"
PRICE_ENDED: Final = "ended"


def credentials_of(project_id: UUID) -> QuerySet[ProviderCredential]:
    """The connections that a project has, its own and those of every project; see `effective_credentials`."""
    return ProviderCredential.objects.filter(_of_project(project_id))


def list_connections(
    project_id: UUID, *, search: str = "", api: str = "", serves: str = "", test: str = ""
) -> QuerySet[ProviderCredential]:
    """The connections of `credentials_of` that match, each with `replaced`: whether one of the project's own
    has its name and stands before it. What is empty narrows nothing.
    """
    own = ProviderCredential.objects.filter(project_id=project_id, name=OuterRef("name"))
    found = credentials_of(project_id).filter(_serving(serves), _tested(test))
    if search:
        found = found.filter(Q(name__icontains=search) | Q(base_url__icontains=search))
    if api:
        found = found.filter(api=api)
    return found.annotate(replaced=Q(project__isnull=True) & Exists(own))


def effective_credentials(project_id: UUID) -> list[ProviderCredential]:
    """The connections that count for a project, by name: its own stands before one of every project."""
    found: dict[str, ProviderCredential] = {}
    for credential in credentials_of(project_id).order_by("name"):
        if credential.name not in found or credential.project_id is not None:
            found[credential.name] = credential
    return list(found.values())


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
    if slug == SANDBOX:
        return Connection(slug=slug, models=tuple(model.id for model in sandbox.MODELS))
    found = sorted(credentials_of(project_id).filter(name=slug), key=lambda each: each.project_id is None)
    if not found:
        raise NotFound(
            f"There is no provider connection '{slug}' in this project.",
            code="connection_not_found",
            param="model",
        )
    return unsealed(found[0])


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
        api=cast("API", credential.api),
        concurrent_calls=credential.concurrent_calls,
    )


def model_choices(project_id: UUID) -> list[ModelChoice]:
    """Every model that a prompt of the project can name: the connections' own, then the sandbox's."""
    return choices_from(effective_credentials(project_id))


def choices_from(credentials: Iterable[ProviderCredential]) -> list[ModelChoice]:
    """The models of these connections, then the sandbox's."""
    configured = [
        ModelChoice(f"{credential.name}/{model}", model, credential.name, sandbox=False)
        for credential in credentials
        for model in offered_models(credential)
    ]
    built_in = [
        ModelChoice(model.reference, model.label, sandbox.CONNECTION, sandbox=True)
        for model in sandbox.MODELS
    ]
    return configured + built_in


def offered_models(credential: ProviderCredential) -> list[str]:
    """The enabled models by name: those named, then those that a pattern finds in the provider's list."""
    named = [model for model in credential.model_ids if not is_pattern(model)]
    patterns = [model for model in credential.model_ids if is_pattern(model)]
    listed = [model for model in credential.listed_models if any(matches(each, model) for each in patterns)]
    return list(dict.fromkeys([*named, *listed]))


def default_model(project_id: UUID) -> str:
    """The reference of the model that a new prompt begins with: the chosen one while it can be called, else
    the sandbox's. Needs the organization's scope.
    """
    chosen = chosen_default(project_id)
    return chosen if chosen in {choice.reference for choice in model_choices(project_id)} else FALLBACK_MODEL


def chosen_default(project_id: UUID) -> str:
    """The default model as it was chosen, empty where none was; it may be gone since."""
    return (
        DefaultModel.objects.filter(project_id=project_id).values_list("reference", flat=True).first() or ""
    )


def prices_of(project_id: UUID) -> QuerySet[PriceOverride]:
    """The own prices that hold for a project, those of every project too, whatever their time."""
    return PriceOverride.objects.filter(_of_project(project_id))


def list_prices(
    project_id: UUID, *, now: datetime, search: str = "", state: str = "", serves: str = ""
) -> QuerySet[PriceOverride]:
    """Those of `prices_of` that match, `state` as in `price_state`. What is empty narrows nothing."""
    ended = Q(ends_at__isnull=False) & (Q(ends_at__lte=now) | Q(ends_at__lte=F("starts_at")))
    states = {
        PRICE_ENDED: ended,
        PRICE_HOLDS: Q(starts_at__lte=now) & ~ended,
        PRICE_COMING: Q(starts_at__gt=now) & ~ended,
    }
    found = prices_of(project_id).filter(states.get(state, Q()), _serving(serves))
    return found.filter(pattern__icontains=search) if search else found


def price_state(override: PriceOverride, now: datetime) -> str:
    """Whether an own price holds, is yet to begin, or has ended; one that ends as it begins never holds."""
    if override.ends_at is not None and override.ends_at <= max(now, override.starts_at):
        return PRICE_ENDED
    return PRICE_HOLDS if override.starts_at <= now else PRICE_COMING


def get_price(project_id: UUID, public_id: str) -> PriceOverride:
    """An own price by its public id. Raises NotFound."""
    override = find(prices_of(project_id).select_related("organization"), public_id)
    if override is None:
        raise NotFound("There is no such price in this project.")
    return override


def is_for_every_project(project_id: UUID, public_id: str) -> bool:
    """Whether an id names a connection, price or alias that serves every project, not only this one."""
    found = (
        find(credentials_of(project_id), public_id)
        or find(prices_of(project_id), public_id)
        or find(aliases_of(project_id), public_id)
    )
    return found is not None and found.project_id is None


def price_rules(project_id: UUID) -> tuple[PriceRule, ...]:
    """The own prices of now and later, as pricing takes them; see `price_rules.rule_for`."""
    since = timezone.now() - ENDED_AND_STILL_LOADED
    current = prices_of(project_id).filter(Q(ends_at__isnull=True) | Q(ends_at__gt=since))
    return tuple(rule_of(override) for override in current)


def rule_of(override: PriceOverride) -> PriceRule:
    """A stored price as pricing takes it."""
    return PriceRule(
        id=override.public_id,
        pattern=override.pattern,
        of_project=override.project_id is not None,
        input_price=override.input_price,
        output_price=override.output_price,
        cached_input_price=override.cached_input_price,
        starts_at=override.starts_at,
        ends_at=override.ends_at,
        batch_discount=override.batch_discount,
    )


def _of_project(project_id: UUID) -> Q:
    return Q(project_id=project_id) | Q(project__isnull=True)


def _serving(serves: str) -> Q:
    return Q(project__isnull=serves == EVERY_PROJECT) if serves else Q()


def _tested(test: str) -> Q:
    states = {
        TEST_PASSED: Q(tested_at__isnull=False, test_passed=True),
        TEST_FAILED: Q(tested_at__isnull=False) & ~Q(test_passed=True),
        TEST_NEVER: Q(tested_at__isnull=True),
    }
    return states.get(test, Q())


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
