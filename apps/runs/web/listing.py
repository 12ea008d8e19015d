"""The list of runs: its columns, filters and file."""

import json
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from apps.core import ids
from apps.core.tables import Asked, Column, Filter, FilterKind, Table, register
from apps.prompts.models import Prompt
from apps.runs import queries
from apps.runs.feedback import mean_scores
from apps.runs.models import Run, RunSource, RunStatus
from apps.runs.queries import RunFilters
from apps.runs.web.presentation import RunRow
from apps.tenants.models import APIKey

DEFAULT_RANGE: Final = "24h"
EVER: Final = "all"
RANGES: Final[dict[str, tuple[str, timedelta | None]]] = {
    "1h": ("Last hour", timedelta(hours=1)),
    DEFAULT_RANGE: ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
    EVER: ("All time", None),
}
CACHED: Final = (
    ("any", "From a cache"),
    ("exact", "Equal call"),
    ("semantic", "Similar call"),
    ("no", "Not cached"),
)
GUARDRAIL: Final = (
    ("any", "Anything found"),
    ("flag", "Flagged"),
    ("redact", "Redacted"),
    ("block", "Blocked"),
)
SERVED: Final = (
    ("fallback", "By a fallback"),
    ("retry", "After a retry"),
    ("repair", "After a repair"),
    ("background", "In the background"),
)
FEEDBACK: Final = (("any", "With feedback"), ("low", "Scored 1 or 2"), ("high", "Scored 4 or 5"))


def prepare(runs: list[Run]) -> list[RunRow]:
    """A page of runs with the beginnings of their content, their scores and their keys' names."""
    previews = queries.load_previews(runs)
    scores = mean_scores([run.pk for run in runs])
    keys = dict(
        APIKey.objects.filter(pk__in={run.api_key_id for run in runs if run.api_key_id}).values_list(
            "pk", "name"
        )
    )
    return [
        RunRow.of(run, previews.get(run.pk), scores.get(run.pk), keys.get(run.api_key_id or run.pk, ""))
        for run in runs
    ]


def filters_of(asked: Asked) -> RunFilters:
    """What the address narrows the list to; the last 24 hours where it says nothing of time."""
    chosen = asked.filters
    length = RANGES[chosen["range"] or DEFAULT_RANGE][1]
    version = chosen["version"]
    return RunFilters(
        status=chosen["status"],
        prompt_id=ids.decode_or_none(Prompt.PREFIX, chosen["prompt"]),
        version_number=int(version) if version.isdecimal() and len(version) < 9 else None,
        label=chosen["label"],
        source=chosen["source"],
        source_id=_batch(chosen["batch"]),
        model=chosen["model"],
        api_key_id=ids.decode_or_none(APIKey.PREFIX, chosen["key"]),
        end_user=chosen["user"],
        error_code=chosen["error"],
        unit=chosen["unit"],
        cached=chosen["cached"],
        guardrail=chosen["guardrail"],
        served=chosen["served"],
        feedback=chosen["feedback"],
        since=timezone.now() - length if length else None,
    )


def _batch(public_id: str) -> UUID | None:
    return ids.decode_or_none("bat", public_id)


