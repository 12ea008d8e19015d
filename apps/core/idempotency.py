"""Idempotency-Key on POST: the same request sent again within 24 hours has one effect and one answer.

The key's row is written in the effect's own transaction: either both stand or neither, so an error stores
nothing. A concurrent twin waits on the unique key until the first commits, and then replays its answer.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest
from django.utils import timezone

from apps.core import crypto, ids
from apps.core.errors import Conflict, IdempotencyMismatch, InvalidRequest
from apps.core.models import IdempotencyKey
from apps.core.scope import system_scope

HEADER: Final = "Idempotency-Key"
REPLAYED_HEADER: Final = "Idempotent-Replayed"
LONGEST_KEY: Final = 255
KEPT_HOURS: Final = 24
TABLE: Final = "core_idempotencykey"

# An expired key is taken over in the same statement.
CLAIM: Final = f"""
    INSERT INTO core_idempotencykey AS stored
        (id, organization_id, owner, key, fingerprint, reference, created_at, expires_at)
    VALUES (%s, %s, %s, %s, %s, '', now(), now() + interval '{KEPT_HOURS} hours')
    ON CONFLICT (organization_id, owner, key) DO UPDATE SET
        id = excluded.id, fingerprint = excluded.fingerprint, reference = '', status = NULL,
        sealed_body = NULL, created_at = now(), expires_at = excluded.expires_at
    WHERE stored.expires_at <= now()
    RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """The key is ours: do the work, then `complete` the claim in the same transaction."""

    id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The work was done before: send this, with `Idempotent-Replayed: true`.

    `reference` names the object to rebuild the answer from, where no body was stored.
    """

    status: int
    body: bytes
    reference: str


def claim(*, organization_id: UUID, owner: str, key: str, fingerprint: bytes) -> Claim | StoredAnswer:
    """Claim a key for `owner` (a credential's id), inside the scope that will do the work.

    Raises InvalidRequest for a malformed key, IdempotencyMismatch when the key came with another request,
    Conflict (code idempotency_key_in_use) when a twin is still at work after the lock time-out.
    """
    _check_key(key)
    claim_id = ids.uuid7()
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(CLAIM, [claim_id, organization_id, owner[:64], key, fingerprint])
            is_ours = cursor.fetchone() is not None
    except OperationalError as error:
        raise Conflict(
            "A request with this Idempotency-Key is still running.",
            code="idempotency_key_in_use",
            param=HEADER,
            retry_after=1,
        ) from error
    return Claim(claim_id, organization_id) if is_ours else _stored(owner[:64], key, fingerprint)


def complete(claim: Claim, *, status: int, body: bytes = b"", reference: str = "") -> None:
    """Store the answer: its sealed body (it may show a new key), or only a reference to rebuild it from."""
    sealed = None
    if body:
        sealed = crypto.seal(
            body,
            organization_id=claim.organization_id,
            table=TABLE,
            column="sealed_body",
            row_id=claim.id,
        )
    IdempotencyKey.objects.filter(id=claim.id).update(status=status, sealed_body=sealed, reference=reference)


def request_fingerprint(request: HttpRequest) -> bytes:
    """SHA-256 of method, address and body. Of a form with files the parts count, not their boundary."""
    digest = hashlib.sha256(f"{request.method}\n{request.get_full_path()}\n".encode())
    if (request.content_type or "") != "multipart/form-data":
        digest.update(request.body)
        return digest.digest()
    for name in sorted(request.POST):
        for value in request.POST.getlist(name):
            digest.update(f"{len(name)}:{name}={len(value)}:{value}\n".encode())
    for name in sorted(request.FILES):
        for file in request.FILES.getlist(name):
            digest.update(f"{len(name)}:{name}:{file.name}:".encode() + _file_digest(file))
    return digest.digest()


def purge_expired() -> int:
    """Delete keys past their 24 hours; returns how many."""
    with system_scope():
        deleted, _ = IdempotencyKey.all_organizations.filter(expires_at__lte=timezone.now()).delete()
    return deleted


def _check_key(key: str) -> None:
    if not 0 < len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"An Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters.",
            code="idempotency_key_invalid",
            param=HEADER,
        )


def _stored(owner: str, key: str, fingerprint: bytes) -> StoredAnswer:
    row = IdempotencyKey.objects.get(owner=owner, key=key)
    if bytes(row.fingerprint) != fingerprint:
        raise IdempotencyMismatch("This Idempotency-Key was used with another request.", param=HEADER)
    if row.status is None:
        raise Conflict(
            "A request with this Idempotency-Key is still running.",
            code="idempotency_key_in_use",
            param=HEADER,
            retry_after=1,
        )
    body = b""
    if row.sealed_body is not None:
        body = crypto.unseal(
            bytes(row.sealed_body),
            organization_id=row.organization_id,
            table=TABLE,
            column="sealed_body",
            row_id=row.id,
        )
    return StoredAnswer(row.status, body, row.reference)


def _file_digest(file: "UploadedFile[Any]") -> bytes:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.digest()
