"""Reads of runs, inside the organization's scope."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

import orjson
from django.db.models import Exists, F, Func, IntegerField, OuterRef, Q, QuerySet

from apps.core import crypto
from apps.core.errors import NotFound
from apps.core.models import find
from apps.providers.pricing import Price, PriceStatus
from apps.providers.types import Usage
from apps.runs.models import Feedback, Run, RunPayload
from apps.runs.outputs import parse_json
from apps.runs.record_rows import PAYLOAD_TABLE
from apps.runs.types import CacheKind, CacheOutcome, RunError, RunResult, Status, UsageOrigin

RECENT_RUNS: Final = 1000
# Each is a column of Run, compared for equality.
PLAIN_FILTERS: Final = (
    *("status", "prompt_id", "version_number", "label", "source", "source_id"),
    *("model", "api_key_id", "end_user", "error_code", "unit"),
)
# Choices of a filter, and what each asks of a run.
CACHED: Final[dict[str, Q]] = {
    "any": Q(cached_from__isnull=False),
    "exact": Q(cached_from__isnull=False) & ~Q(cache_kind="semantic"),
    "semantic": Q(cache_kind="semantic"),
    "no": Q(cached_from=None),
}
GUARDRAIL: Final[dict[str, Q]] = {
    "any": ~Q(guardrail_hits=[]),
    "flag": ~Q(guardrail_hits=[]) & Q(guardrail_hits__contains=[{"action": "flag"}]),
    "redact": ~Q(guardrail_hits=[]) & Q(guardrail_hits__contains=[{"action": "redact"}]),
    "block": Q(error_code="guardrail_blocked"),
}
SERVED: Final[dict[str, Q]] = {
    "fallback": Q(attempts__contains=[{"kind": "fallback"}]),
    "retry": Q(attempts__contains=[{"kind": "retry"}]),
    "repair": Q(attempts__contains=[{"kind": "repair"}]),
    "background": Q(background=True),
}
CHOSEN: Final = (("cached", CACHED), ("guardrail", GUARDRAIL), ("served", SERVED))
FEEDBACK_SCORES: Final[dict[str, dict[str, int]]] = {
    "any": {},
    "low": {"score__lte": 2},
    "high": {"score__gte": 4},
}


@dataclass(frozen=True, slots=True)
class RunFilters:
    """What a list of runs is narrowed to; empty means everything."""

    status: str = ""
    prompt_id: UUID | None = None
    version_number: int | None = None
    label: str = ""
    source: str = ""
    source_id: UUID | None = None
    model: str = ""
    api_key_id: UUID | None = None
    end_user: str = ""
    error_code: str = ""
    unit: str = ""
    cached: str = ""
    guardrail: str = ""
    served: str = ""
    feedback: str = ""
    since: datetime | None = None
    until: datetime | None = None


NO_FILTERS: Final = RunFilters()


@dataclass(frozen=True, slots=True)
class Content:
    """A run's unsealed content; `inline` has the messages and variables of content that was not saved."""

    messages: Sequence[Mapping[str, Any]]
    variables: Mapping[str, Any]
    parameters: Mapping[str, Any]
    output: str
    output_schema: Mapping[str, Any] | None = None
    tools: Sequence[Mapping[str, Any]] = ()
    tool_calls: Sequence[dict[str, Any]] = ()
    inline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first 200 characters of the last message and of the answer."""

    input: str = ""
    output: str = ""


def list_runs(project_id: UUID, filters: RunFilters = NO_FILTERS) -> QuerySet[Run]:
    """A project's runs by filters, unordered (paging orders by id)."""
    plain = {name: getattr(filters, name) for name in PLAIN_FILTERS}
    found = Run.objects.filter(
        project_id=project_id, **{name: value for name, value in plain.items() if value}
    )
    for name, choices in CHOSEN:
        if getattr(filters, name):
            found = found.filter(choices[getattr(filters, name)])
    if filters.feedback:
        voices = Feedback.objects.filter(run_id=OuterRef("pk"), **FEEDBACK_SCORES[filters.feedback])
        found = found.filter(Exists(voices))
    if filters.since:
        found = found.filter(pk__gte=first_id_of(filters.since))
    if filters.until:
        found = found.filter(pk__lt=first_id_of(filters.until))
    return found


def prompt_name_in_runs(project_id: UUID, prompt_id: UUID) -> str:
    """What the newest run of a prompt calls it; empty without a run."""
    found = Run.objects.filter(project_id=project_id, prompt_id=prompt_id).order_by("-pk")
    return found.values_list("prompt_name", flat=True).first() or ""


def first_id_of(moment: datetime) -> UUID:
    """The smallest UUIDv7 of a moment: a bound on the key, which also leaves partitions out."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def get_run(project_id: UUID, public_id: str) -> Run:
    """One run of a project. Raises NotFound."""
    return _existing(find(Run.objects.filter(project_id=project_id), public_id))


def get_run_by_id(project_id: UUID, run_id: UUID) -> Run:
    """One run of a project by the plain id that other tables keep. Raises NotFound."""
    return _existing(Run.objects.filter(project_id=project_id, pk=run_id).first())


def find_run(project_id: UUID, text: str) -> Run | None:
    """The run that a `run_…` or `req_…` id names, if it is one of the project's."""
    text = text.strip()
    runs = Run.objects.filter(project_id=project_id)
    if text.startswith("req_"):
        return runs.filter(request_id=text).order_by("-pk").first()
    return find(runs, text)