RUNS: Final = register(
    Table[Run, RunRow](
        key="runs",
        prefix=Run.PREFIX,
        noun=("run", "runs"),
        search="Find by run_… or req_… id",
        default_sort="-made",
        prepare=prepare,
        filters=(
            Filter(
                "range",
                "Time",
                [(name, words) for name, (words, _) in RANGES.items() if name != DEFAULT_RANGE],
                usual=RANGES[DEFAULT_RANGE][0].lower(),
            ),
            Filter("status", "Status", RunStatus.choices),
            Filter("prompt", "Prompt"),
            Filter("source", "Source", RunSource.choices),
            Filter("model", "Model"),
            Filter("guardrail", "Guardrails", GUARDRAIL),
            Filter("cached", "Cache", CACHED),
            Filter("served", "Served", SERVED),
            Filter("feedback", "Feedback", FEEDBACK),
            Filter("version", "Version", kind=FilterKind.TEXT),
            Filter("label", "Label", kind=FilterKind.TEXT),
            Filter("key", "API key", kind=FilterKind.TEXT),
            Filter("user", "User", kind=FilterKind.TEXT),
            Filter("unit", "Unit", kind=FilterKind.TEXT),
            Filter("error", "Error", kind=FilterKind.TEXT),
            Filter("batch", "Batch", kind=FilterKind.TEXT),
        ),
        columns=(
            Column("id", "Id", lambda row: row.run.public_id, export_only=True),
            Column("made", "Run", lambda row: row.run.created_at, sort="id", downwards=True, always=True),
            Column("source", "Source", lambda row: row.run.source, export_only=True),
            Column("mode", "Mode", lambda row: "live" if row.run.livemode else "test", export_only=True),
            Column("status", "Status", lambda row: row.run.status),
            Column("error_code", "Error code", lambda row: row.run.error_code or None, export_only=True),
            Column("error", "Error", lambda row: row.run.error_message or None, export_only=True),
            Column("content", "Input and answer", lambda row: row.preview.input),
            Column("answer", "Answer", lambda row: row.preview.output, export_only=True),
            Column("content_state", "Content", lambda row: row.content_state, export_only=True),
            Column("prompt", "Prompt", lambda row: row.run.prompt_name or None),
            Column("version", "Version", lambda row: row.run.version_number, export_only=True),
            Column("label", "Label", lambda row: row.run.label or None, export_only=True),
            Column("model", "Model", lambda row: row.run.model),
            Column(
                "tokens",
                "Tokens",
                lambda row: row.run.input_tokens,
                sort=F("input_tokens") + F("output_tokens"),
                nullable=True,
                downwards=True,
                numeric=True,
            ),
            Column("output_tokens", "Output tokens", lambda row: row.run.output_tokens, export_only=True),
            Column("cached_tokens", "Cached tokens", lambda row: row.run.cached_tokens, export_only=True),
            Column(
                "cost",
                "Cost",
                lambda row: row.cost,
                sort="price_amount",
                nullable=True,
                downwards=True,
                numeric=True,
            ),
            Column("cost_status", "Cost status", lambda row: row.run.price_status, export_only=True),
            Column(
                "time",
                "Time",
                lambda row: row.run.latency_ms,
                sort="latency_ms",
                downwards=True,
                numeric=True,
            ),
            Column(
                "first_token",
                "First token",
                lambda row: row.run.first_token_ms,
                sort="first_token_ms",
                nullable=True,
                downwards=True,
                numeric=True,
                default=False,
            ),
            Column("score", "Score", lambda row: row.score, numeric=True),
            Column("key", "API key", lambda row: row.key or None, default=False),
            Column("user", "User", lambda row: row.run.end_user or None, default=False),
            Column("unit", "Unit", lambda row: row.run.unit or None, default=False),
            Column("cache", "Cache", lambda row: row.cache or None, default=False),
            Column("guardrails", "Guardrails", lambda row: row.guarded or None, default=False),
            Column("asked_model", "Asked model", lambda row: row.run.asked_model or None, default=False),
            Column(
                "own_time",
                "Our own time",
                lambda row: row.run.own_microseconds,
                sort="own_microseconds",
                nullable=True,
                downwards=True,
                numeric=True,
                default=False,
            ),
            Column(
                "background",
                "Background",
                lambda row: "yes" if row.run.background else None,
                export_only=True,
            ),
            Column(
                "finish_reason", "Finish reason", lambda row: row.run.finish_reason or None, export_only=True
            ),
            Column("attempts", "Attempts", lambda row: len(row.run.attempts), export_only=True),
            Column("request", "Request", lambda row: row.run.request_id or None, export_only=True),
            Column(
                "provider_request",
                "Provider request",
                lambda row: row.run.provider_request_id or None,
                export_only=True,
            ),
            Column("metadata", "Metadata", lambda row: json.dumps(row.run.metadata), export_only=True),
        ),
    )
)
