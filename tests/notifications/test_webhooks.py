"""Webhooks from the change to the receiver: signatures, retries, rotation, turning off, and who is told."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.core import mail
from pytest_django import Settings
from standardwebhooks import Webhook, WebhookVerificationError

from apps.audit.actor import SYSTEM
from apps.audit.models import AuditEvent
from apps.core import outbox
from apps.core.errors import Conflict, InvalidRequest
from apps.core.ids import uuid7
from apps.core.scope import organization_scope, system_scope
from apps.notifications import fan_out, schedule, services
from apps.notifications.catalogue import EVENT_TYPES, TEST
from apps.notifications.deliverer import Deliverer
from apps.notifications.jobs import purge
from apps.notifications.models import DeliveryStatus, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.prompts import services as prompt_services
from apps.tenants.models import Project
from tests.batches.support import wait_until
from tests.factories import (
    TENANT_FACTORIES,
    make_api_key,
    make_background_run,
    make_project,
    make_prompt,
    make_webhook,
)
from tests.notifications.receiver import Receiver, listening, receiver
from tests.notifications.support import attempts, deliver, deliveries, pass_time, reload
from tests.runs.test_background import run_background_pump

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project()


def tell(project: Project, topic: str = "alert.fired", **facts: object) -> None:
    with organization_scope(project.organization_id):
        payload = {"id": "x", "project_id": project.public_id, "actor": SYSTEM.told(), **facts}
        outbox.write(topic, payload, project.organization_id)


def test_delivery__a_moved_label__arrives_signed_with_before_and_after(
    project: Project, receiver: Receiver
) -> None:
    prompt = make_prompt(project=project, name="team/reply", versions=2, labels={"production": 1})
    deliver()
    _, secret = make_webhook(project=project, url=receiver.url, event_types=["prompt.label.moved"])
    with organization_scope(project.organization_id):
        prompt_services.move_label(
            actor=SYSTEM, prompt=prompt, label="production", number=2, reason="Better."
        )

    assert deliver() == 1

    headers, body = receiver.got[0]
    event = Webhook(secret).verify(body, headers)
    assert re.fullmatch(r"evt_\w{26}", event["id"])
    assert (event["type"], event["project_id"]) == ("prompt.label.moved", project.public_id)
    assert event["data"] == {
        "object": {
            "object": "label",
            "prompt_id": prompt.public_id,
            "prompt": "team/reply",
            "label": "production",
            "version": 2,
            "reason": "Better.",
        },
        "previous": {"version": 1},
    }
    assert event["actor"] == {"type": "system", "id": None}
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", "promptsaas-webhooks/1")
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", headers)


def test_delivery__a_background_run__tells_its_figures_and_not_its_words(
    project: Project, receiver: Receiver
) -> None:
    make_webhook(project=project, url=receiver.url, event_types=["run.completed"])
    run = make_background_run(project=project, metadata={"ticket": "7"})
    run_background_pump()

    deliver()

    event = json.loads(receiver.got[0][1])
    told = event["data"]["object"]
    assert (event["type"], told["id"], told["status"]) == ("run.completed", run.public_id, "succeeded")
    assert (told["metadata"], told["background"]) == ({"ticket": "7"}, True)
    assert "Say something." not in receiver.got[0][1].decode()
    assert not {"content", "output"} & told.keys()


def test_fan_out__the_same_message_twice__is_one_delivery_an_endpoint(project: Project) -> None:
    endpoints = [make_webhook(project=project)[0] for _ in range(2)]
    payload = {"id": "x", "project_id": project.public_id}
    event = outbox.OutboxEvent(
        uuid7(), "alert.fired", payload, project.organization_id, project.created_at, 1
    )
    for _ in range(2):
        fan_out.hand_on(event)

    ids = [each.pk for endpoint in endpoints for each in deliveries(endpoint)]
    assert len(ids) == len(set(ids)) == 2


def test_fan_out__types_projects_and_endpoints_that_are_off__are_left_out(project: Project) -> None:
    other = TENANT_FACTORIES["tenants.Project"](project)
    assert isinstance(other, Project)
    all_events, _ = make_webhook(project=project)
    keys_only, _ = make_webhook(project=project, event_types=["key.created"])
    elsewhere, _ = make_webhook(project=other)
    foreign, _ = make_webhook(project=make_project())
    off, _ = make_webhook(project=project)
    with organization_scope(project.organization_id):
        services.update_endpoint(actor=SYSTEM, endpoint=off, enabled=False)

    make_api_key(project=project)
    tell(project)
    tell(project, "member.joined")
    tell(project, "prompt.renamed")
    outbox_runs_dry()

    told = {
        endpoint.pk: sorted(each.event_type for each in deliveries(endpoint))
        for endpoint in (all_events, keys_only, elsewhere, foreign, off)
    }
    assert told == {
        all_events.pk: ["alert.fired", "key.created", "member.joined"],
        keys_only.pk: ["key.created"],
        elsewhere.pk: ["member.joined"],
        foreign.pk: [],
        off.pk: [],
    }


def outbox_runs_dry() -> None:
    while outbox.relay():
        pass


def test_delivery__a_receiver_that_is_down_for_hours__gets_everything_once(
    project: Project, receiver: Receiver
) -> None:
    endpoint, secret = make_webhook(project=project, url=receiver.url)
    receiver.answers = [503]
    for _ in range(3):
        tell(project)
    passed = timedelta()
    while passed < timedelta(hours=3):
        deliver()
        pass_time(timedelta(minutes=30))
        passed += timedelta(minutes=30)
    assert {each.status for each in deliveries(endpoint)} == {DeliveryStatus.PENDING}
    assert reload(endpoint).failing_since is not None
    receiver.answers, receiver.got = [200], []
    pass_time(timedelta(hours=2))

    assert deliver() == 3
    assert deliver() == 0

    assert len(set(receiver.ids)) == 3
    assert all(Webhook(secret).verify(body, headers) for headers, body in receiver.got)
    assert {each.status for each in deliveries(endpoint)} == {DeliveryStatus.DELIVERED}
    assert reload(endpoint).failing_since is None


def test_delivery__what_the_receiver_answers__is_not_kept(project: Project, receiver: Receiver) -> None:
    endpoint, _ = make_webhook(project=project, url=receiver.url)
    receiver.answers = [500, 302, 200]
    tell(project)
    for _ in range(3):
        deliver()
        pass_time(timedelta(hours=1))

    (delivery,) = deliveries(endpoint)
    assert [(each.status, each.failure) for each in attempts(delivery)] == [
        (500, "status"),
        (None, "redirect_refused"),
        (200, ""),
    ]
    assert receiver.ids == [delivery.public_id] * 3
    with organization_scope(project.organization_id):
        columns = {field.name for field in WebhookAttempt._meta.get_fields()}
    assert columns == {
        *("id", "organization", "delivery", "started_at", "duration_ms", "status", "failure"),
    }


def test_delivery__addresses_inside_and_servers_that_are_away__fail_without_a_call(
    project: Project, receiver: Receiver, settings: Settings
) -> None:
    inside, _ = make_webhook(project=project, url=receiver.url)
    away, _ = make_webhook(project=project, url="https://nowhere.invalid/hook")
    settings.OUTBOUND_ALLOWED_HOSTS = []
    tell(project)

    deliver()

    failures = [attempts(each)[0].failure for endpoint in (inside, away) for each in deliveries(endpoint)]
    assert failures == ["address_refused", "address_refused"]
    assert receiver.got == []


def test_delivery__a_receiver_that_takes_too_long__is_tried_again(
    project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.notifications.sending.TIMEOUT_SECONDS", 0.2)
    endpoint, _ = make_webhook(project=project, url=receiver.url)
    receiver.slow = True
    tell(project)

    deliver()

    (delivery,) = deliveries(endpoint)
    assert (delivery.status, delivery.last_failure) == (DeliveryStatus.PENDING, "timeout")


def test_turn__a_slow_receiver__holds_up_nobody_else(
    project: Project, receiver: Receiver, settings: Settings
) -> None:
    slow, _ = make_webhook(project=project, url=receiver.url)
    receiver.slow = True
    deliverer = Deliverer()
    with listening(settings) as other:
        quick, _ = make_webhook(project=project, url=other.url)
        for _ in range(20):
            tell(project)
        outbox_runs_dry()
        try:
            assert deliverer.turn() == 2
            # Both are busy: a turn that comes meanwhile begins nothing.
            wait_until(lambda: len(other.got) == 20)
            wait_until(lambda: {each.status for each in deliveries(quick)} == {DeliveryStatus.DELIVERED})
            assert {each.status for each in deliveries(slow)} == {DeliveryStatus.PENDING}
            wait_until(lambda: len(receiver.got) == 8)
            assert deliverer.turn() == 0
        finally:
            receiver.hold.set()
            deliverer.close()


def test_delivery__a_whole_day_of_failures__turns_the_endpoint_off_and_tells_who_can_mend_it(
    project: Project, receiver: Receiver
) -> None:
    endpoint, _ = make_webhook(project=project, url=receiver.url)
    receiver.answers = [500]
    tell(project)
    for _ in range(schedule.MOST_ATTEMPTS):
        deliver()
        pass_time(timedelta(hours=10))

    endpoint = reload(endpoint)
    assert (endpoint.enabled, endpoint.disabled_reason) == (False, "failing")
    assert [message.subject for message in mail.outbox] == [f"Webhook turned off · {project.name}"]
    assert endpoint.public_id in mail.outbox[0].body
    (delivery,) = deliveries(endpoint)
    tried = len(receiver.got)
    assert tried <= schedule.MOST_ATTEMPTS
    receiver.answers = [200]
    with organization_scope(project.organization_id):
        services.update_endpoint(actor=SYSTEM, endpoint=endpoint, enabled=True)
        if delivery.status == DeliveryStatus.FAILED:
            services.resend(actor=SYSTEM, delivery=delivery)

    assert deliver() == 1
    assert deliveries(endpoint)[0].status == DeliveryStatus.DELIVERED


def test_delivery__410_gone__turns_the_endpoint_off_at_once(project: Project, receiver: Receiver) -> None:
    endpoint, _ = make_webhook(project=project, url=receiver.url)
    receiver.answers = [410]
    tell(project)

    deliver()

    assert reload(endpoint).disabled_reason == "gone"
    assert len(mail.outbox) == 1
    with organization_scope(project.organization_id), pytest.raises(Conflict):
        services.send_test(actor=SYSTEM, endpoint=reload(endpoint))


def test_schedule__its_waits__last_about_a_day() -> None:
    waits = [schedule.wait_after(number) for number in range(1, schedule.MOST_ATTEMPTS)]
    assert schedule.wait_after(schedule.MOST_ATTEMPTS) is None
    assert timedelta(hours=20) < sum((each for each in waits if each), timedelta()) < timedelta(hours=27)


def test_rotation__both_secrets__sign_for_a_day(
    project: Project, receiver: Receiver, settings: Settings
) -> None:
    endpoint, old = make_webhook(project=project, url=receiver.url)
    with organization_scope(project.organization_id):
        _, new = services.rotate_secret(actor=SYSTEM, endpoint=endpoint)
    tell(project)
    deliver()
    headers, body = receiver.got[0]
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)
    assert len(headers["webhook-signature"].split()) == 2

    with organization_scope(project.organization_id):
        WebhookEndpoint.objects.update(previous_secret_until=endpoint.created_at)
    tell(project)
    deliver()
    headers, body = receiver.got[1]
    assert Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


def test_secret__at_rest__is_sealed(project: Project) -> None:
    endpoint, secret = make_webhook(project=project)
    row = reload(endpoint)
    assert secret.startswith("whsec_")
    assert secret.encode() not in bytes(row.sealed_secret)
    assert row.secret_hint == secret[-4:]


def test_test_button__whatever_types_it_wants__sends_one_event(project: Project, receiver: Receiver) -> None:
    endpoint, secret = make_webhook(project=project, url=receiver.url, event_types=["key.created"])
    with organization_scope(project.organization_id):
        services.send_test(actor=SYSTEM, endpoint=endpoint)
    deliver()
    headers, body = receiver.got[0]
    assert Webhook(secret).verify(body, headers)["type"] == TEST


def test_resend__what_was_delivered__goes_out_again_with_the_same_id_and_body(
    project: Project, receiver: Receiver
) -> None:
    endpoint, _ = make_webhook(project=project, url=receiver.url)
    tell(project)
    deliver()
    (delivery,) = deliveries(endpoint)
    with organization_scope(project.organization_id):
        services.resend(actor=SYSTEM, delivery=delivery)
    deliver()

    (first, body), (second, again) = receiver.got
    assert (first["webhook-id"], body) == (second["webhook-id"], again)
    assert len(attempts(delivery)) == 2


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.example.com", "address_refused"),
        ("https://127.0.0.1/x", "address_refused"),
        ("https://localhost/x", "address_refused"),
        ("https://10.0.0.1/x", "address_refused"),
        ("https://user:pass@hooks.example.com/", "address_refused"),
        ("https://hooks.example.com:8443/", "address_refused"),
        ("ftp://hooks.example.com/", "address_refused"),
        ("no url", "address_refused"),
        ("https://hooks.example.com/#part", "url_invalid"),
        ("https://hooks.example.com/" + "x" * 2048, "url_invalid"),
    ],
)
def test_create__an_address_that_may_not_be_called__is_refused(project: Project, url: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as problem:
        make_webhook(project=project, url=url)
    assert (problem.value.code, problem.value.param) == (code, "url")


def test_create__unknown_types_and_one_too_many__are_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidRequest) as unknown:
        make_webhook(project=project, event_types=["key.created", "moon.rose"])
    assert unknown.value.code == "event_type_unknown"
    monkeypatch.setattr(services, "MOST_ENDPOINTS", 1)
    make_webhook(project=project)
    with pytest.raises(InvalidRequest) as many:
        make_webhook(project=project)
    assert many.value.code == "too_many_webhooks"


def test_changes__each__are_audited_without_the_path_of_the_address(project: Project) -> None:
    endpoint, _ = make_webhook(project=project, url="https://hooks.example.com/services/T0/secret")
    with organization_scope(project.organization_id):
        services.update_endpoint(actor=SYSTEM, endpoint=endpoint, url="https://hooks.example.com/b/secret")
        services.update_endpoint(actor=SYSTEM, endpoint=endpoint, description="")
        services.rotate_secret(actor=SYSTEM, endpoint=endpoint)
        services.send_test(actor=SYSTEM, endpoint=endpoint)
        services.delete_endpoint(actor=SYSTEM, endpoint=endpoint)
        found = list(AuditEvent.objects.filter(action__startswith="webhook.").order_by("pk"))
    actions = ["created", "updated", "secret_rotated", "tested", "deleted"]
    assert [each.action for each in found] == [f"webhook.{action}" for action in actions]
    assert "/secret" not in json.dumps([[each.changes, each.object_name] for each in found])
    assert deliveries(endpoint) == []


def test_purge__deliveries_of_more_than_a_month__go(project: Project) -> None:
    endpoint, _ = make_webhook(project=project)
    tell(project)
    outbox_runs_dry()
    assert purge() == 0
    with system_scope():
        WebhookDelivery.all_organizations.update(created_at=endpoint.created_at - timedelta(days=31))
    assert purge() == 1


def test_catalogue__topics_that_rooms_write__are_told_or_named_here() -> None:
    written = set()
    for path in (Path(__file__).resolve().parents[2] / "apps").rglob("*.py"):
        written |= set(re.findall(r'outbox\.write\(\s*"([\w.]+)"', path.read_text()))
    assert written <= {each.name for each in EVENT_TYPES} | {"prompt.serving.changed"}
