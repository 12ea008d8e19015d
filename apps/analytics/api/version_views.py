"""``/api/v1/analytics/versions``: the versions of a prompt side by side."""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.analytics import efficiency, queries
from apps.analytics.api import asking, serializers
from apps.analytics.api.bodies import plain_values
from apps.analytics.dimensions import Filters
from apps.analytics.efficiency import Efficiency
from apps.analytics.freshness import rolled_up_until
from apps.analytics.metrics import METRICS
from apps.analytics.periods import WORDS
from apps.analytics.queries import Asked, Override, VersionFigures
from apps.core import ids
from apps.core.errors import InvalidRequest
from apps.prompts.models import PromptVersion
from apps.prompts.queries import find_prompt
from apps.tenants.api.base import ProjectAPIView
from apps.tenants.roles import Permission

NAMES: Final = frozenset(("prompt", "range", "from", "to", "interval", "sandbox", "limit"))
MOST_VERSIONS: Final = 100
MOST_OVERRIDES: Final = 500


class AnalyticsVersionsAPIView(ProjectAPIView):
    """The versions of one prompt."""

    permissions: ClassVar = {"GET": Permission.RUNS_VIEW}

    @extend_schema(
        operation_id="get_analytics_versions",
        tags=["Analytics"],
        parameters=[
            OpenApiParameter("prompt", str, required=True, description="A prompt's name or id."),
            *asking.PERIOD_PARAMETERS,
            asking.SANDBOX_PARAMETER,
            OpenApiParameter(
                "limit",
                {"type": "integer", "minimum": 1, "maximum": MOST_VERSIONS, "default": 20},
                description="How many versions, the newest first.",
            ),
        ],
        responses=serializers.AnalyticsVersionsSerializer,
        examples=[serializers.VERSIONS_EXAMPLE],
    )
    def get(self, request: Request) -> Response:
        """A prompt's newest versions that were called in the period or bear a label, every metric of each.

        Beside them stand the efficiency score with its parts, and the defaults that callers override. Cost
        and speed in the score compare the versions that are listed.
        """
        asking.check_names(request, NAMES)
        name = request.query_params.get("prompt", "")
        if not name:
            raise InvalidRequest("prompt is a prompt's name or id.", code="parameter_missing", param="prompt")
        period = asking.asked_period(request, timezone.now())
        sandbox = asking.flag(request, "sandbox")
        limit = asking.number(request, "limit", 20, MOST_VERSIONS)
        prompt = find_prompt(self.project, name)
        found = queries.versions(self.project.pk, prompt.pk, period, sandbox=sandbox, most=limit)
        asked = Asked(self.project.pk, period, Filters(prompts=(prompt.pk,)), sandbox)
        overrides = queries.overrides(asked, most=MOST_OVERRIDES)
        return Response(
            {
                "object": "analytics_versions",
                "prompt": prompt.name,
                "from": period.start,
                "to": period.end,
                "interval": WORDS[period.interval],
                "rolled_up_until": rolled_up_until(),
                "sandbox": sandbox,
                "formula": efficiency.FORMULA,
                "versions": [_version(each, overrides) for each in found],
            }
        )


def _version(version: VersionFigures, overrides: Sequence[Override]) -> dict[str, Any]:
    public_id = ids.encode(PromptVersion.PREFIX, version.version_id)
    return {
        "id": public_id,
        "version": version.number,
        "message": version.message,
        "created_at": version.created_at,
        "labels": version.labels,
        "values": plain_values(version.figures, tuple(METRICS)),
        "efficiency": _efficiency(version.efficiency),
        "overrides": [
            {
                "kind": each.kind,
                "name": each.name,
                "count": each.count,
                "share": each.share,
                "doubtful": each.doubtful,
            }
            for each in overrides
            if each.version.value == public_id
        ],
    }


def _efficiency(found: Efficiency) -> dict[str, Any]:
    return {
        "score": found.value,
        "n": found.n,
        "missing": found.missing or None,
        "parts": [
            {
                "key": part.key,
                "weight": part.weight,
                "value": part.value,
                "missing": part.missing or None,
            }
            for part in found.parts
        ],
    }
