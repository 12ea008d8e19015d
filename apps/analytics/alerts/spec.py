"""What a rule asks, apart from its row: it can be tried before it is saved, and is checked in one place."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from apps.analytics.alerts.evaluation import Limits
from apps.analytics.alerts.models import AlertKind, AlertRule, ComparedWith, Comparison
from apps.analytics.dimensions import Filters
from apps.analytics.metrics import METRICS, Metric
from apps.analytics.models import Grain
from apps.core.errors import InvalidRequest

WINDOWS: Final = (5, 15, 30, 60, 180, 360, 720, 1440, 4320, 10080)
QUOTA_LEVELS: Final = (50, 80, 100)
MOST_VALUE: Final = Decimal(10) ** 12
SHIFTS: Final = {ComparedWith.DAY: timedelta(days=1), ComparedWith.WEEK: timedelta(days=7)}
HOUR, DAY = 60, 1440


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls a rule is about; empty values narrow nothing. `sandbox` means the sandbox's calls alone."""

    prompt_id: UUID | None = None
    version_id: UUID | None = None
    version_number: int | None = None
    label: str = ""
    model: str = ""
    api_key_id: UUID | None = None
    source: str = ""
    sandbox: bool = False

    def filters(self) -> Filters:
        """The scope as the figures take it."""
        return Filters(
            prompts=(self.prompt_id,) if self.prompt_id else (),
            versions=(self.version_id,) if self.version_id else (),
            labels=(self.label,) if self.label else (),
            models=(self.model,) if self.model else (),
            keys=(self.api_key_id,) if self.api_key_id else (),
            sources=(self.source,) if self.source else (),
        )


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """What is watched and when it is too much; units and signs are those of `AlertRule`."""

    kind: AlertKind
    metric: str = ""
    scope: Scope = field(default_factory=Scope)
    comparison: Comparison = Comparison.ABOVE
    value: Decimal | None = None
    warn_value: Decimal | None = None
    window_minutes: int = HOUR
    compared_with: str = ""
    minimum_sample: int = 1
    levels: tuple[int, ...] = ()
    renotify_hours: int | None = None

    @property
    def grain(self) -> Grain:
        """How often the rule is looked at: each five minutes; each hour where it reaches far back."""
        far = self.window_minutes >= DAY or self.compared_with in SHIFTS
        return Grain.HOUR if far else Grain.FIVE_MINUTES

    @property
    def window(self) -> timedelta:
        """How long the time is that a value is measured in."""
        return timedelta(minutes=self.window_minutes)

    @property
    def shift(self) -> timedelta | None:
        """How much earlier the time lies that a change is measured against; None where it isn't one."""
        if self.kind != AlertKind.CHANGE:
            return None
        return SHIFTS.get(ComparedWith(self.compared_with), self.window)

    @property
    def limits(self) -> Limits:
        """What the state machine goes by."""
        remind = timedelta(hours=self.renotify_hours) if self.renotify_hours else None
        if self.kind == AlertKind.NO_DATA:
            return Limits(Comparison.BELOW, Decimal(1), minimum_sample=0, remind_every=remind)
        if self.kind == AlertKind.DEGRADATION:
            return Limits(Comparison.ABOVE, Decimal(0), minimum_sample=0, remind_every=remind)
        # A count is known even where there were no calls: it is 0.
        counted = self.kind == AlertKind.THRESHOLD and METRICS[self.metric].unit == "count"
        least = 0 if counted else self.minimum_sample
        return Limits(self.comparison, self.value or Decimal(0), self.warn_value, least, remind)


def spec_of(rule: AlertRule) -> RuleSpec:
    """What a saved rule asks."""
    return RuleSpec(
        kind=AlertKind(rule.kind),
        metric=rule.metric,
        scope=Scope(
            prompt_id=rule.prompt_id,
            version_id=rule.version_id,
            version_number=rule.version_number,
            label=rule.label,
            model=rule.model,
            api_key_id=rule.api_key_id,
            source=rule.source,
            sandbox=rule.sandbox,
        ),
        comparison=Comparison(rule.comparison),
        value=rule.value,
        warn_value=rule.warn_value,
        window_minutes=rule.window_minutes,
        compared_with=rule.compared_with,
        minimum_sample=rule.minimum_sample,
        levels=tuple(rule.levels),
        renotify_hours=rule.renotify_hours,
    )


