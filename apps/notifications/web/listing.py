"""The lists of webhooks and of deliveries: their columns, filters and files."""

from dataclasses import dataclass
from typing import Final

from apps.core.tables import Column, Filter, Table, register
from apps.notifications import queries
from apps.notifications.catalogue import EVENT_TYPES, TEST
from apps.notifications.models import DeliveryStatus, Failure, WebhookDelivery, WebhookEndpoint

STATES: Final = [
    (queries.STATE_ON, "On"),
    (queries.STATE_FAILING, "Failing"),
    (queries.STATE_OFF, "Off"),
]
# Badge and word of each state.
STATE_BADGES: Final = {
    queries.STATE_ON: ("active", "On"),
    queries.STATE_FAILING: ("differs", "Failing"),
    queries.STATE_OFF: ("cancelled", "Off"),
}
DELIVERY_BADGES: Final = {
    DeliveryStatus.PENDING: ("pending", "On its way"),
    DeliveryStatus.DELIVERED: ("completed", "Delivered"),
    DeliveryStatus.FAILED: ("failed", "Given up"),
}
RETRYING: Final = ("differs", "Retrying")


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook with what is to be said of it."""

    webhook: WebhookEndpoint
    state: str
    waiting: int
    last: WebhookDelivery | None

    @property
    def badge(self) -> tuple[str, str]:
        """Name and word of its badge."""
        return STATE_BADGES[self.state]

    @property
    def events(self) -> str:
        """What it is told of, in words."""
        names = self.webhook.event_types
        if not names:
            return "everything"
        return names[0] if len(names) == 1 else f"{len(names)} kinds of events"


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery with what is to be said of it."""

    delivery: WebhookDelivery
    webhook: WebhookEndpoint

    @property
    def badge(self) -> tuple[str, str]:
        """Name and word of its badge."""
        if self.delivery.status == DeliveryStatus.PENDING and self.delivery.last_failure:
            return RETRYING
        return DELIVERY_BADGES[DeliveryStatus(self.delivery.status)]

    @property
    def answer(self) -> str:
        """How the last attempt ended: the receiver's status, or why there is none."""
        if self.delivery.last_status is not None:
            return str(self.delivery.last_status)
        return Failure(self.delivery.last_failure).label if self.delivery.last_failure else ""


def webhook_rows(webhooks: list[WebhookEndpoint]) -> list[WebhookRow]:
    """Rows of the list; three statements however many."""
    waiting, last = queries.waiting_at(webhooks), queries.last_deliveries(webhooks)
    return [
        WebhookRow(each, queries.state_of(each), waiting.get(each.pk, 0), last.get(each.pk))
        for each in webhooks
    ]


def delivery_rows(deliveries: list[WebhookDelivery]) -> list[DeliveryRow]:
    """Rows of the list; they come with their webhooks."""
    return [DeliveryRow(each, each.endpoint) for each in deliveries]


WEBHOOKS: Final = register(
    Table[WebhookEndpoint, WebhookRow](
        key="webhooks",
        prefix=WebhookEndpoint.PREFIX,
        noun=("webhook", "webhooks"),
        search="Search webhooks",
        default_sort="-made",
        prepare=webhook_rows,
        filters=(Filter("state", "State", STATES),),
        columns=(
            Column("id", "Id", lambda row: row.webhook.public_id, export_only=True),
            Column("url", "URL", lambda row: row.webhook.url, sort="url", always=True),
            Column("description", "What for", lambda row: row.webhook.description, export_only=True),
            Column("events", "Told of", lambda row: row.webhook.event_types or ["everything"]),
            Column("state", "State", lambda row: row.state),
            Column("waiting", "Waiting", lambda row: row.waiting, numeric=True),
            Column("last", "Last event", lambda row: row.last.created_at if row.last else None),
            Column(
                "made",
                "Made",
                lambda row: row.webhook.created_at,
                sort="id",
                downwards=True,
                default=False,
            ),
        ),
    )
)

DELIVERIES: Final = register(
    Table[WebhookDelivery, DeliveryRow](
        key="deliveries",
        prefix=WebhookDelivery.PREFIX,
        noun=("delivery", "deliveries"),
        search="",
        default_sort="-created",
        prepare=delivery_rows,
        filters=(
            Filter("webhook", "Webhook"),
            Filter("status", "Status", DeliveryStatus.choices),
            Filter("event", "Event", [(name, name) for name in (*(e.name for e in EVENT_TYPES), TEST)]),
        ),
        columns=(
            Column("id", "Id", lambda row: row.delivery.public_id, export_only=True),
            Column("event", "Event", lambda row: row.delivery.event_type, always=True),
            Column("url", "Webhook", lambda row: row.webhook.url),
            Column("status", "Status", lambda row: row.delivery.status),
            Column("answer", "Answer", lambda row: row.answer),
            Column("attempts", "Attempts", lambda row: row.delivery.attempts, numeric=True),
            Column(
                "next",
                "Next attempt",
                lambda row: row.delivery.next_attempt_at,
                default=False,
            ),
            Column("created", "When", lambda row: row.delivery.created_at, sort="id", downwards=True),
        ),
    )
)
