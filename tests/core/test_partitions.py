"""Empty partitions of past weeks are dropped; what holds a row, or is young, stays."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections

from apps.core.ids import first_of
from apps.core.partitions import WEEKS_KEPT, drop_empty_partitions
from apps.core.scope import system_scope
from apps.runs.models import RunPayload
from tests.factories import make_project, make_run

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = "runs_runpayload"


def _week(weeks_ago: int) -> datetime:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday(), weeks=weeks_ago)


def _name(week: datetime) -> str:
    return f"{TABLE}_p{week:%Y%m%d}"


def _make_partition(week: datetime) -> str:
    """The partition of a past week, made by the owner as the schema's function makes those of coming ones."""
    parameters: dict[str, Any] = dict(connections["owner"].get_connection_params())
    for own in ("cursor_factory", "context", "pool", "server_side_binding"):
        parameters.pop(own, None)
    low, high = first_of(week), first_of(week + timedelta(days=7))
    with psycopg.connect(**parameters, autocommit=True) as owner:
        owner.execute(f"CREATE TABLE {_name(week)} (LIKE {TABLE} INCLUDING ALL)")
        owner.execute(
            f"ALTER TABLE {TABLE} ATTACH PARTITION {_name(week)} FOR VALUES FROM ('{low}') TO ('{high}')"
        )
    return _name(week)


def _exists(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.{name}"])
        return bool(cursor.fetchone()[0])


def test_drop_empty_partitions__takes_the_empty_ones_of_past_weeks_only() -> None:
    filled, empty = _make_partition(_week(6)), _make_partition(_week(5))
    young = _make_partition(_week(WEEKS_KEPT))
    run = make_run(project=make_project(), at=_week(6) + timedelta(days=1))
    assert empty in drop_empty_partitions()
    assert (_exists(filled), _exists(empty), _exists(young)) == (True, False, True)
    with system_scope():
        assert RunPayload.all_organizations.filter(pk=UUID(int=run.pk.int)).delete()[0] == 1
    assert drop_empty_partitions() == [filled]
    with system_scope(), connection.cursor() as cursor, pytest.raises(Exception, match="not a partitioned"):
        cursor.execute("SELECT promptsaas_drop_empty_partition('runs_feedback', 2)")
