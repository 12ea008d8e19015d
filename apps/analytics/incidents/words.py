"""Incidents in words, for pages, mails and the API. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from apps.analytics.incidents.changes import Change
from apps.analytics.incidents.models import ClosedBecause, DegradationRule, Incident
from apps.analytics.wording import format_value
from apps.core.formatting import format_number

# In which unit each metric is said, and what is drawn: a key of the catalogue of figures.
_SAID_AS: Final = {
    "error_rate": "error_rate",
    "schema_failures": "schema_failure_rate",
    "latency": "latency_p50",
    "cost": "cost_per_request",
    "feedback": "satisfaction",
}
RAREST: Final = 1e-9
_ENDS: Final = {
    ClosedBecause.RECOVERED: "It closed by itself: for a quarter of an hour it was as usual again.",
    ClosedBecause.QUIET: "It closed by itself: nobody called the version for an hour.",
    ClosedBecause.SETTLED: (
        "It closed by itself after 24 hours: nothing changed any more, so this is what is usual now."
    ),
    ClosedBecause.RULE: "It closed because the rule of the project was changed.",
}


def figure_key(metric: str) -> str:
    """The key of the metric in the catalogue of figures."""
    return _SAID_AS[metric]


def value_words(metric: str, value: float) -> str:
    """A value of a watched metric in its unit: "5.4 %", "820 ms", "$0.0042", "3.91 of 5"."""
    return format_value(_SAID_AS[metric], value)


def summary(incident: Incident) -> str:
    """What got worse: "Error rate of v7 up from 2.1 % to 5.4 %"."""
    before, now = (
        value_words(incident.metric, value) for value in (incident.before_value, incident.now_value)
    )
    direction = "down" if incident.now_value < incident.before_value else "up"
    return f"{incident.metric_name} of v{incident.version_number} {direction} from {before} to {now}"


def found_words(incident: Incident) -> str:
    """What was seen, with the numbers behind it."""
    now, before = (
        value_words(incident.metric, value) for value in (incident.now_value, incident.before_value)
    )
    of = {"feedback": "marks", "cost": "calls of known price", "latency": "answered calls"}.get(
        incident.metric, "calls"
    )
    what = {
        "error_rate": "{now} of {now_count} calls failed",
        "schema_failures": "{now} of {now_count} calls broke their output schema",
        "latency": "{now_count} answered calls took {now}, as a geometric mean",
        "cost": "{now_count} calls of known price cost {now} each",
        "feedback": "{now_count} marks were {now} on average",
    }[incident.metric].format(now=now, now_count=format_number(incident.now_count))
    compared = (
        "at this time of day" if incident.rule == DegradationRule.STATISTICAL else "in the 24 hours before"
    )
    return (
        f"In {incident.window_minutes} minutes, {what}. Usual {compared} is {before}"
        f" ({format_number(incident.before_count)} {of})."
    )


def chance_words(incident: Incident) -> str:
    """How surprising it was; empty under the simple rule."""
    if incident.score is None or incident.chance is None:
        return ""
    looks = round(1 / max(incident.chance, RAREST), -4)
    often = f"about once in {format_number(int(looks))} looks"
    if incident.chance < RAREST:
        often = "less than once in a billion looks"
    return f"{incident.score:.1f} standard deviations: by chance alone {often}."


def end_words(incident: Incident) -> str:
    """Why it is over; empty while it lasts."""
    return _ENDS[ClosedBecause(incident.closed_because)] if incident.closed_because else ""


@dataclass(frozen=True, slots=True)
class Fact:
    """What changed beside an incident, in words; `kind` and `target` say what a page may link it to."""

    at: datetime
    title: str
    text: str
    kind: str
    target: str


def facts(incident: Incident) -> list[Fact]:
    """What changed beside an incident, newest first. What isn't known (any more) is left out."""
    return [_fact(Change(**each)) for each in reversed(incident.changes)]


def _fact(change: Change) -> Fact:
    title, text = _FACTS[change.kind](change)
    return Fact(datetime.fromisoformat(change.at), title, text, change.kind, change.target or change.after)


def _version(change: Change) -> tuple[str, str]:
    return (
        f"v{change.after} was published",
        f"with {change.name}" if change.name else "with the default model",
    )


def _label(change: Change) -> tuple[str, str]:
    if change.action == "remove":
        return f"{change.name} was removed", f"from v{change.before}"
    verb = "rolled back" if change.action == "rollback" else "moved"
    came = f"from v{change.before} " if change.before else ""
    return f"{change.name} was {verb}", f"{came}to v{change.after}"


def _model(change: Change) -> tuple[str, str]:
    return f"{change.after} began to answer", f"before, it was mostly {change.before}"


def _connection(change: Change) -> tuple[str, str]:
    verbs = {"created": "added", "updated": "changed", "deleted": "deleted"}
    return f"Connection {change.name} was {verbs[change.action]}", ""


def _price(change: Change) -> tuple[str, str]:
    return f"The own price of {change.name} {change.action}", ""


def _default_model(change: Change) -> tuple[str, str]:
    return "The default model was changed", f"from {change.before or 'none'} to {change.after or 'none'}"


_FACTS: Final[dict[str, Callable[[Change], tuple[str, str]]]] = {
    "version": _version,
    "label": _label,
    "model": _model,
    "connection": _connection,
    "price": _price,
    "default_model": _default_model,
}
