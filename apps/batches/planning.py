"""What a batch would do, before it is started: which rows lack a variable, what it will cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson
from django.db import connection

from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetRow, DatasetVersion
from apps.datasets.row_storage import demand_rows
from apps.prompts import queries as prompt_queries
from apps.prompts.rendering import render
from apps.prompts.types import ResolvedPrompt
from apps.providers import queries as provider_queries
from apps.providers import tokens
from apps.providers.alias_queries import alias_targets
from apps.providers.price_rules import PriceRule, rule_for
from apps.providers.pricing import Price, price
from apps.providers.types import Usage
from apps.runs.inputs import check_parameters
from apps.runs.models import Run, RunStatus
from apps.runs.sources import TEST_MODEL
from apps.runs.types import PromptReference
from apps.tenants.models import Project

SAMPLE_ROWS: Final = 200
EXAMPLES: Final = 5
DEFAULT_OUTPUT_TOKENS: Final = 1_024
"""The longest answer under a cost cap where the prompt sets no maximum; it is sent to the provider."""

SHORT_ANSWER_TOKENS: Final = 4
LEAST_RUNS: Final = 20


@dataclass(frozen=True, slots=True)
class MissingVariable:
    """A required variable that some rows lack; `examples` are the first row numbers."""

    name: str
    rows: int
    examples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the rows will cost. `status` is as in Price; `low` and `high` are USD, None when unknown.

    `basis` says where the answers' length comes from: "runs" of this version, or the prompt's "limits".
    """

    rows: int
    status: str
    low: Decimal | None
    high: Decimal | None
    input_tokens: int
    output_tokens_low: int
    output_tokens_high: int
    basis: str

    def as_json(self) -> dict[str, Any]:
        """As kept with the job and as the API tells it."""
        return {
            "rows": self.rows,
            "cost_status": self.status,
            "cost_low": None if self.low is None else f"{self.low:f}",
            "cost_high": None if self.high is None else f"{self.high:f}",
            "currency": "USD",
            "input_tokens": self.input_tokens,
            "output_tokens_low": self.output_tokens_low,
            "output_tokens_high": self.output_tokens_high,
            "basis": self.basis,
        }


