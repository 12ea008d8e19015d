"""Where the rows of a batch are taken from, other than a dataset: as a job keeps it. Pure.

``{"kind": "upload", "import": "<uuid>", "mapping": [...]}`` an uploaded file, ``"kind": "rows"`` those of a
    request, which are kept as such a file;
``{"kind": "runs", "filters": {...}, "limit": 1000, "order": "newest", "expected": "answer", ...}``
    earlier runs that still have their content;
``{"kind": "batch", "batch": "<uuid>", "where": {...}}`` rows of another batch by what came out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Literal, get_args
from uuid import UUID

from apps.batches.rules import RowChoice, choice_of
from apps.core.errors import InvalidRequest
from apps.runs.dataset_rows import Expected
from apps.runs.queries import RunFilters

MOST_RUNS: Final = 100_000
DEFAULT_RUNS: Final = 1_000
Order = Literal["newest", "random"]
ORDERS: Final[tuple[str, ...]] = get_args(Order)
EXPECTED: Final[tuple[str, ...]] = get_args(Expected)


@dataclass(frozen=True, slots=True)
class ImportSource:
    """An uploaded file. An empty mapping is the proposed one; `kind` is rows where a request held them."""

    dataset_import_id: UUID
    mapping: tuple[dict[str, str], ...] = ()
    kind: Literal["upload", "rows"] = "upload"

    def as_json(self) -> dict[str, Any]:
        """As a preparation keeps it."""
        return {"kind": self.kind, "import": str(self.dataset_import_id), "mapping": list(self.mapping)}


@dataclass(frozen=True, slots=True)
class RunsSource:
    """Earlier runs: the newest `limit` of those that the filters leave, or as many by chance.

    `expected` says what their rows expect: the latest correction or else the answer, the answer, or nothing.
    `before` bounds what is taken, so that runs that arrive meanwhile are left alone, and `seed` fixes chance:
    whoever goes on after a kill takes the same ones.
    """

    filters: RunFilters = field(default_factory=RunFilters)
    limit: int = DEFAULT_RUNS
    order: Order = "newest"
    expected: Expected = "answer"
    before: UUID | None = None
    seed: str = ""
    kind: Literal["runs"] = "runs"

    def check(self) -> None:
        """Raise InvalidRequest that names the field."""
        if not 1 <= self.limit <= MOST_RUNS:
            _refuse(f"A batch takes from 1 to {MOST_RUNS:,} runs.", "runs.limit")
        if self.order not in ORDERS:
            _refuse(f"order is one of {', '.join(ORDERS)}.", "runs.order")
        if self.expected not in EXPECTED:
            _refuse(f"expected is one of {', '.join(EXPECTED)}.", "runs.expected")
        since, until = self.filters.since, self.filters.until
        if since and until and since >= until:
            _refuse("since lies before until.", "runs.since")

    def as_json(self) -> dict[str, Any]:
        """As a preparation keeps it."""
        told = {each.name: getattr(self.filters, each.name) for each in fields(RunFilters)}
        return {
            "kind": self.kind,
            "filters": {name: _plain(value) for name, value in told.items() if value},
            "limit": self.limit,
            "order": self.order,
            "expected": self.expected,
            "before": str(self.before) if self.before else "",
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Rows of another batch, each once, by what came out of it in any variant; its first round of rows."""

    batch_id: UUID
    where: RowChoice
    kind: Literal["batch"] = "batch"

    def check(self) -> None:
        """Raise InvalidRequest that names the field."""
        self.where.check("from_batch.where")

    def as_json(self) -> dict[str, Any]:
        """As a preparation keeps it."""
        return {"kind": self.kind, "batch": str(self.batch_id), "where": self.where.as_json()}


RowSource = ImportSource | RunsSource | BatchSource


def source_of(told: Mapping[str, Any]) -> RowSource:
    """A source as a preparation has kept it."""
    kind = told["kind"]
    if kind == "runs":
        return RunsSource(
            filters=_filters(told["filters"]),
            limit=told["limit"],
            order=told["order"],
            expected=told["expected"],
            before=UUID(told["before"]) if told["before"] else None,
            seed=told["seed"],
        )
    if kind == "batch":
        return BatchSource(UUID(told["batch"]), choice_of(told["where"]))
    return ImportSource(UUID(told["import"]), tuple(told["mapping"]), kind)


def _filters(told: Mapping[str, Any]) -> RunFilters:
    values = dict(told)
    for name in ("prompt_id", "source_id", "api_key_id"):
        if name in values:
            values[name] = UUID(values[name])
    for name in ("since", "until"):
        if name in values:
            values[name] = datetime.fromisoformat(values[name])
    return RunFilters(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _refuse(message: str, param: str) -> None:
    raise InvalidRequest(message, code="parameter_invalid", param=param)
