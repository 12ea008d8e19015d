"""What a background run was asked for, as it lies sealed until the run has ended."""

from dataclasses import fields
from typing import Any, Final
from uuid import UUID

import orjson

from apps.core import crypto
from apps.runs.types import CacheWish, PromptReference, RunRequest

TABLE: Final = "runs_backgroundrun"
COLUMN: Final = "sealed_request"
# Columns of the row, and facts of the moment in which the run is carried out.
_ROW: Final = frozenset(
    {"run_id", "organization_id", "project_id", "source", "source_id", "usage_key", "api_key_id", "livemode"}
)
_MOMENT: Final = frozenset({"claim", "background", "timeout_seconds", "limits", "tell_limits", "arrived"})
_SHAPES: Final = {"prompt": PromptReference, "cache": CacheWish}
_TUPLES: Final = frozenset({"messages", "tools"})


def pack(request: RunRequest) -> bytes:
    """The request without what the row knows and what the moment decides, as JSON.

    Raises ValueError for content that was not saved: only saved prompts and plain models run in the
    background.
    """
    if request.inline is not None:
        raise ValueError("a background run is of a saved prompt or of a plain model")
    names = [each.name for each in fields(request) if each.name not in _ROW | _MOMENT]
    kept = {name: getattr(request, name) for name in names}
    return orjson.dumps({name: value for name, value in kept.items() if value is not None}, default=dict)


def unpack(packed: bytes) -> dict[str, Any]:
    """The values of `pack`, to make a RunRequest of."""
    values: dict[str, Any] = orjson.loads(packed)
    for name, shape in _SHAPES.items():
        if name in values:
            values[name] = shape(**values[name])
    return {name: tuple(value) if name in _TUPLES else value for name, value in values.items()}


def seal(request: RunRequest, packed: bytes) -> bytes:
    """The packed request under its organization's data key; call it inside the organization's scope."""
    return crypto.seal(packed, **_place(request.organization_id, request.run_id))


def unseal(organization_id: UUID, run_id: UUID, sealed: bytes) -> bytes:
    """The packed request. Raises SealBroken; call it inside the organization's scope."""
    return crypto.unseal(sealed, **_place(organization_id, run_id))


def _place(organization_id: UUID, run_id: UUID) -> dict[str, Any]:
    return {"organization_id": organization_id, "table": TABLE, "column": COLUMN, "row_id": run_id}
