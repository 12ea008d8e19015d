"""The ledger's statement: what counts, what repeats, what conflicts."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from uuid import UUID

import pytest
from django.db import connection, connections

from apps.billing import ledger
from apps.billing.models import UsageEvent, UsageKey
from apps.core.ids import uuid7
from apps.core.partitions import ensure_partitions, overflowing, partitions_ahead
from apps.core.scope import organization_scope, system_scope
from tests.factories import make_organization

pytestmark = pytest.mark.django_db(transaction=True)


def usage(organization_id: UUID, key: str, quantity: int = 1, meter: str = "runs") -> ledger.UsageRow:
    return ledger.UsageRow(
        organization_id=organization_id,
        key=key,
        meter=meter,
        source_kind="run",
        source_id=uuid7(),
        occurred_at=datetime.now(UTC),
        quantity=Decimal(quantity),
    )


def record(*rows: ledger.UsageRow) -> list[str]:
    """The outcome of each row, in the order given."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(ledger.RECORD, ledger.usage_rows(rows))
        outcomes = dict(cursor.fetchall())
    return [outcomes[row.id] for row in rows]


def test_record__new_keys__are_events_of_their_organizations() -> None:
    first, second = make_organization(), make_organization()
    assert record(usage(first.id, "a"), usage(second.id, "a"), usage(first.id, "b")) == ["recorded"] * 3
    with organization_scope(first.id):
        assert sorted(UsageEvent.objects.values_list("key", flat=True)) == ["a", "b"]
        assert set(UsageEvent.objects.values_list("id")) == set(UsageKey.objects.values_list("id"))


def test_record__repeated_key__counts_once() -> None:
    organization = make_organization()
    record(usage(organization.id, "a"))
    assert record(usage(organization.id, "a"), usage(organization.id, "b")) == ["duplicate", "recorded"]
    with organization_scope(organization.id):
        assert UsageEvent.objects.count() == 2


@pytest.mark.parametrize("together", [False, True], ids=["later", "same group"])
def test_record__same_key_other_quantity__is_told_as_conflict(together: bool) -> None:
    organization = make_organization()
    first, second = usage(organization.id, "a"), usage(organization.id, "a", quantity=2)
    outcomes = record(first, second) if together else [*record(first), *record(second)]
    assert sorted(outcomes) == ["conflict", "recorded"]
    with organization_scope(organization.id):
        assert UsageEvent.objects.count() == 1


def test_record__no_rows__does_nothing() -> None:
    assert record() == []


def test_record__shuffled_duplicates_of_many_writers__equal_the_oracle() -> None:
    organization = make_organization()
    keys = [f"item:{number % 700}" for number in range(1_000)]
    Random(7).shuffle(keys)
    groups = [keys[start : start + 50] for start in range(0, len(keys), 50)]

    def write(group: list[str]) -> Counter[str]:
        try:
            return Counter(record(*(usage(organization.id, key) for key in group)))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        told = sum(pool.map(write, groups), Counter())
    with organization_scope(organization.id):
        assert UsageEvent.objects.count() == 700
    assert told == {"recorded": 700, "duplicate": 300}


def test_partitions__after_migrate__reach_fourteen_days_and_hold_the_events() -> None:
    record(usage(make_organization().id, "a"))
    assert all(state.days_ahead >= 14 for state in partitions_ahead())
    assert "billing_usageevent" in {state.table for state in partitions_ahead()}
    assert overflowing() == {}
    assert ensure_partitions("billing_usageevent") == 0


def test_partitions__event_far_ahead__raises_the_alarm_until_its_partition_is_made() -> None:
    organization = make_organization()
    far = int((datetime.now(UTC).timestamp() + 40 * 86_400) * 1000)
    row = usage(organization.id, "a")
    early = ledger.UsageRow(
        **{name: getattr(row, name) for name in row.__slots__} | {"id": UUID(int=far << 80 | 7)}
    )
    record(early)
    assert overflowing() == {"billing_usageevent": 1}
    assert ensure_partitions("billing_usageevent", days_ahead=50) > 0
    assert overflowing() == {}
    with organization_scope(organization.id):
        assert UsageEvent.objects.count() == 1
