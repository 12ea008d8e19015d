"""From records to the one parameter of one statement: runs, payloads and usage. Pure but for sealing.

A group goes to Postgres as one JSON text: fifty arrays cost sixteen times as much of our own processor time,
and Postgres the same (docs/decisions/0024).
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from apps.billing import ledger
from apps.core import crypto, ids
from apps.core.chat_content import described
from apps.runs.types import RunRecord

PREVIEW_CHARACTERS: Final = 200
PAYLOAD_TABLE: Final = "runs_runpayload"

# Column of runs_run and its type; `_run_row` has a value for each.
_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("id", "uuid"),
    ("organization_id", "uuid"),
    ("project_id", "uuid"),
    ("created_at", "timestamptz"),
    ("source", "text"),
    ("source_id", "uuid"),
    ("prompt_id", "uuid"),
    ("prompt_name", "text"),
    ("version_id", "uuid"),
    ("version_number", "integer"),
    ("label", "text"),
    ("connection", "text"),
    ("model", "text"),
    ("api_key_id", "uuid"),
    ("request_id", "text"),
    ("status", "text"),
    ("error_code", "text"),
    ("error_type", "text"),
    ("error_message", "text"),
    ("error_status", "smallint"),
    ("input_tokens", "integer"),
    ("output_tokens", "integer"),
    ("cached_tokens", "integer"),
    ("usage_origin", "text"),
    ("price_status", "text"),
    ("price_amount", "numeric"),
    ("price_snapshot", "jsonb"),
    ("latency_ms", "integer"),
    ("first_token_ms", "integer"),
    ("finish_reason", "text"),
    ("attempts", "jsonb"),
    ("provider_request_id", "text"),
    ("sandbox", "boolean"),
    ("livemode", "boolean"),
    ("metadata", "jsonb"),
    ("end_user", "text"),
    ("cached_from", "uuid"),
    ("cache_kind", "text"),
    ("cache_distance", "double precision"),
    ("asked_model", "text"),
    ("guardrail_hits", "jsonb"),
    ("unit", "text"),
    ("background", "boolean"),
    ("own_microseconds", "integer"),
    ("stored_content", "boolean"),
    ("overrides", "text[]"),
)
_NAMES: Final = ", ".join(name for name, _ in _COLUMNS)
_TYPED: Final = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS)

STATEMENT: Final = f"""
WITH input AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS input(
        {_TYPED}, content bytea, preview bytea,
        usage_id uuid, usage_key text, usage_hash bytea, meter text, lease_id uuid
    )
), usage_input AS (
    SELECT
        usage_id AS id, organization_id, usage_key AS key, usage_hash AS content_hash, meter,
        1::numeric AS quantity, project_id, 'run' AS source_kind, id AS source_id, lease_id,
        created_at AS occurred_at
    FROM input WHERE usage_id IS NOT NULL
), {ledger.RECORDING_EXPRESSIONS}, run_written AS (
    INSERT INTO runs_run ({_NAMES})
    SELECT {_NAMES} FROM input ORDER BY id
    ON CONFLICT (id) DO NOTHING
    RETURNING id, organization_id
), run_uncounted AS (
    INSERT INTO runs_uncountedruns (id, organization_id, run_ids)
    SELECT (array_agg(id ORDER BY id))[1], organization_id, array_agg(id ORDER BY id)
    FROM run_written GROUP BY organization_id
), payload_written AS (
    INSERT INTO {PAYLOAD_TABLE} (id, organization_id, content, preview)
    SELECT id, organization_id, content, preview FROM input WHERE content IS NOT NULL ORDER BY id
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
    sealed = crypto.seal_columns(
        data_key,
        {"content": orjson.dumps(content), "preview": orjson.dumps(_preview(record))},
        organization_id=record.request.organization_id,
        table=PAYLOAD_TABLE,
        row_id=record.request.run_id,
    )
    return SealedRecord(record, sealed["content"], sealed["preview"])


def parameters(rows: Sequence[SealedRecord]) -> dict[str, str]:
    """The named parameters of STATEMENT. `rows` must be sorted by run id.

    Raises TypeError for text that is not Unicode.
    """
    return {"rows": text_of(rows).decode()}


def text_of(rows: Sequence[SealedRecord]) -> bytes:
    """The one parameter by itself. `rows` must be sorted by run id. Raises TypeError as `parameters` does."""
    return orjson.dumps([_row(row) for row in rows])


def _row(row: SealedRecord) -> dict[str, Any]:
    record = row.record
    found = _run_row(record)
    if row.content is not None and row.preview is not None:
        found["content"] = _bytea(row.content)
        found["preview"] = _bytea(row.preview)
    if record.charged:
        found |= _usage_row(record)
    return found


def _run_row(record: RunRecord) -> dict[str, Any]:
    request, result, prompt = record.request, record.result, record.prompt
    error, price, usage = result.error, result.price, result.usage
    return {
        "id": request.run_id,
        "organization_id": request.organization_id,
        "project_id": request.project_id,
        "created_at": result.created_at,
        "source": request.source,
        "source_id": request.source_id,
        "prompt_id": prompt.prompt_id if prompt else None,
        "prompt_name": result.prompt_name,
        "version_id": prompt.version_id if prompt else None,
        "version_number": result.version_number,
        "label": result.label or "",
        "connection": record.connection,
        "model": result.model[:255],
        "api_key_id": request.api_key_id,
        "request_id": request.request_id,
        "status": result.status,
        "error_code": error.code if error else "",
        "error_type": error.type if error else "",
        "error_message": error.message[:500] if error else "",
        "error_status": error.status if error else None,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "usage_origin": record.usage_origin,
        "price_status": price.status if price else "none",
        # Not as a number: JSON's are floats to orjson.
        "price_amount": None if price is None or price.amount is None else str(price.amount),
        "price_snapshot": price.snapshot if price else {},
        "latency_ms": result.latency_ms,
        "first_token_ms": result.first_token_ms,
        "finish_reason": (result.finish_reason or "")[:32],
        "attempts": [attempt.as_json() for attempt in record.attempts],
        "provider_request_id": record.provider_request_id[:128],
        "sandbox": result.sandbox,
        "livemode": request.livemode,
        "metadata": dict(request.metadata),
        "end_user": request.user[:255],
        "cached_from": result.cached_from,
        "cache_kind": result.cache_kind,
        "cache_distance": result.cache_distance,
        "asked_model": result.asked_model[:255],
        "guardrail_hits": result.guardrail_hits,
        "unit": request.unit[:255],
        "background": request.background,
        "own_microseconds": _own_microseconds(record),
        "stored_content": request.record_payload,
        "overrides": record.overrides,
    }


def _usage_row(record: RunRecord) -> dict[str, Any]:
    request, reservation = record.request, record.reservation
    return {
        "usage_id": ids.uuid7(),
        "usage_key": request.usage_key,
        "usage_hash": _bytea(
            ledger.content_hash(meter=reservation.meter, quantity=ledger.ONE, project_id=request.project_id)
        ),
        "meter": reservation.meter,
        "lease_id": reservation.lease_id,
    }


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


def _bytea(value: bytes) -> str:
    return "\\x" + value.hex()
