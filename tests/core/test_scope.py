import pytest
from django.db import DatabaseError, connection, transaction

from apps.core import ids
from apps.core.scope import (
    ScopeError,
    current_organization_id,
    in_scope,
    in_system_scope,
    organization_scope,
    system_scope,
)


def database_state() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, coalesce(current_setting('app.organization_id', true), '')")
        user, organization = cursor.fetchone()
    return user, organization


@pytest.mark.django_db
def test_organization_scope__open_and_closed__sets_and_clears_the_setting() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        assert current_organization_id() == organization_id
        assert database_state() == ("promptsaas_app", str(organization_id))
    assert not in_scope()
    assert database_state() == ("promptsaas_app", "")


@pytest.mark.django_db
def test_system_scope__open_and_closed__takes_and_gives_back_the_role() -> None:
    with system_scope():
        assert in_system_scope()
        assert database_state()[0] == "promptsaas_system"
        with pytest.raises(ScopeError):
            current_organization_id()
    assert database_state()[0] == "promptsaas_app"


@pytest.mark.django_db(transaction=True)
def test_scopes__own_transaction__leave_nothing_on_the_connection() -> None:
    with organization_scope(ids.uuid7()):
        pass
    assert database_state() == ("promptsaas_app", "")
    with system_scope():
        pass
    assert database_state() == ("promptsaas_app", "")


@pytest.mark.django_db
def test_organization_scope__same_inside__is_a_savepoint() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        with organization_scope(organization_id):
            pass
        assert database_state()[1] == str(organization_id)


@pytest.mark.django_db
def test_organization_scope__other_inside__is_refused() -> None:
    with organization_scope(ids.uuid7()):
        with pytest.raises(ScopeError), organization_scope(ids.uuid7()):
            pass
        with pytest.raises(ScopeError), system_scope():
            pass


@pytest.mark.django_db
def test_organization_scope__inside_system_scope__is_refused() -> None:
    with system_scope(), pytest.raises(ScopeError), organization_scope(ids.uuid7()):
        pass


@pytest.mark.django_db
def test_organization_scope__error_inside__clears_everything() -> None:
    with pytest.raises(DatabaseError), organization_scope(ids.uuid7()), connection.cursor() as cursor:
        cursor.execute("SELECT 1/0")
    assert not in_scope()
    assert database_state() == ("promptsaas_app", "")


@pytest.mark.django_db(transaction=True)
def test_organization_scope__on_commit__runs_outside_the_scope() -> None:
    seen: list[bool] = []
    with organization_scope(ids.uuid7()):
        transaction.on_commit(lambda: seen.append(in_scope()))
    assert seen == [False]


def test_current_organization_id__no_scope__raises() -> None:
    with pytest.raises(ScopeError):
        current_organization_id()
