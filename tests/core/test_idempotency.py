import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, transaction
from django.test import RequestFactory
from django.utils import timezone

from apps.core import changes, idempotency
from apps.core.errors import Conflict, IdempotencyMismatch, InvalidRequest
from apps.core.idempotency import Claim, StoredAnswer
from apps.core.models import Change, IdempotencyKey
from apps.core.scope import organization_scope, system_scope
from tests import factories

PRINT = b"p" * 32


@pytest.fixture
def organization_id() -> UUID:
    return factories.make_organization().id


def claim(organization_id: UUID, **values: object) -> Claim | StoredAnswer:
    given = {"owner": "key_1", "key": "abc", "fingerprint": PRINT} | values
    return idempotency.claim(organization_id=organization_id, **given)  # type: ignore[arg-type]


def effect(organization_id: UUID, **values: object) -> bool:
    """Do something once under a key; returns whether it was a replay."""
    with organization_scope(organization_id):
        found = claim(organization_id, **values)
        if isinstance(found, StoredAnswer):
            assert (found.status, found.body) == (201, b'{"id":1}')
            return True
        changes.append("effect", "done")
        idempotency.complete(found, status=201, body=b'{"id":1}')
        return False


def effects() -> int:
    with system_scope():
        return Change.objects.filter(kind="effect").count()


@pytest.mark.django_db
def test_claim__second_time__replays_the_answer(organization_id: UUID) -> None:
    assert [effect(organization_id) for _ in range(3)] == [False, True, True]
    assert effects() == 1


@pytest.mark.django_db
def test_claim__stored_body__lies_sealed(organization_id: UUID) -> None:
    effect(organization_id)
    with organization_scope(organization_id):
        assert b'"id"' not in bytes(IdempotencyKey.objects.get().sealed_body or b"")


@pytest.mark.django_db
def test_claim__other_request__is_refused(organization_id: UUID) -> None:
    effect(organization_id)
    with organization_scope(organization_id), pytest.raises(IdempotencyMismatch):
        claim(organization_id, fingerprint=b"q" * 32)
    assert effects() == 1


@pytest.mark.django_db
def test_claim__other_owner_or_organization__is_another_key(organization_id: UUID) -> None:
    assert not effect(organization_id)
    assert not effect(organization_id, owner="key_2")
    assert not effect(factories.make_organization().id)
    assert effects() == 3


@pytest.mark.django_db(transaction=True)
def test_claim__work_failed__stores_nothing(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        assert isinstance(claim(organization_id), Claim)
        transaction.set_rollback(True)
    assert not effect(organization_id)
    assert effects() == 1


@pytest.mark.django_db
def test_claim__after_a_day__starts_anew(organization_id: UUID) -> None:
    effect(organization_id)
    with organization_scope(organization_id):
        IdempotencyKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert not effect(organization_id, fingerprint=b"q" * 32)


@pytest.mark.django_db
def test_complete__reference__stores_no_body(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        found = claim(organization_id)
        assert isinstance(found, Claim)
        idempotency.complete(found, status=200, reference="run_1")
        assert claim(organization_id) == StoredAnswer(200, b"", "run_1")


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "schlüssel", "a\x00"])
def test_claim__malformed_key__is_refused(organization_id: UUID, key: str) -> None:
    with organization_scope(organization_id), pytest.raises(InvalidRequest):
        claim(organization_id, key=key)


@pytest.mark.django_db(transaction=True)
def test_claim__a_hundred_twins__one_effect(organization_id: UUID) -> None:
    def twin(_: int) -> bool:
        try:
            return effect(organization_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        replays = list(pool.map(twin, range(100)))
    assert replays.count(False) == 1
    assert effects() == 1


@pytest.mark.django_db(transaction=True)
def test_claim__twin_fails__the_waiting_one_does_the_work(organization_id: UUID) -> None:
    claimed, waiting = threading.Event(), threading.Event()

    def failing() -> None:
        with organization_scope(organization_id):
            claim(organization_id)
            claimed.set()
            waiting.wait(5)
            transaction.set_rollback(True)
        connection.close()

    thread = threading.Thread(target=failing)
    thread.start()
    claimed.wait(5)
    threading.Timer(0.05, waiting.set).start()
    assert not effect(organization_id)
    thread.join()
    assert effects() == 1


@pytest.mark.django_db(transaction=True)
def test_claim__twin_takes_longer_than_the_lock_timeout__is_a_conflict(organization_id: UUID) -> None:
    claimed, done = threading.Event(), threading.Event()

    def slow() -> None:
        with organization_scope(organization_id):
            claim(organization_id)
            claimed.set()
            done.wait(5)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    claimed.wait(5)
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '50ms'")
        with pytest.raises(Conflict) as caught:
            claim(organization_id)
    done.set()
    thread.join()
    assert (caught.value.code, caught.value.retry_after) == ("idempotency_key_in_use", 1)


@pytest.mark.django_db
def test_purge_expired__boundary__takes_exactly_the_due(organization_id: UUID) -> None:
    effect(organization_id, key="due")
    effect(organization_id, key="kept")
    with organization_scope(organization_id):
        IdempotencyKey.objects.filter(key="due").update(expires_at=timezone.now())
    assert idempotency.purge_expired() == 1
    with organization_scope(organization_id):
        assert IdempotencyKey.objects.get().key == "kept"


def test_request_fingerprint__json__depends_on_method_address_and_body() -> None:
    make = RequestFactory()
    seen = {
        idempotency.request_fingerprint(make.post("/a", b"1", content_type="application/json")),
        idempotency.request_fingerprint(make.post("/a", b"2", content_type="application/json")),
        idempotency.request_fingerprint(make.post("/b", b"1", content_type="application/json")),
        idempotency.request_fingerprint(make.post("/a?x=1", b"1", content_type="application/json")),
        idempotency.request_fingerprint(make.put("/a", b"1", content_type="application/json")),
    }
    assert len(seen) == 5


def test_request_fingerprint__form_with_file__does_not_depend_on_the_boundary() -> None:
    def fingerprint(content: bytes, boundary: str) -> bytes:
        make = RequestFactory()
        data = {"name": "x", "file": SimpleUploadedFile("rows.csv", content)}
        request = make.post("/a", data)
        old = request.META["CONTENT_TYPE"].partition("boundary=")[2]
        body = request.body.replace(old.encode(), boundary.encode())
        again = make.generic("POST", "/a", body, content_type=f"multipart/form-data; boundary={boundary}")
        found = idempotency.request_fingerprint(again)
        (file,) = again.FILES.getlist("file")
        assert file.read() == content
        return found

    assert fingerprint(b"a", "one") == fingerprint(b"a", "two")
    assert fingerprint(b"a", "one") != fingerprint(b"b", "one")
