import base64
import os
from typing import Any
from uuid import UUID

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from apps.core import crypto, ids, keys
from apps.core.models import DataKey
from apps.core.scope import ScopeError, organization_scope, system_scope

PLACE = {"table": "providers_connection", "column": "sealed_key"}


@pytest.fixture(autouse=True)
def _cold_cache() -> None:
    crypto.forget_all_data_keys()


def sealed(organization_id: UUID, row_id: UUID, plaintext: bytes = b"sk-secret") -> bytes:
    with organization_scope(organization_id):
        return crypto.seal(plaintext, organization_id=organization_id, row_id=row_id, **PLACE)


@pytest.mark.django_db
def test_seal__same_place__opens() -> None:
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    value = sealed(organization_id, row_id)
    assert b"sk-secret" not in value
    with organization_scope(organization_id):
        opened = crypto.unseal(value, organization_id=organization_id, row_id=row_id, **PLACE)
    assert opened == b"sk-secret"


@pytest.mark.django_db
def test_seal__same_value_twice__differs() -> None:
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    assert sealed(organization_id, row_id) != sealed(organization_id, row_id)


@pytest.mark.django_db
@pytest.mark.parametrize("moved", ["row_id", "table", "column"])
def test_unseal__moved_within_the_organization__is_refused(moved: str) -> None:
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    value = sealed(organization_id, row_id)
    place: dict[str, Any] = {"organization_id": organization_id, "row_id": row_id, **PLACE}
    place[moved] = ids.uuid7() if moved == "row_id" else "elsewhere"
    with organization_scope(organization_id), pytest.raises(crypto.SealBroken):
        crypto.unseal(value, **place)


@pytest.mark.django_db
def test_unseal__moved_to_another_organization__is_refused() -> None:
    first, second, row_id = ids.uuid7(), ids.uuid7(), ids.uuid7()
    value = sealed(first, row_id)
    with organization_scope(second), pytest.raises(crypto.SealBroken):
        crypto.unseal(value, organization_id=second, row_id=row_id, **PLACE)


@pytest.mark.django_db
def test_unseal__key_of_another_organization_swapped_in__is_refused() -> None:
    first, second, row_id = ids.uuid7(), ids.uuid7(), ids.uuid7()
    value = sealed(first, row_id)
    sealed(second, row_id)
    with system_scope():
        other = DataKey.objects.get(organization_id=second)
        DataKey.objects.filter(organization_id=first).update(wrapped=other.wrapped)
    with organization_scope(first), pytest.raises(crypto.SealBroken):
        crypto.unseal(value, organization_id=first, row_id=row_id, **PLACE)


def test_unseal_bytes__any_bit_flipped__is_refused() -> None:
    key, place = os.urandom(32), b"place"
    value = crypto.seal_bytes(key, b"secret", place)
    for index in range(len(value)):
        flipped = value[:index] + bytes([value[index] ^ 1]) + value[index + 1 :]
        with pytest.raises(crypto.SealBroken):
            crypto.unseal_bytes(key, flipped, place)


@pytest.mark.parametrize("length", [0, 1, 12, 13, 20])
def test_unseal_bytes__cut_short__is_refused(length: int) -> None:
    key = os.urandom(32)
    with pytest.raises(crypto.SealBroken):
        crypto.unseal_bytes(key, crypto.seal_bytes(key, b"secret", b"")[:length], b"")


@pytest.mark.django_db
def test_data_key__outside_its_scope__raises() -> None:
    organization_id = ids.uuid7()
    with pytest.raises(ScopeError):
        crypto.data_key(organization_id)
    with organization_scope(ids.uuid7()), pytest.raises(ScopeError):
        crypto.data_key(organization_id)


@pytest.mark.django_db
def test_data_key__platform__needs_no_scope() -> None:
    outside = crypto.data_key(None)
    with organization_scope(ids.uuid7()):
        assert crypto.data_key(None) == outside


@pytest.mark.django_db(transaction=True)
def test_data_key__committed__is_cached() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        key = crypto.data_key(organization_id)
        assert crypto.cached_data_key(organization_id) is None
    assert crypto.cached_data_key(organization_id) == key


@pytest.mark.django_db(transaction=True)
def test_data_key__made_in_a_rolled_back_transaction__is_not_kept() -> None:
    organization_id = ids.uuid7()
    with organization_scope(organization_id):
        lost = crypto.data_key(organization_id)
        assert crypto.data_key(organization_id) == lost
        transaction.set_rollback(True)
    assert crypto.cached_data_key(organization_id) is None
    with organization_scope(organization_id):
        assert crypto.data_key(organization_id) != lost


@pytest.mark.django_db(transaction=True)
def test_shred__sealed_before__never_opens_again() -> None:
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    value = sealed(organization_id, row_id)
    with organization_scope(organization_id):
        crypto.shred(organization_id)
    with organization_scope(organization_id), pytest.raises(crypto.SealBroken):
        crypto.unseal(value, organization_id=organization_id, row_id=row_id, **PLACE)


def new_master_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@pytest.mark.django_db
def test_rotate_master_key__newer_version__rewraps_and_every_row_still_opens(
    settings: Settings,
) -> None:
    with system_scope():
        DataKey.objects.all().delete()
    first, second = new_master_key(), new_master_key()
    settings.MASTER_KEYS = [f"1:{first}"]
    row_id = ids.uuid7()
    organizations = [ids.uuid7() for _ in range(3)]
    values = {organization_id: sealed(organization_id, row_id) for organization_id in organizations}
    settings.MASTER_KEYS = [f"1:{first}", f"2:{second}"]
    call_command("rotate_master_key")
    settings.MASTER_KEYS = [f"2:{second}"]
    crypto.forget_all_data_keys()
    for organization_id, value in values.items():
        with organization_scope(organization_id):
            assert crypto.unseal(value, organization_id=organization_id, row_id=row_id, **PLACE)
    with system_scope():
        assert set(DataKey.objects.values_list("master_version", flat=True)) == {2}


@pytest.mark.django_db
def test_unseal__cached_key_older_than_the_database__reads_the_key_again() -> None:
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    value = sealed(organization_id, row_id)
    crypto._remember(organization_id, os.urandom(32))
    with organization_scope(organization_id):
        assert crypto.unseal(value, organization_id=organization_id, row_id=row_id, **PLACE)


@pytest.mark.django_db
def test_unseal__master_key_gone__is_refused(settings: Settings) -> None:
    settings.MASTER_KEYS = [f"1:{new_master_key()}"]
    organization_id, row_id = ids.uuid7(), ids.uuid7()
    value = sealed(organization_id, row_id)
    settings.MASTER_KEYS = [f"2:{new_master_key()}"]
    with organization_scope(organization_id), pytest.raises(crypto.SealBroken, match="not configured"):
        crypto.unseal(value, organization_id=organization_id, row_id=row_id, **PLACE)


@pytest.mark.parametrize("words", [[], ["x"], ["1:AAAA"], ["1:!!"]])
def test_master_keys__malformed__is_refused(settings: Settings, words: list[str]) -> None:
    settings.MASTER_KEYS = words
    with pytest.raises(ImproperlyConfigured):
        keys.master_keys()


def test_master_keys__one_version_twice__is_refused(settings: Settings) -> None:
    settings.MASTER_KEYS = [f"1:{new_master_key()}", new_master_key()]
    with pytest.raises(ImproperlyConfigured):
        keys.master_keys()
