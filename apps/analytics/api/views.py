"""``/api/v1/analytics/…``: figures of the project's runs, over time and of a period."""

from typing import ClassVar, Final

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.analytics import queries
from apps.analytics.api import asking, bodies, serializers
from apps.analytics.dimensions import DIMENSIONS
from apps.analytics.freshness import rolled_up_until
from apps.analytics.metrics import METRICS
from apps.analytics.queries.series import MOST_LINES, MOST_ROWS
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

TAGS: Final = ["Analytics"]
SERIES_METRICS: Final = ("requests", "error_rate", "cost", "latency_p95")
OF_ERRORS: Final = ("errors", "error_rate")
SERIES_NAMES: Final = asking.COMMON_NAMES | {"most"}
SUMMARY_NAMES: Final = asking.COMMON_NAMES | {"limit", "order_by"}


class AnalyticsSeriesAPIView(ProjectAPIView):
    """Metrics over time."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="get_analytics_series",
        tags=TAGS,
        parameters=[
            asking.metrics_parameter(", ".join(SERIES_METRICS)),
            *asking.COMMON_PARAMETERS,
            OpenApiParameter(
                "most",
                {"type": "integer", "minimum": 1, "maximum": MOST_LINES, "default": 8},
                description="How many groups get a line of their own; the rest is one line.",
            ),
        ],
        responses={
            (200, "application/json"): serializers.AnalyticsSeriesSerializer,
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=[serializers.SERIES_EXAMPLE],
    )
    def get(self, request: Request) -> Response | HttpResponse:
        """Any metrics over time, of everything or by one dimension, beside the period before if asked.

        What is unknown, and what there is nothing to measure of, is null; in CSV the words say which. With a
        cost comes unknown_price: how many requests it leaves out.
        """
        asking.check_names(request, SERIES_NAMES)
        group_by = asking.choice(request, "group_by", tuple(DIMENSIONS))
        asked = asking.asked_figures(request, self.project)
        metrics = bodies.with_what_is_missing(
            asking.asked_metrics(request, _default(group_by, asked, SERIES_METRICS))
        )
        kind = asking.choice(request, "format", asking.FORMATS)
        found = queries.series(
            asked,
            metrics,
            group_by=group_by,
            most=asking.number(request, "most", 8, MOST_LINES),
            compare=asking.flag(request, "compare"),
            with_points_before=group_by is None,
        )
        if kind == "csv":
            return bodies.download(bodies.series_csv(found, metrics), "series")
        return Response(bodies.series_body(asked, found, metrics, group_by, rolled_up_until()))


class AnalyticsSummaryAPIView(ProjectAPIView):
    """Metrics of a whole period."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="get_analytics_summary",
        tags=TAGS,
        parameters=[
            asking.metrics_parameter("all of them"),
            *asking.COMMON_PARAMETERS,
            OpenApiParameter(
                "order_by", str, enum=list(METRICS), description="What the largest groups are largest in."
            ),
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 10},
                description="How many groups get a row of their own; the rest is one row.",
            ),
        ],
        responses={
            (200, "application/json"): serializers.AnalyticsSummarySerializer,
            (200, "text/csv"): OpenApiTypes.STR,
        },
        examples=[serializers.SUMMARY_EXAMPLE],
    )
    def get(self, request: Request) -> Response | HttpResponse:
        """Any metrics of a whole period, errors by code, and with group_by its largest groups.

        What is unknown, and what there is nothing to measure of, is null; in CSV the words say which.
        """
        asking.check_names(request, SUMMARY_NAMES)
        group_by = asking.choice(request, "group_by", tuple(DIMENSIONS))
        asked = asking.asked_figures(request, self.project)
        metrics = bodies.with_what_is_missing(
            asking.asked_metrics(request, _default(group_by, asked, tuple(METRICS)))
        )
        kind = asking.choice(request, "format", asking.FORMATS)
        order_by = asking.choice(request, "order_by", tuple(METRICS)) or metrics[0]
        limit = asking.number(request, "limit", 10, MOST_ROWS)
        compare = asking.flag(request, "compare")
        if group_by:
            found, rows = queries.summary_by(
                asked, group_by, metrics, order_by=order_by, most=limit, compare=compare
            )
        else:
            found, rows = queries.summary(asked, metrics, compare=compare), ()
        if kind == "csv":
            return bodies.download(bodies.summary_csv(found, rows, metrics), "summary")
        return Response(bodies.summary_body(asked, found, rows, metrics, group_by, rolled_up_until()))


def _default(group_by: str | None, asked: queries.Asked, usual: tuple[str, ...]) -> tuple[str, ...]:
    """What is answered without `metrics`: all that can be split in the way that is asked for."""
    return OF_ERRORS if group_by == "error" or asked.filters.errors else usual
