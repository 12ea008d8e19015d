"""What a batch's rows will cost, told before they run: from a sample of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import orjson

from apps.batches.shapes.multi_row import entry_of
from apps.batches.shapes.splitting import split
from apps.batches.work import ChunkedWork, MultiRowWork, Work
from apps.core.errors import InvalidRequest
from apps.datasets.models import DatasetRow, DatasetVersion
from apps.prompts.rendering import render
from apps.prompts.types import ResolvedPrompt
from apps.providers import queries as provider_queries
from apps.providers import tokens
from apps.providers.alias_queries import alias_targets
from apps.providers.price_rules import PriceRule, rule_for
from apps.providers.pricing import Price, price
from apps.providers.types import Usage
from apps.runs.models import Run, RunStatus
from apps.runs.sources import TEST_MODEL

SAMPLE_ROWS: Final = 200
DEFAULT_OUTPUT_TOKENS: Final = 1_024
"""The longest answer under a cost cap where the prompt sets no maximum; it is sent to the provider."""

SHORT_ANSWER_TOKENS: Final = 4
LEAST_RUNS: Final = 20


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
class Calls:
    """Tokens that go out for one row, on average, and how many answers come back for it."""

    input_tokens: float
    answers: float


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


def estimate(
    prompt: ResolvedPrompt,
    dataset_version: DatasetVersion,
    model: Model,
    rows: int,
    parameters: Mapping[str, Any],
    work: Work,
    reduce: ResolvedPrompt | None = None,
) -> Estimate:
    """Tokens and cost of the first `rows` rows, from a sample of them.

    The answers' lengths count a call each, also where a call answers several rows or a row takes several.
    """
    calls = _calls(prompt, dataset_version, model, rows, work, reduce)
    low, high, basis = _output_tokens(prompt, {**prompt.parameters, **parameters}, work)
    made = rows * calls.answers
    given = -int(-calls.input_tokens * rows // 1)
    least, most = -int(-low * made // 1), -int(-high * made // 1)
    cheapest, dearest = model.price(given, least), model.price(given, most)
    return Estimate(
        rows=rows,
        status=dearest.status,
        low=cheapest.amount,
        high=dearest.amount,
        input_tokens=given,
        output_tokens_low=least,
        output_tokens_high=most,
        basis=basis,
    )


def together(estimates: Sequence[Estimate]) -> Estimate:
    """What several variants cost together; unknown as soon as one of them is."""
    first = estimates[0]
    if len(estimates) == 1:
        return first
    statuses = {each.status for each in estimates}
    lows = [each.low for each in estimates if each.low is not None]
    highs = [each.high for each in estimates if each.high is not None]
    known = len(highs) == len(lows) == len(estimates)
    return Estimate(
        rows=sum(each.rows for each in estimates),
        status=next(status for status in _STATUSES if status in statuses),
        low=sum(lows, Decimal(0)) if known else None,
        high=sum(highs, Decimal(0)) if known else None,
        input_tokens=sum(each.input_tokens for each in estimates),
        output_tokens_low=sum(each.output_tokens_low for each in estimates),
        output_tokens_high=sum(each.output_tokens_high for each in estimates),
        basis="runs" if {each.basis for each in estimates} == {"runs"} else "limits",
    )


# What decides what a sum means: one unknown amount makes it unknown.
_STATUSES: Final = ("unknown", "sandbox", "priced", "free", "none")


def most_output_tokens(parameters: Mapping[str, Any]) -> int | None:
    """The longest answer that the parameters allow, if they set a limit."""
    limits = [parameters.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return max((limit for limit in limits if isinstance(limit, int)), default=None)


def _calls(
    prompt: ResolvedPrompt,
    dataset_version: DatasetVersion,
    model: Model,
    rows: int,
    work: Work,
    reduce: ResolvedPrompt | None,
) -> Calls:
    sample = _sample(dataset_version, rows)
    told = orjson.dumps(prompt.tools).decode() if prompt.tools else ""
    beside = tokens.count(told, model.model_id)

    def size(variables: Mapping[str, Any]) -> int | None:
        try:
            messages = render(prompt.messages, prompt.variables, variables)
        except InvalidRequest:
            return None
        return tokens.count_messages(messages, model.model_id) + beside

    if isinstance(work, MultiRowWork):
        return _shared_calls(work, sample, size)
    if isinstance(work, ChunkedWork):
        return _piece_calls(work, sample, size, reduce, model)
    sizes = [found for variables in sample if (found := size(variables)) is not None]
    return Calls(sum(sizes) / len(sizes) if sizes else 0, 1)


Size = Callable[[Mapping[str, Any]], int | None]


def _shared_calls(work: MultiRowWork, sample: Sequence[dict[str, Any]], size: Size) -> Calls:
    """Calls as full as the rows of the sample allow."""
    if not sample:
        return Calls(0, 0)
    entries = [entry_of(str(number), variables) for number, variables in enumerate(sample, 1)]
    average = sum(tokens.count(orjson.dumps(each).decode(), "") for each in entries) / len(entries)
    held = int(max(1, min(work.rows_per_call, work.tokens_per_call // max(average, 1))))
    packs = [entries[first : first + held] for first in range(0, len(entries), held)]
    sizes = [found for pack in packs if (found := size({work.variable: pack})) is not None]
    return Calls(sum(sizes) / len(entries), len(packs) / len(entries))


def _piece_calls(
    work: ChunkedWork,
    sample: Sequence[dict[str, Any]],
    size: Size,
    reduce: ResolvedPrompt | None,
    model: Model,
) -> Calls:
    """A call for each piece and one for their answers, which are taken to be short."""
    given, answers = 0, 0
    frame = tokens.count_messages(reduce.messages, model.model_id) if reduce else 0
    for variables in sample:
        value = variables.get(work.variable)
        text = value if isinstance(value, str) else ""
        pieces = split(text, size=work.tokens, overlap=work.overlap)
        given += sum(size({**variables, work.variable: piece}) or 0 for piece in pieces)
        answers += len(pieces)
        if len(pieces) > 1:
            given += frame + len(pieces) * SHORT_ANSWER_TOKENS
            answers += 1
    return Calls(given / len(sample), answers / len(sample)) if sample else Calls(0, 0)


def _sample(dataset_version: DatasetVersion, rows: int) -> list[dict[str, Any]]:
    rows = min(rows, dataset_version.row_count)
    step = max(1, rows // SAMPLE_ROWS)
    numbers = list(range(1, rows + 1, step))[:SAMPLE_ROWS]
    sample = DatasetRow.objects.filter(dataset_version=dataset_version, number__in=numbers)
    return list(sample.order_by("number").values_list("variables", flat=True))


def _output_tokens(prompt: ResolvedPrompt, parameters: Mapping[str, Any], work: Work) -> tuple[int, int, str]:
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
