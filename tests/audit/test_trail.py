import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections, transaction
from pytest_django import DjangoAssertNumQueries

from apps.audit import queries, sealing, services
from apps.audit.actor import SYSTEM, Actor
from apps.audit.models import AuditDetail, AuditEvent, AuditPending, AuditSeal
from apps.core import crypto, ids
from apps.core.change_readers import connection_parameters
from apps.core.scope import ScopeError, organization_scope, system_scope

ANN = Actor(
    kind="user", id=ids.uuid7(), role="owner", display="ann@example.com", ip="203.0.113.9", request_id="req_1"
)


@pytest.fixture(autouse=True)
def _cold_keys() -> None:
    crypto.forget_all_data_keys()


def recorded(organization_id: UUID, action: str = "prompt.created", **values: Any) -> AuditEvent:
    with organization_scope(organization_id):
        return services.record(actor=ANN, action=action, organization_id=organization_id, **values)


def as_owner(statement: str, *values: object) -> None:
    """Tamper with the tables as their owner, past grants and triggers."""
    settings = connections["owner"].settings_dict
    parameters = connection_parameters() | {"user": settings["USER"], "password": settings["PASSWORD"]}
    parameters = {name: value for name, value in parameters.items() if name != "options"}
    with psycopg.connect(**parameters) as owner:
        # FORCE row level security hides rows from their owner too, unless it is a superuser.
        for table in ("audit_auditevent", "audit_auditseal", "audit_auditdetail"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            owner.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        owner.execute(statement, values)
        for table in ("audit_auditevent", "audit_auditseal", "audit_auditdetail"):
            owner.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def problems() -> list[str]:
    return [problem.what for problem in queries.verify()]


@pytest.mark.django_db
def test_record__a_change__keeps_what_is_personal_out_of_the_event() -> None:
    organization_id = ids.uuid7()
    event = recorded(
        organization_id,
        changes={"name": ("old", "new"), "text": ("short", "x" * 300)},
        personal_changes={"email": ("a@example.com", "b@example.com")},
        target_name="greeting",
    )
    assert event.changes == {"name": ["old", "new"], "text": "long", "email": "personal"}
    assert (event.actor_kind, event.actor_id, event.actor_role) == ("user", ANN.id, "owner")
    assert event.object_name == "greeting"
    assert event.request_id == "req_1"
    with organization_scope(organization_id):
        person = queries.detail(event, AuditDetail.Part.PERSON)
        values = queries.detail(event, AuditDetail.Part.VALUES)
    assert person == {
        "display": "ann@example.com",
        "ip": "203.0.113.9",
        "changes": {"email": ["a@example.com", "b@example.com"]},
    }
    assert values == {"text": ["short", "x" * 300]}


@pytest.mark.django_db
def test_record__personal_part__lies_sealed_in_the_database() -> None:
    organization_id = ids.uuid7()
    recorded(organization_id)
    with system_scope(), connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, ' ') FROM (SELECT * FROM audit_auditdetail) t")
        details = cursor.fetchone()[0]
        cursor.execute("SELECT string_agg(t::text, ' ') FROM (SELECT * FROM audit_auditevent) t")
        events = cursor.fetchone()[0]
    assert "ann@example.com" not in details + events
    assert "203.0.113.9" not in details + events


@pytest.mark.django_db(transaction=True)
def test_record__change_rolled_back__leaves_no_event() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        services.record(actor=ANN, action="prompt.created", organization_id=organization_id)
        transaction.set_rollback(True)
    with system_scope():
        assert not AuditEvent.all_organizations.exists()
        assert not AuditPending.objects.exists()


@pytest.mark.django_db
def test_record__other_organization__is_refused_by_the_database() -> None:
    crypto.forget_all_data_keys()
    with organization_scope(ids.uuid7()), pytest.raises((ScopeError, DatabaseError)):
        services.record(actor=SYSTEM, action="prompt.created", organization_id=ids.uuid7())


@pytest.mark.django_db
def test_record__platform_event__needs_no_scope_and_is_hidden_from_organizations() -> None:
    services.record(actor=ANN, action="user.signed_in", organization_id=None)
    with organization_scope(ids.uuid7()):
        services.record(actor=ANN, action="user.signed_in", organization_id=None)
        assert not AuditEvent.all_organizations.exists()
    with system_scope():
        assert AuditEvent.all_organizations.count() == 2


