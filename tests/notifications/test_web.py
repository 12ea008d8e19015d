"""The pages of webhooks: make, secret once, log, delivery, test, resend, rotate, turn off, delete."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.notifications.catalogue import EVENT_TYPES
from apps.notifications.models import WebhookEndpoint
from apps.notifications.web.examples import examples
from apps.tenants.models import Project
from tests.factories import make_project, make_webhook, owner_of
from tests.notifications.receiver import Receiver, receiver
from tests.notifications.support import deliver, deliveries, reload

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project()
    client.force_login(owner_of(project.organization))
    return project


@pytest.fixture
def room(project: Project) -> str:
    return f"/{project.organization.slug}/{project.slug}/settings/webhooks/"


def test_new__a_webhook__shows_its_secret_once(client: Client, room: str, receiver: Receiver) -> None:
    made = client.post(
        f"{room}new/", {"url": receiver.url, "description": "Shop", "event_types": ["key.created"]}
    )
    page = made.content.decode()
    (secret,) = set(re.findall(r"whsec_[A-Za-z0-9+/=]{40,}", page))
    assert made.headers["Cache-Control"] == "no-store"
    assert "standardwebhooks" in page

    listed = client.get(room).content.decode()
    assert receiver.url in listed
    assert secret not in listed
    (address,) = re.findall(r'href="([^"]+/whk_\w+/)"', listed)
    detail = client.get(address).content.decode()
    assert secret not in detail
    assert f"whsec_…{secret[-4:]}" in detail


@pytest.mark.parametrize("url", ["http://127.0.0.1/x", "", "https://intranet/x"])
def test_new__an_address_that_may_not_be_called__says_why_at_the_field(
    client: Client, room: str, url: str
) -> None:
    refused = client.post(f"{room}new/", {"url": url})
    assert refused.status_code == 422
    assert 'id="id_url_error"' in refused.content.decode()


def test_test_button__a_receiver_that_answers__is_seen_on_the_deliverys_page(
    client: Client, room: str, project: Project, receiver: Receiver
) -> None:
    webhook, _ = make_webhook(project=project, url=receiver.url)
    sent = client.post(f"{room}{webhook.public_id}/test/")
    address = sent.headers["location"]
    waiting = client.get(address).content.decode()
    assert "It is sent within seconds." in waiting
    assert 'hx-trigger="every 2s"' in waiting

    receiver.answers = [500, 200]
    deliver()
    part = client.get(f"{address}?part=state", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith("<section")
    assert ("Refused" in part, "every 2s" in part, "Next attempt" in part) == (True, False, True)

    client.post(f"{address}resend/")
    deliver()
    page = client.get(address).content.decode()
    assert "&quot;type&quot;: &quot;webhook.test&quot;" in page
    assert page.count('data-testid="attempt-row"') == 2
    log = client.get(f"{room}deliveries/?webhook={webhook.public_id}&status=delivered").content.decode()
    assert log.count('data-testid="delivery-row"') == 1


def test_webhook__edited_rotated_turned_off_and_deleted__by_its_page(
    client: Client, room: str, project: Project
) -> None:
    webhook, secret = make_webhook(project=project)
    address = f"{room}{webhook.public_id}/"
    client.post(f"{address}edit/", {"url": "https://new.example.com/x", "event_types": ["run.failed"]})
    assert (reload(webhook).url, reload(webhook).event_types) == ("https://new.example.com/x", ["run.failed"])
    assert "Make a new secret?" in client.get(f"{address}rotate/").content.decode()
    rotated = client.post(f"{address}rotate/").content.decode()
    assert "whsec_" in rotated
    assert secret not in rotated

    client.post(f"{address}enable/", {"enabled": "0"})
    assert reload(webhook).disabled_reason == "requested"
    refused = client.post(f"{address}test/", follow=True).content.decode()
    assert "This webhook is turned off." in refused
    client.post(f"{address}enable/", {"enabled": "1"})
    assert reload(webhook).enabled

    assert "Delete this webhook?" in client.get(f"{address}delete/").content.decode()
    client.post(f"{address}delete/")
    with pytest.raises(WebhookEndpoint.DoesNotExist):
        reload(webhook)
    assert deliveries(webhook) == []


def test_api__by_session__manages_webhooks_and_reads_deliveries(
    client: Client, project: Project, receiver: Receiver
) -> None:
    headers = {"Promptsaas-Project": project.public_id}
    options: dict[str, Any] = {"content_type": "application/json", "headers": headers}
    made = client.post("/api/v1/webhook_endpoints", {"url": receiver.url, "event_types": []}, **options)
    webhook = made.json()
    address = f"/api/v1/webhook_endpoints/{webhook['id']}"
    assert (made.status_code, webhook["secret"][:6], webhook["enabled"]) == (201, "whsec_", True)
    assert "secret" not in client.get(address, headers=headers).json()

    delivery = client.post(f"{address}/test", **options).json()
    deliver()
    one = client.get(f"/api/v1/webhook_deliveries/{delivery['id']}", headers=headers).json()
    assert (one["status"], one["last_status"], one["body"]["type"]) == ("delivered", 204, "webhook.test")
    assert [each["status"] for each in one["attempt_log"]] == [204]
    listed = client.get("/api/v1/webhook_deliveries?status=delivered", headers=headers).json()
    assert [each["id"] for each in listed["data"]] == [delivery["id"]]

    assert client.post(f"{address}/rotate_secret", **options).json()["secret"] != webhook["secret"]
    off = client.patch(address, {"enabled": False}, **options).json()
    assert (off["enabled"], off["disabled_reason"]) == (False, "requested")
    again = client.post(f"/api/v1/webhook_deliveries/{delivery['id']}/resend", **options)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "webhook_disabled")
    wrong = client.patch(address, {"url": "http://10.0.0.1/"}, **options)
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "url")
    assert client.delete(address, headers=headers).status_code == 204
    assert client.get(address, headers=headers).status_code == 404


def test_events__page_and_document__name_all_of_them_and_show_the_same_code(
    client: Client, room: str
) -> None:
    document = (Path(__file__).resolve().parents[2] / "docs/webhooks.md").read_text()
    page = client.get(f"{room}events/").content.decode()
    assert all(f"`{each.name}`" in document and f"<code>{each.name}</code>" in page for each in EVENT_TYPES)
    assert all(each.text in document for each in examples())