def columns_of(spec: RuleSpec) -> dict[str, object]:
    """The row's columns that hold a specification."""
    scope = spec.scope
    return {
        "kind": spec.kind,
        "metric": spec.metric,
        "prompt_id": scope.prompt_id,
        "version_id": scope.version_id,
        "version_number": scope.version_number,
        "label": scope.label,
        "model": scope.model,
        "api_key_id": scope.api_key_id,
        "source": scope.source,
        "sandbox": scope.sandbox,
        "comparison": spec.comparison,
        "value": spec.value,
        "warn_value": spec.warn_value,
        "window_minutes": spec.window_minutes,
        "compared_with": spec.compared_with,
        "minimum_sample": spec.minimum_sample,
        "levels": list(spec.levels),
        "renotify_hours": spec.renotify_hours,
    }


def watched_metric(spec: RuleSpec) -> Metric | None:
    """The metric that a rule measures; None where it measures none."""
    return METRICS.get(spec.metric) if spec.kind in (AlertKind.THRESHOLD, AlertKind.CHANGE) else None


def checked(spec: RuleSpec) -> RuleSpec:
    """The specification with what its kind does not use left out.

    Raises InvalidRequest (code alert_rule_invalid) naming the field that can't be.
    """
    check = {
        AlertKind.THRESHOLD: _measured,
        AlertKind.CHANGE: _measured,
        AlertKind.NO_DATA: _silence,
        AlertKind.DEGRADATION: _degradation,
        AlertKind.QUOTA: _quota,
    }[spec.kind]
    return check(spec)


def _measured(spec: RuleSpec) -> RuleSpec:
    if spec.metric not in METRICS:
        raise _invalid("metric", "Choose a metric that there is.")
    if spec.value is None:
        raise _invalid("value", "Enter the value at which the rule fires.")
    for name in ("value", "warn_value"):
        amount = getattr(spec, name)
        if amount is not None and not (amount.is_finite() and abs(amount) <= MOST_VALUE):
            raise _invalid(name, f"Enter a number up to {MOST_VALUE:,}.")
    _check_direction(spec)
    if spec.warn_value is not None and not _warns_before(spec.comparison, spec.warn_value, spec.value):
        falls = spec.comparison == Comparison.BELOW and spec.kind == AlertKind.THRESHOLD
        side = "above" if falls else "below"
        raise _invalid("warn_value", f"A warning comes before the alert: its value lies {side} the alert's.")
    if spec.minimum_sample < 1:
        raise _invalid("minimum_sample", "The least number of calls is 1.")
    _check_window(spec)
    compared = spec.compared_with if spec.kind == AlertKind.CHANGE else ""
    return replace(spec, compared_with=compared, levels=())


def _check_direction(spec: RuleSpec) -> None:
    """A change is how far something rises or falls: no change at all would always be too much."""
    if spec.kind != AlertKind.CHANGE:
        return
    sign = -1 if spec.comparison == Comparison.BELOW else 1
    for name in ("value", "warn_value"):
        amount = getattr(spec, name)
        if amount is not None and amount * sign <= 0:
            raise _invalid(name, "Enter by how much it changes: a number above 0.")


def _warns_before(comparison: str, warn_value: Decimal, value: Decimal) -> bool:
    return warn_value < value if comparison == Comparison.ABOVE else warn_value > value


def _check_window(spec: RuleSpec) -> None:
    if spec.window_minutes not in WINDOWS:
        raise _invalid("window_minutes", f"The window is one of {', '.join(map(str, WINDOWS))} minutes.")
    if spec.kind != AlertKind.CHANGE:
        return
    if spec.compared_with not in set(ComparedWith):
        raise _invalid("compared_with", "Choose what the change is measured against.")
    if spec.compared_with in SHIFTS and not HOUR <= spec.window_minutes <= DAY:
        raise _invalid(
            "window_minutes", "Against a day or a week before, the window is from 1 hour to 24 hours."
        )


def _silence(spec: RuleSpec) -> RuleSpec:
    _check_window(spec)
    return replace(
        spec, metric="requests", value=None, warn_value=None, compared_with="", minimum_sample=1, levels=()
    )


def _degradation(spec: RuleSpec) -> RuleSpec:
    scope = Scope(prompt_id=spec.scope.prompt_id)
    return replace(spec, **_NOTHING_MEASURED, scope=scope, levels=())


def _quota(spec: RuleSpec) -> RuleSpec:
    levels = tuple(sorted(set(spec.levels)))
    if not levels or any(level not in QUOTA_LEVELS for level in levels):
        raise _invalid("levels", "Choose at least one of 50, 80 and 100 percent.")
    return replace(spec, **_NOTHING_MEASURED, scope=Scope(), levels=levels, renotify_hours=None)


_NOTHING_MEASURED: Final[dict[str, Any]] = {
    "metric": "",
    "value": None,
    "warn_value": None,
    "compared_with": "",
    "minimum_sample": 1,
    "window_minutes": HOUR,
    "comparison": Comparison.ABOVE,
}


def _invalid(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, code="alert_rule_invalid", param=param)
