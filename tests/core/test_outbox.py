from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from pytest_django import Settings

from apps.core import ids, outbox
from apps.core.models import OutboxMessage
from apps.core.outbox import OutboxEvent
from apps.core.scope import in_scope, organization_scope, system_scope

received: list[OutboxEvent] = []


def receive(event: OutboxEvent) -> None:
    """Wired below as a handler."""
    assert not in_scope()
    received.append(event)


def refuse(event: OutboxEvent) -> None:
    """Wired below as a handler."""
    raise ConnectionError("the receiver is away")


@pytest.fixture(autouse=True)
def _wired(settings: Settings) -> None:
    received.clear()
    settings.OUTBOX_HANDLERS = {
        "prompt.": "tests.core.test_outbox.receive",
        "broken.": "tests.core.test_outbox.refuse",
    }


def messages() -> list[OutboxMessage]:
    with system_scope():
        return list(OutboxMessage.objects.order_by("id"))


@pytest.mark.django_db
def test_relay__message_written__is_handed_on_once() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        outbox.write("prompt.label.moved", {"id": "prm_1"}, organization_id)
    assert outbox.relay() == 1
    assert outbox.relay() == 0
    assert [(event.topic, event.payload, event.organization_id, event.attempt) for event in received] == [
        ("prompt.label.moved", {"id": "prm_1"}, organization_id, 1)
    ]
    assert messages() == []


@pytest.mark.django_db
def test_write__no_organization__needs_no_scope() -> None:
    outbox.write("prompt.x", {}, None)
    assert outbox.relay() == 1


@pytest.mark.django_db
def test_write__other_organization__is_refused_by_the_database() -> None:
    with pytest.raises(DatabaseError), organization_scope(ids.uuid7()):
        outbox.write("prompt.x", {}, ids.uuid7())


@pytest.mark.django_db
def test_outbox__read_by_the_application__is_refused() -> None:
    with pytest.raises(DatabaseError, match="permission denied"), organization_scope(ids.uuid7()):
        OutboxMessage.objects.count()


@pytest.mark.django_db
def test_relay__nobody_listens__is_done() -> None:
    outbox.write("unheard.topic", {}, None)
    assert outbox.relay() == 1
    assert messages() == []


@pytest.mark.django_db
def test_relay__handler_fails__tries_again_later_and_gives_up_in_the_end() -> None:
    outbox.write("broken.topic", {}, None)
    outbox.write("prompt.x", {}, None)
    assert outbox.relay() == 1
    (message,) = messages()
    assert message.attempts == 1
    assert message.due_at > timezone.now()
    assert message.last_error == "ConnectionError: the receiver is away"
    assert message.failed_at is None
    with system_scope():
        OutboxMessage.objects.update(attempts=outbox.MOST_ATTEMPTS - 1, due_at=timezone.now())
    outbox.relay()
    (message,) = messages()
    assert message.failed_at is not None
    outbox.retry_messages(message_ids=[message.id])
    (message,) = messages()
    assert (message.failed_at, message.attempts) == (None, 0)


@pytest.mark.django_db(transaction=True)
def test_relay__several_relays__each_message_once() -> None:
    for number in range(40):
        outbox.write("prompt.x", {"number": number}, None)

    def relay(_: int) -> int:
        try:
            return outbox.relay(limit=7)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        total = sum(pool.map(relay, range(16)))
    assert total == 40
    assert sorted(event.payload["number"] for event in received) == list(range(40))


@pytest.mark.django_db(transaction=True)
def test_write__rolled_back__is_never_handed_on() -> None:
    with transaction.atomic():
        outbox.write("prompt.x", {}, None)
        transaction.set_rollback(True)
    assert outbox.relay() == 0


def test_wait_before_attempt__any__grows_to_an_hour() -> None:
    assert timedelta(seconds=1) <= outbox.wait_before_attempt(1) <= timedelta(seconds=2)
    assert timedelta(minutes=30) <= outbox.wait_before_attempt(20) <= timedelta(hours=1)