def cached_source(run: Run) -> Run | None:
    """The run whose answer this one was given, while it is still kept."""
    if run.cached_from is None:
        return None
    return Run.objects.filter(project_id=run.project_id, pk=run.cached_from).first()


def recent_models(project_id: UUID) -> list[str]:
    """The models of the project's latest runs, by name."""
    latest = Run.objects.filter(project_id=project_id).order_by("-pk")
    return sorted(set(latest.values_list("model", flat=True)[:RECENT_RUNS]))


def load_content(run: Run) -> Content | None:
    """A run's content, or None where it was not kept or has been deleted."""
    payload = RunPayload.objects.filter(pk=run.pk).only("organization", "content").first()
    if payload is None:
        return None
    return _content(crypto.data_key(payload.organization_id), payload)


def load_contents(runs: Sequence[Run]) -> dict[UUID, Content]:
    """The contents of runs of one organization that are still kept, in one query."""
    if not runs:
        return {}
    key = crypto.data_key(runs[0].organization_id)
    payloads = RunPayload.objects.filter(pk__in=[run.pk for run in runs]).only("organization", "content")
    return {each.pk: _content(key, each) for each in payloads}


def content_sizes(run_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many bytes the sealed contents of runs take that are still kept."""
    found = RunPayload.objects.filter(pk__in=run_ids)
    return dict(
        found.values_list("pk", Func(F("content"), function="octet_length", output_field=IntegerField()))
    )


def load_outputs(organization_id: UUID, run_ids: Sequence[UUID]) -> dict[UUID, str]:
    """The whole answers of runs of one organization whose contents are still kept, in one query."""
    payloads = RunPayload.objects.filter(pk__in=run_ids).only("organization", "content")
    key = crypto.data_key(organization_id) if run_ids else b""
    return {each.pk: _content(key, each).output for each in payloads}


def load_previews(runs: Sequence[Run]) -> dict[UUID, Preview]:
    """The previews of a page of runs of one organization, in one query."""
    if not runs:
        return {}
    key = crypto.data_key(runs[0].organization_id)
    payloads = RunPayload.objects.filter(pk__in=[run.pk for run in runs]).only("organization", "preview")
    return {
        each.pk: Preview(**orjson.loads(_unseal(key, each, "preview", each.preview))) for each in payloads
    }


def load_result(project_id: UUID, run_id: UUID) -> RunResult:
    """A recorded run as the engine returned it. Raises NotFound when run or content is gone."""
    run = get_run_by_id(project_id, run_id)
    content = load_content(run)
    if content is None:
        why = "has been deleted" if run.stored_content else "was not stored"
        raise NotFound(f"The content of this run {why}.", code="run_content_deleted")
    return RunResult(
        run_id=run.pk,
        created_at=run.created_at,
        status=cast("Status", run.status),
        text=content.output,
        parsed=parse_json(content.output),
        usage=Usage(run.input_tokens, run.output_tokens, run.cached_tokens),
        price=price_of(run),
        latency_ms=run.latency_ms,
        first_token_ms=run.first_token_ms,
        finish_reason=run.finish_reason or None,
        error=error_of(run),
        model=run.model,
        sandbox=run.sandbox,
        prompt_name=run.prompt_name,
        version_number=run.version_number,
        label=run.label or None,
        cached_from=run.cached_from,
        cache=_cache_outcome(run),
        tool_calls=tuple(content.tool_calls),
        usage_origin=cast("UsageOrigin", run.usage_origin),
        asked_model=run.asked_model,
        cache_kind=cast("CacheKind", run.cache_kind),
        cache_distance=run.cache_distance,
        guardrail_hits=tuple(run.guardrail_hits),
    )


def _cache_outcome(run: Run) -> CacheOutcome | None:
    """What the caches had for a run; None where that is not known any more: it missed, or did not ask."""
    if run.cached_from is None:
        return None
    return "semantic_hit" if run.cache_kind == "semantic" else "hit"


def price_of(run: Run) -> Price | None:
    """What the run cost, as it was fixed when it ended; None where nothing was charged."""
    if run.price_status == "none" and run.price_amount is None:
        return None
    return Price(
        status=cast("PriceStatus", run.price_status), amount=run.price_amount, snapshot=run.price_snapshot
    )


def error_of(run: Run) -> RunError | None:
    """Why the run failed, if it did."""
    if not run.error_code:
        return None
    return RunError(
        code=run.error_code, type=run.error_type, message=run.error_message, status=run.error_status or 502
    )


def _existing(run: Run | None) -> Run:
    if run is None:
        raise NotFound("There is no such run in this project.", code="run_not_found")
    return run


def _content(key: bytes, payload: RunPayload) -> Content:
    opened = orjson.loads(_unseal(key, payload, "content", payload.content))
    return Content(**opened | {"messages": tuple(opened["messages"])})


def _unseal(key: bytes, payload: RunPayload, column: str, sealed: bytes | memoryview) -> bytes:
    place = crypto.associated_data(
        organization_id=payload.organization_id, table=PAYLOAD_TABLE, column=column, row_id=payload.pk
    )
    return crypto.unseal_bytes(key, sealed, place)
