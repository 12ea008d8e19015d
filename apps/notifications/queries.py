"""Reads of webhooks, inside the organization's scope."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet

from apps.core.errors import NotFound
from apps.core.models import find
from apps.notifications.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.tenants.models import Project

STATE_ON, STATE_FAILING, STATE_OFF = "on", "failing", "off"


def list_endpoints(project: Project, *, search: str = "", state: str = "") -> "QuerySet[WebhookEndpoint]":
    """A project's endpoints, unordered; `state` is on, failing or off."""
    found = WebhookEndpoint.objects.filter(project=project)
    if search:
        found = found.filter(Q(url__icontains=search) | Q(description__icontains=search))
    states = {
        STATE_ON: Q(enabled=True, failing_since__isnull=True),
        STATE_FAILING: Q(enabled=True, failing_since__isnull=False),
        STATE_OFF: Q(enabled=False),
    }
    return found.filter(states[state]) if state in states else found


def state_of(endpoint: WebhookEndpoint) -> str:
    """On, failing or off."""
    if not endpoint.enabled:
        return STATE_OFF
    return STATE_FAILING if endpoint.failing_since else STATE_ON


def get_endpoint(project: Project, public_id: str) -> WebhookEndpoint:
    """One endpoint of a project. Raises NotFound."""
    found = find(WebhookEndpoint.objects.filter(project=project), public_id)
    if found is None:
        raise NotFound("There is no such webhook in this project.", code="webhook_not_found")
    return found


def list_deliveries(
    project: Project,
    *,
    endpoint: WebhookEndpoint | None = None,
    status: str = "",
    event_type: str = "",
) -> "QuerySet[WebhookDelivery]":
    """Deliveries of a project, or of one of its endpoints; unordered, with their endpoints."""
    ours = [endpoint] if endpoint else list(WebhookEndpoint.objects.filter(project=project).only("id"))
    found = WebhookDelivery.objects.filter(endpoint__in=ours).select_related("endpoint")
    plain = {"status": status, "event_type": event_type}
    return found.filter(**{name: value for name, value in plain.items() if value})


def get_delivery(project: Project, public_id: str) -> WebhookDelivery:
    """One delivery of a project, with its endpoint. Raises NotFound."""
    rows = WebhookDelivery.objects.filter(endpoint__project=project).select_related("endpoint")
    found = find(rows, public_id)
    if found is None:
        raise NotFound("There is no such delivery in this project.", code="delivery_not_found")
    return found


def attempts_of(delivery: WebhookDelivery) -> "QuerySet[WebhookAttempt]":
    """The attempts of a delivery, the newest first."""
    return WebhookAttempt.objects.filter(delivery=delivery).order_by("-pk")


def waiting_at(endpoints: Iterable[WebhookEndpoint]) -> dict[UUID, int]:
    """How many deliveries wait at each of some endpoints; one statement."""
    waiting = WebhookDelivery.objects.filter(endpoint__in=list(endpoints), status=DeliveryStatus.PENDING)
    rows = waiting.order_by().values("endpoint_id").annotate(rows=Count("pk"))
    return {row["endpoint_id"]: row["rows"] for row in rows}


def last_deliveries(endpoints: Iterable[WebhookEndpoint]) -> dict[UUID, WebhookDelivery]:
    """The newest delivery of each of some endpoints; two statements."""
    rows = WebhookDelivery.objects.filter(endpoint__in=list(endpoints)).order_by()
    newest = [row["newest"] for row in rows.values("endpoint_id").annotate(newest=Max("created_at"))]
    found = WebhookDelivery.objects.filter(endpoint__in=list(endpoints), created_at__in=newest)
    return {row.endpoint_id: row for row in found.order_by("pk")}