@dataclass(frozen=True, slots=True)
class Model:
    """A model reference and what pricing needs to know of it."""

    reference: str
    kind: str
    model_id: str
    sandbox: bool
    prices: tuple[PriceRule, ...] = ()

    def price(self, input_tokens: int, output_tokens: int) -> Price:
        """The price of one call with so many tokens, today."""
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        now = datetime.now(UTC)
        return price(self.kind, self.model_id, usage, now, rule_for(self.prices, self.reference, now))


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that could be started: everything is found, nothing is written."""

    prompt: ResolvedPrompt
    dataset_version: DatasetVersion
    model: Model
    rows: int
    missing: tuple[MissingVariable, ...]
    estimate: Estimate


def plan_batch(
    *,
    project: Project,
    prompt: PromptReference,
    dataset_version: DatasetVersion,
    model: str = "",
    parameters: Mapping[str, Any] | None = None,
    row_limit: int | None = None,
    livemode: bool = True,
) -> Plan:
    """Find what a batch would use and look through its rows.

    Raises NotFound for an unknown prompt or connection, InvalidRequest for a prompt without a model, an empty
    dataset, or a required variable that no row has (``variable_missing``), Conflict for deleted rows.
    """
    resolved = prompt_queries.resolve(
        project_id=project.id, name=prompt.name, label=prompt.label, number=prompt.number
    )
    rows = min(dataset_version.row_count, row_limit or dataset_version.row_count)
    if rows < 1:
        raise InvalidRequest("The dataset has no rows.", code="dataset_empty", param="dataset_version")
    demand_rows(dataset_version)
    chosen = find_model(project.id, model or resolved.model, livemode=livemode)
    check_parameters(dict(parameters or {}))
    missing = missing_variables(resolved, dataset_version, rows)
    _refuse_unusable(missing, rows, dataset_version)
    expected = estimate(resolved, dataset_version, chosen, rows, parameters or {})
    return Plan(resolved, dataset_version, chosen, rows, missing, expected)


def find_model(project_id: UUID, reference: str, *, livemode: bool) -> Model:
    """The model that calls will really go to, through an alias too. Raises InvalidRequest, NotFound."""
    slug, _, model_id = alias_targets(project_id).get(reference, reference).partition("/")
    if not (slug and model_id):
        raise InvalidRequest(
            "The prompt's version names no model; choose one.", code="model_missing", param="model"
        )
    if not livemode and slug != "sandbox":
        slug, _, model_id = TEST_MODEL.partition("/")
    found = provider_queries.load_connection(project_id, slug)
    found.demand_enabled(model_id)
    prices = () if found.is_sandbox else provider_queries.price_rules(project_id)
    return Model(f"{slug}/{model_id}", found.kind, model_id, found.is_sandbox, prices)


def missing_variables(
    prompt: ResolvedPrompt, dataset_version: DatasetVersion, rows: int
) -> tuple[MissingVariable, ...]:
    """Required variables without default that some of the first `rows` rows lack; one query."""
    required = [
        variable
        for variable in prompt.variables
        if variable.get("required", True) and variable.get("default") is None
    ]
    if not required:
        return ()
    counted = ", ".join(
        "count(*) FILTER (WHERE {0}), (array_agg(number ORDER BY number) FILTER (WHERE {0}))[1:%s]".format(
            _lacks(variable)
        )
        for variable in required
    )
    parameters: list[Any] = []
    for variable in required:
        parameters += [variable["name"], variable["name"], EXAMPLES]
    where = "organization_id = %s AND dataset_version_id = %s AND number <= %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {counted} FROM datasets_datasetrow WHERE {where}",
            [*parameters, dataset_version.organization_id, dataset_version.id, rows],
        )
        found = cursor.fetchone()
    return _missing(required, found)


def _lacks(variable: dict[str, Any]) -> str:
    # As prompts.rendering reads it: an empty text is a value for text, and none for the other types.
    if variable.get("type", "text") == "text":
        return "variables ->> %s IS NULL"
    return "coalesce(btrim(variables ->> %s), '') = ''"


def _missing(required: Sequence[dict[str, Any]], found: Sequence[Any]) -> tuple[MissingVariable, ...]:
    pairs = zip(required, found[::2], found[1::2], strict=True)
    return tuple(
        MissingVariable(variable["name"], rows, tuple(examples)) for variable, rows, examples in pairs if rows
    )


def _refuse_unusable(missing: Sequence[MissingVariable], rows: int, dataset_version: DatasetVersion) -> None:
    nowhere = next((variable for variable in missing if variable.rows == rows), None)
    if nowhere is not None:
        columns = ", ".join(str(column.get("name")) for column in dataset_version.columns) or "none"
        raise InvalidRequest(
            f"No row has a value for the variable '{nowhere.name}'. Columns of the dataset: {columns}.",
            code="variable_missing",
            param=f"variables.{nowhere.name}",
        )


def estimate(
    prompt: ResolvedPrompt,
    dataset_version: DatasetVersion,
    model: Model,
    rows: int,
    parameters: Mapping[str, Any],
) -> Estimate:
    """Tokens and cost of the first `rows` rows, from a sample of them."""
    input_tokens = _sampled_input_tokens(prompt, dataset_version, model, rows)
    low, high, basis = _output_tokens(prompt, {**prompt.parameters, **parameters})
    cheapest, dearest = model.price(input_tokens, low), model.price(input_tokens, high)
    return Estimate(
        rows=rows,
        status=dearest.status,
        low=None if cheapest.amount is None else cheapest.amount * rows,
        high=None if dearest.amount is None else dearest.amount * rows,
        input_tokens=input_tokens * rows,
        output_tokens_low=low * rows,
        output_tokens_high=high * rows,
        basis=basis,
    )


def most_output_tokens(parameters: Mapping[str, Any]) -> int | None:
    """The longest answer that the parameters allow, if they set a limit."""
    limits = [parameters.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return max((limit for limit in limits if isinstance(limit, int)), default=None)


def _sampled_input_tokens(
    prompt: ResolvedPrompt, dataset_version: DatasetVersion, model: Model, rows: int
) -> int:
    """Approximate input tokens of an average row."""
    step = max(1, rows // SAMPLE_ROWS)
    numbers = list(range(1, rows + 1, step))[:SAMPLE_ROWS]
    sample = DatasetRow.objects.filter(dataset_version=dataset_version, number__in=numbers)
    told = orjson.dumps(prompt.tools).decode() if prompt.tools else ""
    beside = tokens.count(told, model.model_id)
    counts = []
    for variables in sample.values_list("variables", flat=True):
        try:
            messages = render(prompt.messages, prompt.variables, variables)
        except InvalidRequest:
            continue
        counts.append(tokens.count_messages(messages, model.model_id) + beside)
    return -(-sum(counts) // len(counts)) if counts else 0


def _output_tokens(prompt: ResolvedPrompt, parameters: Mapping[str, Any]) -> tuple[int, int, str]:
    """The range of an answer's length: round the mean of earlier runs, else from short to the maximum."""
    newest = Run.objects.filter(
        prompt_id=prompt.prompt_id, version_id=prompt.version_id, status=RunStatus.SUCCEEDED
    ).order_by("-id")[:SAMPLE_ROWS]
    lengths = [length for length in newest.values_list("output_tokens", flat=True) if length]
    if len(lengths) >= LEAST_RUNS:
        mean = sum(lengths) / len(lengths)
        return round(mean * 0.9), max(round(mean * 1.1), 1), "runs"
    most = most_output_tokens(parameters) or DEFAULT_OUTPUT_TOKENS
    return min(SHORT_ANSWER_TOKENS, most), most, "limits"
