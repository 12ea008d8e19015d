"""What a request asks of figures, read strictly: what isn't known is refused, and the parameter named."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from apps.analytics import periods, queries
from apps.analytics.dimensions import DIMENSIONS, NONE
from apps.analytics.metrics import METRICS
from apps.analytics.models import Grain
from apps.analytics.periods import INTERVALS, PRESETS, Period
from apps.analytics.queries import Asked
from apps.core.errors import InvalidRequest
from apps.core.numbers import whole_number
from apps.runs.models import RunSource
from apps.tenants.models import Project

DEFAULT_RANGE: Final = "24h"
FORMATS: Final = ("json", "csv")
FILTERS: Final[dict[str, str]] = {
    "prompt": "A prompt's name or id.",
    "version": "A version's id, or its number beside exactly one prompt.",
    "label": "The label that was asked for.",
    "model": "As <connection>/<model>.",
    "key": "An API key's id.",
    "source": "Where the runs came from.",
    "error": "An error's code. Takes only the metrics errors and error_rate.",
}


def metrics_parameter(default: str) -> OpenApiParameter:
    """Which metrics are asked for, as the API's document describes it."""
    schema = {"type": "array", "items": {"type": "string", "enum": list(METRICS)}, "maxItems": len(METRICS)}
    return OpenApiParameter(
        "metrics",
        schema,
        description=f"Separated by commas. Without it: {default}.",
        explode=False,
        style="form",
    )


def _repeated(name: str, description: str) -> OpenApiParameter:
    item: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 255}
    if name == "source":
        item = {"type": "string", "enum": list(RunSource.values)}
    schema = {"type": "array", "items": item, "maxItems": 20}
    none = "" if name in ("source", "model", "error") else f' "{NONE}" is runs without one.'
    return OpenApiParameter(name, schema, description=f"{description}{none} May be repeated.", explode=True)


PERIOD_PARAMETERS: Final = [
    OpenApiParameter("range", str, enum=list(PRESETS), description="Up to now. 24h by default."),
    OpenApiParameter(
        "from", datetime, description="RFC 3339. In place of range; rounded down to the interval."
    ),
    OpenApiParameter("to", datetime, description="RFC 3339. Now by default; rounded up to the interval."),
    OpenApiParameter(
        "interval",
        str,
        enum=list(INTERVALS),
        description="Chosen by the length if left out. Days are UTC days.",
    ),
]
SANDBOX_PARAMETER: Final = OpenApiParameter(
    "sandbox", bool, description="The sandbox's runs in place of the real ones; their prices are made up."
)
COMMON_PARAMETERS: Final = [
    *PERIOD_PARAMETERS,
    *[_repeated(name, description) for name, description in FILTERS.items()],
    OpenApiParameter(
        "group_by", str, enum=list(DIMENSIONS), description="error takes only errors and error_rate."
    ),
    OpenApiParameter("compare", bool, description="Also the figures of the period before. false by default."),
    SANDBOX_PARAMETER,
    OpenApiParameter("format", str, enum=list(FORMATS), description="json by default."),
]
COMMON_NAMES: Final = frozenset(parameter.name for parameter in COMMON_PARAMETERS) | {"metrics"}


def check_names(request: Request, names: Collection[str]) -> None:
    """Raise InvalidRequest for an unknown parameter: one that is ignored would give other figures."""
    for name in request.query_params:
        if name not in names:
            raise InvalidRequest(f"There is no parameter '{name[:64]}' here.", param=name[:64])


def asked_figures(request: Request, project: Project) -> Asked:
    """Period, filters and sandbox of a request. Raises InvalidRequest."""
    given = {name: request.query_params.getlist(name) for name in FILTERS}
    for name, values in given.items():
        if "" in values:
            raise InvalidRequest(f"{name} is empty. Leave it out, or narrow to something.", param=name)
    filters = queries.read_filters(project, given)
    return Asked(project.pk, asked_period(request, timezone.now()), filters, flag(request, "sandbox"))


def asked_period(request: Request, now: datetime) -> Period:
    """The period of `range`, or of `from` and `to`. Raises InvalidRequest."""
    interval = choice(request, "interval", list(INTERVALS))
    grain: Grain | None = INTERVALS[interval] if interval else None
    name, start, end = request.query_params.get("range"), _moment(request, "from"), _moment(request, "to")
    if start is None:
        if end is not None:
            raise InvalidRequest("to needs from beside it.", param="to")
        return periods.preset(DEFAULT_RANGE if name is None else name, now, grain)
    if name is not None:
        raise InvalidRequest("Give range, or from and to; not both.", param="range")
    return periods.between(start, now if end is None else end, now, grain)


def asked_metrics(request: Request, default: Sequence[str]) -> tuple[str, ...]:
    """The metrics in the order asked for, each once. Whether they exist is checked where they are used."""
    given = request.query_params.getlist("metrics")
    names = [name for text in given for name in text.split(",")]
    if len(names) > len(METRICS):
        raise InvalidRequest(f"There are only {len(METRICS)} metrics.", param="metrics")
    return tuple(dict.fromkeys(names)) or tuple(default)


def choice(request: Request, name: str, allowed: Sequence[str]) -> str | None:
    """A parameter with a list of values; None where it is left out. Raises InvalidRequest."""
    value = request.query_params.get(name)
    if value is not None and value not in allowed:
        raise InvalidRequest(f"{name} is one of {', '.join(allowed)}.", param=name)
    return value


def flag(request: Request, name: str) -> bool:
    """A parameter that is true or false, and false where it is left out. Raises InvalidRequest."""
    return choice(request, name, ("true", "false")) == "true"


def number(request: Request, name: str, default: int, largest: int) -> int:
    """A whole number from 1 up. Raises InvalidRequest."""
    value = whole_number(request.query_params.get(name, str(default)))
    if value is None or not 1 <= value <= largest:
        raise InvalidRequest(f"{name} is a whole number from 1 to {largest}.", param=name)
    return value


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    try:
        moment = parse_datetime(text)
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise InvalidRequest(f"{name} is a time with its zone, such as 2026-11-20T14:00:00Z.", param=name)
