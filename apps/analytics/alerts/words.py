"""Rules and their values in words, for pages and mails. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from apps.analytics.alerts.models import AlertKind, AlertRule, AlertState, ComparedWith, Comparison
from apps.analytics.alerts.spec import RuleSpec, watched_metric
from apps.analytics.metrics import METRICS
from apps.analytics.wording import format_value
from apps.core.charts import Unit
from apps.core.formatting import format_number
from apps.runs.models import RunSource

UNITS: Final = {
    "count": Unit.COUNT,
    "tokens": Unit.COUNT,
    "share": Unit.SHARE,
    "usd": Unit.MONEY,
    "ms": Unit.DURATION,
    "score": Unit.SCORE,
}
UNKNOWN: Final = "unknown"
BADGES: Final = {
    AlertState.OK: ("match", "OK"),
    AlertState.WARN: ("differs", "Warning"),
    AlertState.ALERT: ("failed", "Alert"),
    AlertState.NO_DATA: ("pending", "No data"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """What prompts and keys are called now."""

    prompts: Mapping[UUID, str]
    keys: Mapping[UUID, str]


def window_words(minutes: int) -> str:
    """A length of time: "5 minutes", "1 hour", "3 days"."""
    for size, word in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0 and (minutes > size or size != 1440):
            count = minutes // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{minutes} minutes"


def rule_words(spec: RuleSpec) -> str:
    """What fires a rule, without its scope: "Error rate above 5 % over 1 hour"."""
    over = window_words(spec.window_minutes)
    if spec.kind == AlertKind.NO_DATA:
        return f"No calls for {over}"
    if spec.kind == AlertKind.DEGRADATION:
        return "A version got worse than it used to be"
    if spec.kind == AlertKind.QUOTA:
        return f"{_listed(spec.levels)} of the month's quota used"
    name = METRICS[spec.metric].words if spec.metric in METRICS else spec.metric
    if spec.kind == AlertKind.CHANGE:
        verb = "up" if spec.comparison == Comparison.ABOVE else "down"
        against = ComparedWith(spec.compared_with).label
        return f"{name} {verb} by more than {limit_words(spec, spec.value)} over {over}, against {against}"
    return f"{name} {spec.comparison} {limit_words(spec, spec.value)} over {over}"


def limit_words(spec: RuleSpec, value: Decimal | None) -> str:
    """A limit of a rule in its unit; that of a change without its sign."""
    if value is None:
        return ""
    if spec.kind == AlertKind.CHANGE:
        return _change_words(spec, abs(value))
    if METRICS[spec.metric].unit == "share":
        # As it was entered: not rounded.
        return f"{(value * 100 + 0).normalize():,f}\N{NO-BREAK SPACE}%"
    return _amount(spec, value)


def value_words(spec: RuleSpec, value: Decimal | None) -> str:
    """What a rule measured; "unknown" where nothing could be."""
    if value is None:
        return UNKNOWN
    if spec.kind == AlertKind.NO_DATA:
        return _counted(int(value), "call")
    if spec.kind == AlertKind.DEGRADATION:
        return _counted(int(value), "open incident")
    if spec.kind == AlertKind.QUOTA:
        return f"{Unit.SHARE.write(value)} used"
    if spec.kind == AlertKind.CHANGE:
        sign = "+" if value > 0 else "−" if value < 0 else ""
        return f"{sign}{_change_words(spec, abs(value))}"
    return _amount(spec, value)


def sample_words(spec: RuleSpec, sample: int | None) -> str:
    """How many calls a value is about; empty where that says nothing."""
    if sample is None or spec.kind not in (AlertKind.THRESHOLD, AlertKind.CHANGE):
        return ""
    return f"of {_counted(sample, 'score' if spec.metric == 'satisfaction' else 'call')}"


def scope_words(spec: RuleSpec, names: Names) -> list[tuple[str, str]]:
    """What narrows a rule, as pairs of a head and a name; what is gone says so."""
    scope = spec.scope
    pairs: list[tuple[str, str]] = []
    if scope.prompt_id:
        name = names.prompts.get(scope.prompt_id, "a deleted prompt")
        pairs.append(("Prompt", f"{name} v{scope.version_number}" if scope.version_number else name))
    if scope.label:
        pairs.append(("Label", scope.label))
    if scope.model:
        pairs.append(("Model", scope.model))
    if scope.api_key_id:
        pairs.append(("API key", names.keys.get(scope.api_key_id, "a deleted key")))
    if scope.source:
        pairs.append(("Source", str(dict(RunSource.choices).get(scope.source, scope.source))))
    if scope.sandbox:
        pairs.append(("Runs", "of the sandbox"))
    return pairs


def unit_of(spec: RuleSpec) -> Unit:
    """What the rule's values are measured in, for charts; changes are drawn in their metric's own unit."""
    metric = watched_metric(spec)
    return UNITS[metric.unit] if metric else Unit.COUNT


def state_words(rule: AlertRule) -> str:
    """The state as a badge says it; a rule that was never looked at says so."""
    if rule.evaluated_at is None:
        return "Not looked at yet"
    return BADGES[AlertState(rule.state)][1]


def _amount(spec: RuleSpec, value: Decimal) -> str:
    if spec.metric not in METRICS:
        return f"{value.normalize():f}"
    whole = value == value.to_integral_value()
    return format_value(spec.metric, int(value) if whole else value.normalize())


def _change_words(spec: RuleSpec, value: Decimal) -> str:
    # Two decimal places at most: a change is no exact figure.
    rounded = value.quantize(Decimal("0.01")) if value < 10 else value.quantize(Decimal(1))
    plain = f"{rounded.normalize():,f}"
    if METRICS[spec.metric].unit == "share":
        return f"{plain}\N{NO-BREAK SPACE}point{'' if plain == '1' else 's'}"
    return f"{plain}\N{NO-BREAK SPACE}%"


def _counted(count: int, noun: str) -> str:
    return f"{format_number(count)} {noun}{'' if count == 1 else 's'}"


def _listed(levels: Sequence[int]) -> str:
    words = [f"{level}\N{NO-BREAK SPACE}%" for level in levels]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
