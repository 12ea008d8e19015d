"""Runs as operators count them: how many, how long, how many tokens, what they cost.

For customers' figures see the analytics room: those are exact and kept. These begin anew with each process
and show no customer's words: prompts are told by id, labels only if they are everybody's, models only if the
price list names them. Runs of the sandbox are counted apart.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from prometheus_client import Counter, Histogram

from apps.core import ids, tallies
from apps.core.metrics import OTHER, BoundedValues, counter, histogram
from apps.prompts.types import LATEST, PRODUCTION
from apps.providers.naming import listed_names
from apps.runs.types import PromptReference, RunRecord

NONE: Final = "none"
OPERATION: Final = "chat"
KNOWN_LABELS: Final = frozenset({PRODUCTION, LATEST, "staging", "development"})
MOST_MODELS: Final = 100
SECONDS: Final = tuple(0.01 * 2**power for power in range(14))
TOKENS: Final = tuple(4**power for power in range(14))

_GEN_AI: Final = ("gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model")

RUNS: Final = counter("promptsaas_runs", "Recorded runs.", ("prompt", "label", "status"))
SANDBOX_RUNS: Final = counter("promptsaas_sandbox_runs", "Recorded runs of the sandbox.", ("status",))
CACHED_RUNS: Final = counter("promptsaas_cached_runs", "Recorded runs that were answered from the cache.")
GUARDRAIL_HITS: Final = counter(
    "promptsaas_guardrail_hits",
    "What guardrails found in recorded runs, the sandbox's too.",
    ("kind", "side", "action"),
)
COST: Final = counter(
    "promptsaas_run_cost_usd", "What runs cost at their provider, in US dollars.", _GEN_AI[1:]
)
UNPRICED: Final = counter(
    "promptsaas_unpriced_runs", "Runs whose price is unknown, so that the cost lacks them.", _GEN_AI[1:]
)
DURATION: Final = histogram(
    "gen_ai_client_operation_duration_seconds",
    "Time of a run at its provider, with retries, in seconds; without sandbox and cached answers.",
    (*_GEN_AI, "error_type"),
    SECONDS,
)
TOKEN_USAGE: Final = histogram(
    "gen_ai_client_token_usage",
    "Tokens of a run, where the provider told them; without sandbox and cached answers.",
    (*_GEN_AI, "gen_ai_token_type"),
    TOKENS,
)

_prompts = BoundedValues("prompts", settings.METRICS_PROMPTS)
_models = BoundedValues("models", MOST_MODELS)


@dataclass(frozen=True, slots=True)
class _ModelSeries:
    """The series of one model, found once: a look-up by labels costs more than counting."""

    cost: Counter
    unpriced: Counter
    input_tokens: Histogram
    output_tokens: Histogram


_run_series: dict[tuple[str, str, str], Counter] = {}
_model_series: dict[tuple[str, str], _ModelSeries] = {}
_durations: dict[tuple[str, str, str], Histogram] = {}


def count_run(record: RunRecord) -> None:
    """Count a run that was recorded."""
    result = record.result
    for hit in result.guardrail_hits:
        GUARDRAIL_HITS.labels(hit["kind"], hit["side"], hit["action"]).inc()
    if result.sandbox:
        SANDBOX_RUNS.labels(result.status).inc()
        return
    key = (_prompt(record), _label(record.request.prompt), result.status)
    series = _run_series.get(key)
    if series is None:
        series = _run_series[key] = RUNS.labels(*key)
    tallies.count(series)
    if result.cached_from is not None:
        CACHED_RUNS.inc()
    else:
        _count_call(record)


def _count_call(record: RunRecord) -> None:
    result = record.result
    # Without the connection's name, which is the customer's.
    provider, model = _listed(record.address, result.model.partition("/")[2])
    series = _model_series.get((provider, model))
    if series is None:
        series = _model_series[provider, model] = _new_model_series(provider, model)
    duration = _duration(provider, model, result.error.code if result.error else "")
    tallies.observe(duration, result.latency_ms / 1000)
    if result.usage.input_tokens is not None:
        tallies.observe(series.input_tokens, result.usage.input_tokens)
    if result.usage.output_tokens is not None:
        tallies.observe(series.output_tokens, result.usage.output_tokens)
    if result.price is not None and result.price.amount is not None:
        tallies.count(series.cost, float(result.price.amount))
    elif record.charged:
        series.unpriced.inc()


def _prompt(record: RunRecord) -> str:
    prompt_id: UUID | None = record.prompt.prompt_id if record.prompt else None
    return _prompts.name(prompt_id, lambda: ids.encode("prm", prompt_id)) if prompt_id else NONE


def _label(reference: PromptReference | None) -> str:
    if reference is None:
        return NONE
    if reference.label is None:
        return "version"
    return reference.label if reference.label in KNOWN_LABELS else OTHER


def _listed(kind: str, model: str) -> tuple[str, str]:
    provider, name = listed_names(kind, model)
    kept = _models.name((provider, name), lambda: f"{provider}/{name}")
    return provider, OTHER if kept == OTHER else name


def _duration(provider: str, model: str, error: str) -> Histogram:
    found = _durations.get((provider, model, error))
    if found is None:
        found = _durations[provider, model, error] = DURATION.labels(OPERATION, provider, model, error)
    return found


def _new_model_series(provider: str, model: str) -> _ModelSeries:
    return _ModelSeries(
        COST.labels(provider, model),
        UNPRICED.labels(provider, model),
        TOKEN_USAGE.labels(OPERATION, provider, model, "input"),
        TOKEN_USAGE.labels(OPERATION, provider, model, "output"),
    )
