"""From records to the arrays of one statement: runs, payloads and usage. Pure but for sealing."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from apps.billing import ledger
from apps.core import crypto
from apps.core.chat_content import described
from apps.runs.types import RunRecord, RunResult

PREVIEW_CHARACTERS: Final = 200
PAYLOAD_TABLE: Final = "runs_runpayload"

# Column of runs_run, type of its array, how the record gives it.
_COLUMNS: Final[tuple[tuple[str, str, Callable[[RunRecord], Any]], ...]] = (
    ("id", "uuid", lambda r: r.request.run_id),
    ("organization_id", "uuid", lambda r: r.request.organization_id),
    ("project_id", "uuid", lambda r: r.request.project_id),
    ("created_at", "timestamptz", lambda r: r.result.created_at),
    ("source", "text", lambda r: r.request.source),
    ("source_id", "uuid", lambda r: r.request.source_id),
    ("prompt_id", "uuid", lambda r: r.prompt.prompt_id if r.prompt else None),
    ("prompt_name", "text", lambda r: r.result.prompt_name),
    ("version_id", "uuid", lambda r: r.prompt.version_id if r.prompt else None),
    ("version_number", "integer", lambda r: r.result.version_number),
    ("label", "text", lambda r: r.result.label or ""),
    ("connection", "text", lambda r: r.connection),
    ("model", "text", lambda r: r.result.model[:255]),
    ("api_key_id", "uuid", lambda r: r.request.api_key_id),
    ("request_id", "text", lambda r: r.request.request_id),
    ("status", "text", lambda r: r.result.status),
    ("error_code", "text", lambda r: r.result.error.code if r.result.error else ""),
    ("error_type", "text", lambda r: r.result.error.type if r.result.error else ""),
    ("error_message", "text", lambda r: r.result.error.message[:500] if r.result.error else ""),
    ("error_status", "smallint", lambda r: r.result.error.status if r.result.error else None),
    ("input_tokens", "integer", lambda r: r.result.usage.input_tokens),
    ("output_tokens", "integer", lambda r: r.result.usage.output_tokens),
    ("cached_tokens", "integer", lambda r: r.result.usage.cached_tokens),
    ("usage_origin", "text", lambda r: r.usage_origin),
    ("price_status", "text", lambda r: r.result.price.status if r.result.price else "none"),
    ("price_amount", "numeric", lambda r: r.result.price.amount if r.result.price else None),
    ("price_snapshot", "jsonb", lambda r: _json(r.result.price.snapshot if r.result.price else {})),
    ("latency_ms", "integer", lambda r: r.result.latency_ms),
    ("first_token_ms", "integer", lambda r: r.result.first_token_ms),
    ("finish_reason", "text", lambda r: (r.result.finish_reason or "")[:32]),
    ("attempts", "jsonb", lambda r: _json([attempt.as_json() for attempt in r.attempts])),
    ("provider_request_id", "text", lambda r: r.provider_request_id[:128]),
    ("sandbox", "boolean", lambda r: r.result.sandbox),
    ("livemode", "boolean", lambda r: r.request.livemode),
    ("metadata", "jsonb", lambda r: _json(dict(r.request.metadata))),
    ("end_user", "text", lambda r: r.request.user[:255]),
    ("cached_from", "uuid", lambda r: r.result.cached_from),
    ("cache_kind", "text", lambda r: r.result.cache_kind),
    ("cache_distance", "double precision", lambda r: r.result.cache_distance),
    ("asked_model", "text", lambda r: r.result.asked_model[:255]),
    ("guardrail_hits", "jsonb", lambda r: _json(list(r.result.guardrail_hits))),
    ("unit", "text", lambda r: r.request.unit[:255]),
    ("background", "boolean", lambda r: r.request.background),
    ("own_microseconds", "integer", lambda r: _own_microseconds(r)),
    ("stored_content", "boolean", lambda r: r.request.record_payload),
    # As one text, since Postgres has no arrays of arrays of different lengths; no name holds a comma.
    ("overrides", "text", lambda r: ",".join(r.overrides)),
)
_NAMES: Final = ", ".join(name for name, _, _ in _COLUMNS)
_ARRAYS: Final = ", ".join(f"%(run_{name})s::{kind}[]" for name, kind, _ in _COLUMNS)
_VALUES: Final = _NAMES.replace("overrides", "string_to_array(overrides, ',')")

STATEMENT: Final = f"""
WITH {ledger.COMMON_TABLE_EXPRESSIONS}, run_written AS (
    INSERT INTO runs_run ({_NAMES})
    SELECT {_VALUES} FROM unnest({_ARRAYS}) AS input({_NAMES}) ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id, organization_id
), run_uncounted AS (
    INSERT INTO runs_uncountedruns (id, organization_id, run_ids)
    SELECT (array_agg(id ORDER BY id))[1], organization_id, array_agg(id ORDER BY id)
    FROM run_written GROUP BY organization_id
), payload_written AS (
    INSERT INTO {PAYLOAD_TABLE} (id, organization_id, content, preview)
    SELECT id, organization_id, content, preview FROM unnest(
        %(payload_id)s::uuid[], %(payload_organization_id)s::uuid[],
        %(payload_content)s::bytea[], %(payload_preview)s::bytea[]
    ) AS input(id, organization_id, content, preview) ORDER BY id
    ON CONFLICT (id) DO NOTHING
) SELECT source_id, outcome FROM usage_outcome JOIN usage_input USING (id)
"""
"""Its rows tell for each charged run what became of its usage: (run id, ledger.Outcome).

