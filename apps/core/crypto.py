"""Sealing: AES-256-GCM under one data key per organization, itself wrapped by a versioned master key.

What is sealed is bound to its place (organization, table, column, row), so a ciphertext moved elsewhere does
not open. Rotation rewraps the data keys and touches no row; deleting a data key shreds what it sealed.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.postgres.functions import TransactionNow
from django.db import models, transaction
from django.utils import timezone

from apps.core import changes
from apps.core.keys import KEY_BYTES, master_keys
from apps.core.models import DataKey
from apps.core.scope import ScopeError, current_organization_id, in_scope, in_system_scope, system_scope

FORMAT: Final = b"\x01"
NONCE_BYTES: Final = 12
CACHE_SECONDS: Final = 300
CACHE_SIZE: Final = 10_000
REWRAP_AT_ONCE: Final = 500


class SealBroken(Exception):
    """A sealed value does not open: altered, moved from another place, or its key is gone."""


class KeyGone(SealBroken):
    """The data key was shredded, or never made: nothing that it sealed can be read."""


@dataclass(frozen=True, slots=True)
class _Cached:
    key: bytes
    until: float


_cache: dict[UUID | None, _Cached] = {}
_cache_lock = threading.Lock()


def seal(plaintext: bytes, *, organization_id: UUID | None, table: str, column: str, row_id: UUID) -> bytes:
    """The sealed form of a value that will stand in that place. Call it inside the organization's scope."""
    place = associated_data(organization_id=organization_id, table=table, column=column, row_id=row_id)
    return seal_bytes(data_key(organization_id), plaintext, place)


def unseal(sealed: bytes, *, organization_id: UUID | None, table: str, column: str, row_id: UUID) -> bytes:
    """The value sealed for that place. Raises SealBroken when it was altered or comes from elsewhere."""
    place = associated_data(organization_id=organization_id, table=table, column=column, row_id=row_id)
    cached = cached_data_key(organization_id)
    if cached is None:
        return unseal_bytes(existing_data_key(organization_id), sealed, place)
    try:
        return unseal_bytes(cached, sealed, place)
    except SealBroken:
        # The cached key may be older than the database, which may have been restored.
        forget_data_key(organization_id)
        return unseal_bytes(existing_data_key(organization_id), sealed, place)


def associated_data(*, organization_id: UUID | None, table: str, column: str, row_id: UUID) -> bytes:
    """The place that a sealed value is bound to."""
    return f"{_owner(organization_id)}\x1f{table}\x1f{column}\x1f{row_id}".encode()


