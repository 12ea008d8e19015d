"""Every tenant table behind both fences, each also tried alone.

Fence 1 is the ORM's scoped manager, fence 2 Postgres row-level security. A model without a factory in
``tests.factories`` fails here, so a new table can't slip past.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, models, transaction

from apps.core.ids import uuid7
from apps.core.models import ScopedManager, TenantModel
from apps.core.scope import SYSTEM_ROLE, ScopeError, organization_scope
from apps.tenants.models import Organization, Project
from tests.factories import TENANT_FACTORIES, make_organization, make_project

pytestmark = pytest.mark.django_db

TENANT_MODELS = sorted(
    (model for model in apps.get_models() if hasattr(model, "all_organizations")),
    key=lambda model: model._meta.label,
)
# Tables that name an organization, or none, in rows which aren't its data: read under the system role only.
UNFENCED = {
    "core_change": "the change feed: kinds and ids, read by every process",
    "core_outboxmessage": "the outbox, delivered across organizations",
    "core_outgoingmail": "mails that wait: written by everybody, read by who delivers them",
    "core_datakey": "wrapped data keys; the platform's own has no organization",
}

REFUSED = r"row-level security|permission denied"

for_every_model = pytest.mark.parametrize(
    "model", TENANT_MODELS, ids=[model._meta.label for model in TENANT_MODELS]
)
Model = type[models.Model]


@pytest.fixture
def ours() -> Project:
    return make_project()


@pytest.fixture
def theirs() -> Project:
    return make_project()


@contextmanager
def row_security_off() -> Iterator[None]:
    """Inside a scope: take the role whose policy is ``true``, so that only the ORM's filter is left."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
        yield
        cursor.execute("SET LOCAL ROLE NONE")


def _raw_count(model: Model, key: object) -> int:
    table, column = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}" WHERE "{column}"::text = %s', [str(key)])
        return int(cursor.fetchone()[0])


def _raw_total(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}"')
        return int(cursor.fetchone()[0])


def _scoped(model: Model) -> models.QuerySet[models.Model]:
    return model._default_manager.all()


def _unscoped(model: Model) -> models.QuerySet[models.Model]:
    rows: models.QuerySet[models.Model] = model.all_organizations.all()  # type: ignore[attr-defined]
    return rows


@for_every_model
def test_tenant_model__every__has_a_factory(model: Model) -> None:
    assert model._meta.label in TENANT_FACTORIES, "add a @tenant_factory to tests/factories.py"


@for_every_model
def test_tenant_model__every__has_the_scoped_manager_as_its_default(model: Model) -> None:
    assert isinstance(model._default_manager, ScopedManager)


@for_every_model
def test_tenant_model__no_scope__raises(model: Model) -> None:
    with pytest.raises(ScopeError):
        _scoped(model).exists()


@for_every_model
def test_tenant_model__another_organization__reads_nothing_behind_either_fence(
    model: Model, ours: Project, theirs: Project
) -> None:
    row = TENANT_FACTORIES[model._meta.label](ours)
    with organization_scope(ours.organization_id):
        assert _scoped(model).filter(pk=row.pk).exists(), "the owner sees it"
    with organization_scope(theirs.organization_id):
        assert not _scoped(model).filter(pk=row.pk).exists(), "both fences"
        assert not _unscoped(model).filter(pk=row.pk).exists(), "row security alone, through the ORM"
        assert _raw_count(model, row.pk) == 0, "row security alone, in SQL"
    with organization_scope(theirs.organization_id), row_security_off():
        assert _raw_count(model, row.pk) == 1, "row security was meant to be off here"
        assert not _scoped(model).filter(pk=row.pk).exists(), "the ORM's filter alone"
    assert _raw_count(model, row.pk) == 0, "SQL without a scope"


@for_every_model
def test_tenant_model__another_organization__writes_nothing(
    model: Model, ours: Project, theirs: Project
) -> None:
    row, own_row = (TENANT_FACTORIES[model._meta.label](project) for project in (ours, theirs))
    with organization_scope(theirs.organization_id):
        with pytest.raises(ProgrammingError, match=REFUSED), transaction.atomic():
            _copy(row).save_base(force_insert=True, raw=True)
        with pytest.raises(ProgrammingError, match=REFUSED), transaction.atomic():
            _unscoped(model).filter(pk=own_row.pk).update(organization_id=ours.organization_id)
        assert _raw_delete(model._meta.db_table, model._meta.pk.column, row.pk) == 0
    with organization_scope(ours.organization_id):
        assert _raw_count(model, row.pk) == 1


def _copy(row: models.Model) -> models.Model:
    copy = deepcopy(row)
    copy.pk = uuid7() if isinstance(row._meta.pk, models.UUIDField) else None
    copy._state.adding = True
    return copy


def _raw_delete(table: str, column: str | None, key: object) -> int:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM "{table}" WHERE "{column}"::text = %s', [str(key)])
            return int(cursor.rowcount)
    except ProgrammingError as refusal:
        if not re.search(REFUSED, str(refusal)):
            raise
        return 0


def test_tables__that_name_an_organization__force_row_security() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_class c
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
              AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            """
        )
        unfenced = {name for (name,) in cursor.fetchall()}
    assert unfenced <= set(UNFENCED)


def test_tables__of_tenant_models__have_one_plain_policy_for_the_application() -> None:
    wanted = {model._meta.db_table for model in TENANT_MODELS} | {"tenants_organization"}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT tablename, count(*) FROM pg_policies
            WHERE 'promptsaas_app' = ANY (roles) AND permissive = 'PERMISSIVE'
              AND (qual LIKE '(%% = (NULLIF(current_setting(''app.organization_id''%%' OR qual IS NULL)
            GROUP BY tablename
            """
        )
        found = dict(cursor.fetchall())
    assert wanted - set(found) == set()


def test_application_role__partitions_and_truncate__are_out_of_reach() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname FROM pg_class c
            WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
              AND (has_table_privilege('promptsaas_app', c.oid, 'TRUNCATE')
                   OR c.relispartition AND has_table_privilege('promptsaas_app', c.oid, 'SELECT'))
            """
        )
        assert cursor.fetchall() == []


def test_organization__other_scope_and_none__is_hidden() -> None:
    ours, theirs = make_organization(), make_organization()
    assert _raw_total("tenants_organization") == 0
    with organization_scope(theirs.id):
        assert list(Organization.objects.values_list("id", flat=True)) == [theirs.id]
        assert not Organization.objects.filter(id=ours.id).exists()


def test_scope__closed__leaves_no_organization_behind(ours: Project) -> None:
    with organization_scope(ours.organization_id):
        assert _raw_total("tenants_project") == 1
    assert _raw_total("tenants_project") == 0


def test_tenant_model__every_subclass__is_covered() -> None:
    subclasses = {model for model in apps.get_models() if issubclass(model, TenantModel)}
    assert subclasses <= set(TENANT_MODELS)


def test_factories__every__belongs_to_a_model() -> None:
    assert set(TENANT_FACTORIES) <= {model._meta.label for model in TENANT_MODELS}


def test_row__of_a_factory__belongs_to_the_scope_it_was_made_in(ours: Project) -> None:
    row = TENANT_FACTORIES["tenants.Project"](ours)
    assert isinstance(row, Project)
    assert row.organization_id == ours.organization_id
