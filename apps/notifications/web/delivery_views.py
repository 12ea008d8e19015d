"""Pages of deliveries: the log, one delivery with what was sent, and sending it again."""

from typing import ClassVar, Final

import orjson
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect

from apps.core import rate_limits
from apps.core.crypto import SealBroken
from apps.core.errors import Conflict
from apps.notifications import queries, schedule, services
from apps.notifications.bodies import body_of
from apps.notifications.models import DeliveryStatus, WebhookDelivery
from apps.notifications.web.listing import DELIVERIES, delivery_rows
from apps.notifications.web.views import MANAGE, WebhooksPage

RESENDS_PER_MINUTE: Final = 60


class DeliveriesView(WebhooksPage):
    """What was sent in the last 30 days, and what waits."""

    permissions: ClassVar = {"GET": MANAGE}

    def get(self, request: HttpRequest, **_: str) -> HttpResponseBase:
        webhooks = list(queries.list_endpoints(self.project).order_by("url"))
        choices = {"webhook": [(each.public_id, each.url) for each in webhooks]}
        asked = DELIVERIES.read(request.GET, choices=choices)
        chosen = asked.filters
        found = queries.list_deliveries(
            self.project,
            endpoint=next((each for each in webhooks if each.public_id == chosen["webhook"]), None),
            status=chosen["status"],
            event_type=chosen["event"],
        )
        return self.list_page(DELIVERIES, asked, found, "notifications/deliveries.html", {})


class DeliveryView(WebhooksPage):
    """One delivery: what was sent, and every attempt. On its way, it is looked at again by itself."""

    permissions: ClassVar = {"GET": MANAGE}

    def get(self, request: HttpRequest, delivery: str, **_: str) -> HttpResponse:
        found = queries.get_delivery(self.project, delivery)
        part = request.headers.get("HX-Request") == "true" and request.GET.get("part") == "state"
        template = "notifications/delivery_state.html" if part else "notifications/delivery.html"
        context = {
            "delivery": found,
            "webhook": found.endpoint,
            "row": delivery_rows([found])[0],
            "attempts": list(queries.attempts_of(found)),
            "most_attempts": schedule.MOST_ATTEMPTS,
            # Before the first answer: it comes within seconds.
            "looks_again": found.status == DeliveryStatus.PENDING and not found.last_failure,
            **({} if part else {"body": _shown_body(found)}),
        }
        return self.render(template, context)


class ResendView(WebhooksPage):
    """Send a delivery once more."""

    permissions: ClassVar = {"POST": MANAGE}

    def post(self, request: HttpRequest, delivery: str, **_: str) -> HttpResponse:
        rate_limits.check("webhook_resend", str(self.project.id), RESENDS_PER_MINUTE, 60).enforce()
        found = queries.get_delivery(self.project, delivery)
        try:
            services.resend(actor=self.access.actor, delivery=found)
        except Conflict as problem:
            messages.error(request, problem.message)
        else:
            messages.info(request, "It is sent again now, with the same id and body.")
        return redirect(self.address("notifications:delivery", found.public_id))


def _shown_body(delivery: WebhookDelivery) -> str:
    try:
        return orjson.dumps(orjson.loads(body_of(delivery)), option=orjson.OPT_INDENT_2).decode()
    except SealBroken:
        return ""
