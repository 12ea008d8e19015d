"""Rows of webhooks."""

from apps.tenants.roles import Permission
from tests.access.matrix import Route, public_id

_ROOM = "<slug:organization>/<slug:project>/settings/webhooks/"
_DELIVERY = f"{_ROOM}deliveries/<str:delivery>/"
_WEBHOOK = f"{_ROOM}<str:webhook>/"
_API = "api/v1/webhook_endpoints"
_MANAGE = Permission.WEBHOOKS_MANAGE

FILLS = {
    "webhook": lambda project: public_id("notifications.WebhookEndpoint", project),
    "delivery": lambda project: public_id("notifications.WebhookDelivery", project),
}

ROUTES = (
    Route("GET", _API, _MANAGE),
    Route("POST", _API, _MANAGE),
    Route("GET", f"{_API}/<str:webhook>", _MANAGE),
    Route("PATCH", f"{_API}/<str:webhook>", _MANAGE),
    Route("DELETE", f"{_API}/<str:webhook>", _MANAGE),
    Route("POST", f"{_API}/<str:webhook>/rotate_secret", _MANAGE),
    Route("POST", f"{_API}/<str:webhook>/test", _MANAGE),
    Route("GET", "api/v1/webhook_deliveries", _MANAGE),
    Route("GET", "api/v1/webhook_deliveries/<str:delivery>", _MANAGE),
    Route("POST", "api/v1/webhook_deliveries/<str:delivery>/resend", _MANAGE),
    Route("GET", _ROOM, _MANAGE),
    Route("GET", f"{_ROOM}new/", _MANAGE),
    Route("POST", f"{_ROOM}new/", _MANAGE),
    Route("GET", f"{_ROOM}events/", _MANAGE),
    Route("GET", f"{_ROOM}deliveries/", _MANAGE),
    Route("GET", _DELIVERY, _MANAGE),
    Route("POST", f"{_DELIVERY}resend/", _MANAGE),
    Route("GET", _WEBHOOK, _MANAGE),
    Route("GET", f"{_WEBHOOK}edit/", _MANAGE),
    Route("POST", f"{_WEBHOOK}edit/", _MANAGE),
    Route("GET", f"{_WEBHOOK}rotate/", _MANAGE),
    Route("POST", f"{_WEBHOOK}rotate/", _MANAGE),
    Route("POST", f"{_WEBHOOK}enable/", _MANAGE),
    Route("POST", f"{_WEBHOOK}test/", _MANAGE),
    Route("GET", f"{_WEBHOOK}delete/", _MANAGE),
    Route("POST", f"{_WEBHOOK}delete/", _MANAGE),
)
