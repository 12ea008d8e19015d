import pytest
from django.db import DatabaseError, transaction

from apps.audit import cutting, queries, sealing, services
from apps.audit.actor import SYSTEM
from apps.audit.models import AuditCut, AuditEvent, AuditSeal
from apps.core import ids
from apps.core.scope import organization_scope, system_scope


def _chain(length: int = 3) -> list[AuditEvent]:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        events = [
            services.record(actor=SYSTEM, action="test.done", organization_id=organization_id)
            for _ in range(length)
        ]
    sealing.seal_all()
    # Ids of one millisecond have no order, so the seals say which came first.
    with system_scope():
        seals = AuditSeal.all_organizations.filter(organization_id=organization_id).order_by("sequence")
        places = list(seals.values_list("event_id", flat=True))
    return sorted(events, key=lambda event: places.index(event.pk))


@pytest.mark.django_db
def test_cut__events_before_it__go_and_the_chain_verifies() -> None:
    first, _, third = _chain()
    owner = first.organization_id
    with system_scope():
        assert cutting.delete_cut_events(owner) == 0
        cutting.cut(owner, sequence=2)
        assert cutting.delete_cut_events(owner) == 2
        assert list(AuditEvent.all_organizations.filter(organization_id=owner)) == [third]
        assert AuditSeal.all_organizations.filter(organization_id=owner).count() == 3
        assert cutting.cut(owner, sequence=2) is None
    assert list(queries.verify()) == []


@pytest.mark.django_db
def test_cut__an_event_behind_it__is_refused_by_the_database() -> None:
    *_, last = _chain()
    with system_scope():
        cutting.cut(last.organization_id, sequence=2)
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            AuditEvent.all_organizations.filter(id=last.pk).delete()


@pytest.mark.django_db
def test_cut__without_the_key__does_not_explain_what_is_gone() -> None:
    first, *_ = _chain()
    with system_scope():
        AuditCut(organization_id=first.organization_id, sequence=1, hash=b"h" * 32, mac=b"m" * 32).save()
        AuditEvent.all_organizations.filter(id=first.pk).delete()
    assert [problem.what for problem in queries.verify()] == ["the event is gone"]