Runs that are new wait for the roll-ups from then on: one row of `UncountedRuns` for each organization.
"""


@dataclass(frozen=True, slots=True)
class SealedRecord:
    """A record with its content sealed; `content` and `preview` are None where none is kept."""

    record: RunRecord
    content: bytes | None
    preview: bytes | None

    @property
    def run_id(self) -> UUID:
        """The run's id, by which rows are sorted."""
        return self.record.request.run_id

    @property
    def size(self) -> int:
        """Bytes of the sealed content."""
        return len(self.content or b"")


def seal(record: RunRecord, data_key: bytes) -> SealedRecord:
    """Seal a record's content under its organization's data key."""
    if not record.request.record_payload:
        return SealedRecord(record, None, None)
    content = {
        "messages": list(record.messages),
        "variables": dict(record.request.variables),
        "parameters": dict(record.parameters),
        "output": record.result.text,
        **_where_given(record),
    }
    return SealedRecord(
        record,
        _seal(record, data_key, "content", orjson.dumps(content)),
        _seal(record, data_key, "preview", orjson.dumps(_preview(record))),
    )


def parameters(rows: Sequence[SealedRecord]) -> dict[str, Any]:
    """The named parameters of STATEMENT. `rows` must be sorted by run id."""
    records = [row.record for row in rows]
    kept = [row for row in rows if row.content is not None]
    arrays: dict[str, Any] = {
        f"run_{name}": [value(record) for record in records] for name, _, value in _COLUMNS
    }
    arrays["payload_id"] = [row.run_id for row in kept]
    arrays["payload_organization_id"] = [row.record.request.organization_id for row in kept]
    arrays["payload_content"] = [row.content for row in kept]
    arrays["payload_preview"] = [row.preview for row in kept]
    return arrays | ledger.usage_rows(_usage_row(record) for record in records if record.charged)


def _usage_row(record: RunRecord) -> ledger.UsageRow:
    result: RunResult = record.result
    return ledger.UsageRow(
        organization_id=record.request.organization_id,
        key=record.request.usage_key,
        meter=record.reservation.meter,
        source_kind="run",
        source_id=record.request.run_id,
        occurred_at=result.created_at,
        project_id=record.request.project_id,
        lease_id=record.reservation.lease_id,
    )


def _where_given(record: RunRecord) -> dict[str, Any]:
    """What most runs don't have: schema, tools, their calls, and the templates of unsaved content."""
    inline = record.request.inline
    templates = {"messages": inline.messages, "variables": inline.variables} if inline else None
    given = {
        "output_schema": record.output_schema,
        "tools": record.tools,
        "tool_calls": record.result.tool_calls,
        "inline": templates,
    }
    return {name: value for name, value in given.items() if value}


def _preview(record: RunRecord) -> dict[str, str]:
    last = described(record.messages[-1]) if record.messages else ""
    answer = record.result.text or ", ".join(
        f"{call['function']['name']}({call['function']['arguments']})" for call in record.result.tool_calls
    )
    return {"input": last[:PREVIEW_CHARACTERS], "output": answer[:PREVIEW_CHARACTERS]}


def _own_microseconds(record: RunRecord) -> int | None:
    """Our own time until now, when the row is made: its commit is all that is missing."""
    if record.own_since is None:
        return None
    return max(0, round((time.perf_counter() - record.own_since) * 1_000_000))


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _seal(record: RunRecord, data_key: bytes, column: str, plaintext: bytes) -> bytes:
    return crypto.seal_bytes(
        data_key,
        plaintext,
        crypto.associated_data(
            organization_id=record.request.organization_id,
            table=PAYLOAD_TABLE,
            column=column,
            row_id=record.request.run_id,
        ),
    )