@pytest.mark.django_db
def test_record_refused__inside_a_scope__is_refused() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id), pytest.raises(ScopeError):
        services.record_refused(
            actor=ANN, action="label.moved", organization_id=organization_id, reason="no permission"
        )


@pytest.mark.django_db(transaction=True)
def test_record_refused__after_the_rollback__stays() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        transaction.set_rollback(True)
    services.record_refused(actor=ANN, action="label.moved", organization_id=organization_id, reason="role")
    with organization_scope(organization_id):
        event = AuditEvent.objects.get()
    assert (event.outcome, event.changes) == ("refused", {"reason": [None, "role"]})


@pytest.mark.django_db
def test_record__any_event__costs_the_same(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        services.record(actor=SYSTEM, action="prompt.created", organization_id=organization_id)
        # Event and mark.
        with django_assert_num_queries(2):
            services.record(actor=SYSTEM, action="prompt.created", organization_id=organization_id)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement", ["UPDATE audit_auditevent SET action = 'x'", "DELETE FROM audit_auditevent"]
)
@pytest.mark.parametrize("scope", ["organization", "system"])
def test_events__changed_by_the_application__is_refused(statement: str, scope: str) -> None:
    organization_id = ids.uuid7()
    recorded(organization_id)
    opened = system_scope() if scope == "system" else organization_scope(organization_id)
    refusal = "permission denied|append-only"
    with pytest.raises(DatabaseError, match=refusal), opened, connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["audit_auditevent", "audit_auditseal"])
def test_events__truncated_by_the_application__is_refused(table: str) -> None:
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        system_scope(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"TRUNCATE {table}")


@pytest.mark.django_db(transaction=True)
def test_events__changed_by_the_owner__meets_the_trigger() -> None:
    settings = connections["owner"].settings_dict
    parameters = connection_parameters() | {"user": settings["USER"], "password": settings["PASSWORD"]}
    with psycopg.connect(**parameters) as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute("TRUNCATE audit_auditevent")


@pytest.mark.django_db(transaction=True)
def test_seal_pending__several_organizations__chains_each() -> None:
    first, second = ids.uuid7(), ids.uuid7()
    for organization_id in (first, second, first):
        recorded(organization_id)
    services.record(actor=ANN, action="user.signed_in", organization_id=None)
    assert sealing.seal_pending(limit=3) == 3
    assert sealing.seal_all() == 1
    with system_scope():
        places = set(AuditSeal.all_organizations.values_list("organization_id", "sequence"))
        assert not AuditPending.objects.exists()
    assert places == {(first, 1), (first, 2), (second, 1), (None, 1)}
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_seal_pending__another_sealer_at_work__leaves_it_alone() -> None:
    recorded(ids.uuid7())
    with psycopg.connect(**connection_parameters()) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [sealing.LOCK])
        assert sealing.seal_pending() == 0
    assert sealing.seal_pending() == 1


@pytest.mark.django_db(transaction=True)
def test_seal_pending__many_writers_at_once__verifies() -> None:
    organizations = [ids.uuid7() for _ in range(3)]

    def write(index: int) -> None:
        recorded(organizations[index % 3])
        if index % 7 == 0:
            sealing.seal_pending()
        connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(64)))
    sealing.seal_all()
    assert problems() == []
    assert sum(head.sequence for head in queries.heads()) == 64


def sealed_chain(length: int = 5) -> UUID:
    organization_id = ids.uuid7()
    for number in range(length):
        recorded(organization_id, changes={"number": (None, number)})
    sealing.seal_all()
    return organization_id


