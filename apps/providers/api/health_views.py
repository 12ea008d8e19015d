"""``/api/v1/providers/{id}/health``: what the processes that call a connection told lately."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.providers import queries
from apps.providers.api.base import ProvidersAPIView
from apps.providers.health_board import UNKNOWN, ShownHealth, read_health
from apps.tenants.roles import Permission

STATES = ("unknown", "healthy", "unsteady", "failing", "recovering")


class ConnectionHealthSerializer(serializers.Serializer[Any]):
    """A connection's health over all processes, as far as it was told in the last seconds."""

    object = serializers.ChoiceField(choices=["provider_health"])
    connection_id = serializers.CharField()
    state = serializers.ChoiceField(
        choices=STATES,
        help_text="failing and recovering: its calls are held back. unsteady: a tenth of them fail. "
        "unknown: nothing was called lately, or nobody could tell.",
    )
    since = serializers.DateTimeField(allow_null=True)
    calls = serializers.IntegerField(help_text="Calls that ended in the last five minutes.")
    failures = serializers.IntegerField(help_text="Those that failed for the provider's sake.")
    failure_share = serializers.FloatField(
        allow_null=True, help_text="0 to 1; null where nothing was called."
    )
    last_error = serializers.CharField(allow_null=True, help_text="The provider's own words.")
    last_error_at = serializers.DateTimeField(allow_null=True)


class ConnectionHealthView(ProvidersAPIView):
    """The health of one connection."""

    permissions: ClassVar = {"GET": Permission.PROVIDERS_VIEW}
    # The processes' words are asked for outside of any scope.
    scoped: ClassVar = False

    @extend_schema(
        operation_id="get_provider_health", tags=["Providers"], responses=ConnectionHealthSerializer
    )
    def get(self, request: Request, connection: str) -> Response:
        """Whether its calls succeed now, and the last error. Without calls it is unknown."""
        with self.scope():
            found = queries.get_credential(self.project.id, connection)
        told = read_health(found.organization_id, [found.id]).get(found.id, UNKNOWN)
        return Response(health_body(found.public_id, told))


def health_body(connection_id: str, health: ShownHealth) -> dict[str, Any]:
    """A connection's health as the API shows it."""
    return {
        "object": "provider_health",
        "connection_id": connection_id,
        "state": health.state,
        "since": _moment(health.since),
        "calls": health.calls,
        "failures": health.failures,
        "failure_share": health.failure_share,
        "last_error": health.last_error or None,
        "last_error_at": _moment(health.last_error_at),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