def seal_bytes(key: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    """Pure form of `seal`: 1 byte of format, 12 of nonce, the ciphertext, 16 of tag."""
    nonce = os.urandom(NONCE_BYTES)
    return FORMAT + nonce + AESGCM(key).encrypt(nonce, plaintext, associated_data)


def seal_columns(
    key: bytes, columns: Mapping[str, bytes], *, organization_id: UUID | None, table: str, row_id: UUID
) -> dict[str, bytes]:
    """Pure form of `seal` for columns of one row: to each its plaintext; the cipher is set up once."""
    cipher = AESGCM(key)
    before, after = f"{_owner(organization_id)}\x1f{table}\x1f", f"\x1f{row_id}"
    sealed = {}
    for column, plaintext in columns.items():
        nonce = os.urandom(NONCE_BYTES)
        sealed[column] = (
            FORMAT + nonce + cipher.encrypt(nonce, plaintext, f"{before}{column}{after}".encode())
        )
    return sealed


def unseal_bytes(key: bytes, sealed: bytes | memoryview, associated_data: bytes) -> bytes:
    """Pure form of `unseal`. Raises SealBroken."""
    sealed = bytes(sealed)
    if sealed[:1] != FORMAT:
        raise SealBroken("unknown format")
    nonce, body = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        return AESGCM(key).decrypt(nonce, body, associated_data)
    except (InvalidTag, ValueError):
        raise SealBroken("the sealed value does not open here") from None


def data_key(organization_id: UUID | None) -> bytes:
    """The organization's data key, made at first use; None means the platform's own.

    Needs the organization's scope or the system scope; the platform's key needs none. Raises ScopeError.
    """
    found = cached_data_key(organization_id)
    if found is not None:
        return found
    _demand_scope(organization_id)
    if _find(organization_id) is None:
        _create(organization_id)
    return existing_data_key(organization_id)


def existing_data_key(organization_id: UUID | None) -> bytes:
    """`data_key` for reading: raises KeyGone instead of making a key."""
    cached = cached_data_key(organization_id)
    if cached is not None:
        return cached
    _demand_scope(organization_id)
    found = _find(organization_id)
    if found is None:
        raise KeyGone("the data key is gone")
    row, is_settled = found
    key = _unwrap(row)
    # A key made by this very transaction may still be rolled back: what it sealed later would never open.
    if is_settled:
        _remember(organization_id, key)
    else:
        transaction.on_commit(partial(_remember, organization_id, key))
    return key


def cached_data_key(organization_id: UUID | None) -> bytes | None:
    """The key if this process has it at hand: no database, so safe in an event loop."""
    cached = _cache.get(organization_id)
    return cached.key if cached is not None and cached.until > time.monotonic() else None


def forget_data_key(organization_id: UUID | None) -> None:
    """Drop a key from this process's cache (wired to the change feed's kind `data_key`)."""
    with _cache_lock:
        _cache.pop(organization_id, None)


def forget_all_data_keys() -> None:
    """Empty this process's cache."""
    with _cache_lock:
        _cache.clear()


def shred(organization_id: UUID) -> None:
    """Delete the data key: nothing sealed under it can ever be read again. Call it inside a scope."""
    _demand_scope(organization_id)
    DataKey.objects.filter(organization_id=organization_id).delete()
    changes.append("data_key", str(organization_id), organization_id=organization_id)
    transaction.on_commit(partial(forget_data_key, organization_id))


def rewrap_data_keys() -> int:
    """Wrap every data key under the newest master key, a few hundred a transaction; returns how many."""
    total = 0
    while count := _rewrap_some():
        total += count
    return total


def _owner(organization_id: UUID | None) -> str:
    return "platform" if organization_id is None else str(organization_id)


def _demand_scope(organization_id: UUID | None) -> None:
    if organization_id is None or in_system_scope():
        return
    if not in_scope() or current_organization_id() != organization_id:
        raise ScopeError("a data key is read inside its organization's scope")


def _find(organization_id: UUID | None) -> tuple[DataKey, bool] | None:
    """The row, and whether it was there before this transaction began."""
    settled = models.Q(created_at__lt=TransactionNow())
    row = (
        DataKey.objects.annotate(
            is_settled=models.ExpressionWrapper(settled, output_field=models.BooleanField())
        )
        .filter(**_of(organization_id))
        .first()
    )
    return None if row is None else (row, bool(row.is_settled))


def _of(organization_id: UUID | None) -> dict[str, object]:
    if organization_id is None:
        return {"organization_id__isnull": True}
    return {"organization_id": organization_id}


def _create(organization_id: UUID | None) -> None:
    version = max(master_keys())
    wrapped = _wrap(os.urandom(KEY_BYTES), organization_id, version)
    row = DataKey(organization_id=organization_id, wrapped=wrapped, master_version=version)
    # Twins: the second waits for the first one's commit, inserts nothing and reads the first one's key.
    DataKey.objects.bulk_create([row], ignore_conflicts=True)


def _wrapping_place(organization_id: UUID | None, version: int) -> bytes:
    return f"promptsaas data key\x1f{_owner(organization_id)}\x1f{version}".encode()


def _wrap(key: bytes, organization_id: UUID | None, version: int) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    place = _wrapping_place(organization_id, version)
    return nonce + AESGCM(master_keys()[version]).encrypt(nonce, key, place)


def _unwrap(row: DataKey) -> bytes:
    master = master_keys().get(row.master_version)
    if master is None:
        raise SealBroken(f"master key {row.master_version} is not configured")
    wrapped = bytes(row.wrapped)
    place = _wrapping_place(row.organization_id, row.master_version)
    try:
        return AESGCM(master).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], place)
    except (InvalidTag, ValueError):
        raise SealBroken("the data key does not open under its master key") from None


def _remember(organization_id: UUID | None, key: bytes) -> None:
    with _cache_lock:
        if len(_cache) >= CACHE_SIZE:
            _cache.clear()
        _cache[organization_id] = _Cached(key, time.monotonic() + CACHE_SECONDS)


def _rewrap_some() -> int:
    newest = max(master_keys())
    with system_scope():
        rows = list(
            DataKey.objects.select_for_update()
            .filter(master_version__lt=newest)
            .order_by("id")[:REWRAP_AT_ONCE]
        )
        for row in rows:
            row.wrapped = _wrap(_unwrap(row), row.organization_id, newest)
            row.master_version = newest
            row.rewrapped_at = timezone.now()
        DataKey.objects.bulk_update(rows, ["wrapped", "master_version", "rewrapped_at"])
    return len(rows)