THIRD = "(SELECT event_id FROM audit_auditseal WHERE sequence = 3)"
TAMPERINGS = {
    "action changed": f"UPDATE audit_auditevent SET action = 'x' WHERE id = {THIRD}",
    "changes changed": f"UPDATE audit_auditevent SET changes = '{{}}' WHERE id = {THIRD}",
    "time changed": (
        f"UPDATE audit_auditevent SET occurred_at = occurred_at - interval '1 microsecond' WHERE id = {THIRD}"
    ),
    "event deleted": f"DELETE FROM audit_auditevent WHERE id = {THIRD}",
    "event and seal deleted": (
        "WITH gone AS (DELETE FROM audit_auditseal WHERE sequence = 3 RETURNING event_id)"
        " DELETE FROM audit_auditevent WHERE id IN (SELECT event_id FROM gone)"
    ),
    "seal deleted": "DELETE FROM audit_auditseal WHERE sequence = 3",
    "seal's hash changed": "UPDATE audit_auditseal SET hash = sha256(hash) WHERE sequence = 3",
    "seals renumbered": "UPDATE audit_auditseal SET sequence = 105 - sequence WHERE sequence IN (2, 3)",
    "event inserted": (
        "INSERT INTO audit_auditevent SELECT (jsonb_populate_record(e, jsonb_build_object('id',"
        " gen_random_uuid()))).* FROM audit_auditevent e LIMIT 1"
    ),
    "detail changed": (
        "UPDATE audit_auditdetail SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1)"
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", TAMPERINGS)
def test_audit_verify__tampered__names_the_first_bad_row(name: str) -> None:
    organization_id = sealed_chain()
    as_owner(TAMPERINGS[name])
    errors = StringIO()
    with pytest.raises(CommandError):
        call_command("audit_verify", stderr=errors)
    assert str(organization_id) in errors.getvalue()


@pytest.mark.django_db(transaction=True)
def test_audit_verify__random_tamperings__finds_every_one() -> None:
    chooser = random.Random(20261121)
    organization_id = sealed_chain(8)
    columns = ("action", "actor_role", "object_type", "object_id", "object_name", "request_id", "outcome")
    with organization_scope(organization_id):
        event_ids = [event.id for event in queries.events(organization_id)]
    for _ in range(25):
        event_id, column = chooser.choice(event_ids), chooser.choice(columns)
        as_owner(f"UPDATE audit_auditevent SET {column} = {column} || 'x' WHERE id = %s", event_id)
        assert [problem.event_id for problem in queries.verify()] == [event_id]
        as_owner(f"UPDATE audit_auditevent SET {column} = left({column}, -1) WHERE id = %s", event_id)
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_audit_verify__tail_cut_off__shows_against_kept_heads(tmp_path: Path) -> None:
    sealed_chain()
    kept = tmp_path / "heads.json"
    call_command("audit_verify", write_heads=kept, stdout=StringIO())
    as_owner(
        "WITH gone AS (DELETE FROM audit_auditseal WHERE sequence > 3 RETURNING event_id)"
        " DELETE FROM audit_auditevent WHERE id IN (SELECT event_id FROM gone)"
    )
    call_command("audit_verify", stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("audit_verify", heads=kept, stderr=StringIO())


@pytest.mark.django_db(transaction=True)
def test_audit_verify__event_waits_too_long__is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    event = recorded(ids.uuid7())
    assert problems() == []
    monkeypatch.setattr(queries, "LONGEST_WAIT", timedelta(0))
    assert [problem.event_id for problem in queries.verify()] == [event.id]


@pytest.mark.django_db(transaction=True)
def test_seal_pending__event_vanished_before__is_told_by_verify() -> None:
    event = recorded(ids.uuid7())
    as_owner("DELETE FROM audit_auditevent WHERE id = %s", event.id)
    assert sealing.seal_pending() == 0
    assert problems() == ["the event vanished before it was sealed"]


@pytest.mark.django_db(transaction=True)
def test_erase_person__sealed_trail__still_verifies_without_the_person() -> None:
    organization_id = sealed_chain(3)
    with organization_scope(organization_id):
        assert ANN.id is not None
        assert services.erase_person(actor=SYSTEM, subject_id=ANN.id, organization_id=organization_id) == 3
        event = queries.events(organization_id).last()
        assert event is not None
        assert queries.detail(event, AuditDetail.Part.PERSON) is None
    sealing.seal_all()
    assert problems() == []


@pytest.mark.django_db(transaction=True)
def test_verify__organization_shredded__still_holds() -> None:
    organization_id = sealed_chain(3)
    with organization_scope(organization_id):
        crypto.shred(organization_id)
    assert problems() == []
