"""Files in Postgres: sealed chunks of 1 MiB under the organization's data key.

Two URLs, the database's and Redis's, so carry the product to many hosts without a shared disk.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.core import crypto
from apps.core.errors import InvalidRequest
from apps.core.models import FileChunk, StoredFile
from apps.core.scope import organization_scope, system_scope

CHUNK_BYTES: Final = 1024 * 1024
TABLE: Final = "core_filechunk"
PURGED_AT_ONCE: Final = 100


class FileBroken(Exception):
    """A stored file is not whole: chunks are missing, or its size or digest differs."""


def store(
    *,
    organization_id: UUID,
    name: str,
    content_type: str,
    chunks: Iterable[bytes],
    expires_at: datetime | None = None,
    limit: int | None = None,
) -> StoredFile:
    """Store a file inside the organization's scope. `chunks` may be of any size; `limit` in bytes.

    Raises InvalidRequest (code file_too_large) once `limit` is passed; the scope rolls back what was written.
    """
    file = StoredFile(
        organization_id=organization_id,
        name=name[:255],
        content_type=content_type[:100],
        expires_at=expires_at,
    )
    file.save(force_insert=True)
    key, digest = crypto.data_key(organization_id), hashlib.sha256()
    for number, chunk in enumerate(_rechunk(chunks)):
        digest.update(chunk)
        file.size += len(chunk)
        if limit is not None and file.size > limit:
            raise InvalidRequest(
                f"The file is larger than {limit / CHUNK_BYTES:g} MB.", code="file_too_large", param="file"
            )
        _store_chunk(file, number, chunk, key)
        file.chunk_count = number + 1
    file.sha256 = digest.hexdigest()
    file.save(update_fields=["size", "chunk_count", "sha256"])
    return file


def read(file: StoredFile) -> Iterator[bytes]:
    """The content, chunk by chunk, inside the scope that the caller keeps open.

    Raises FileBroken or SealBroken for a damaged file: at the end for a wrong size or digest.
    """
    digest, size = hashlib.sha256(), 0
    for number in range(file.chunk_count):
        chunk = _read_chunk(file, number)
        digest.update(chunk)
        size += len(chunk)
        yield chunk
    if size != file.size or digest.hexdigest() != file.sha256:
        raise FileBroken(f"file {file.id} is not whole")


def stream(file: StoredFile) -> Iterator[bytes]:
    """`read` for a streaming response: a scope of its own for each chunk, none while the client reads."""
    for number in range(file.chunk_count):
        with organization_scope(file.organization_id):
            chunk = _read_chunk(file, number)
        yield chunk


def stream_slice(file: StoredFile, start: int, end: int) -> Iterator[bytes]:
    """`stream` from one byte to before another. Needs no more of the file than its id and organization."""
    for number in range(start // CHUNK_BYTES, -(-end // CHUNK_BYTES)):
        with organization_scope(file.organization_id):
            chunk = _read_chunk(file, number)
        begin = number * CHUNK_BYTES
        yield chunk[max(0, start - begin) : end - begin]


def content(file: StoredFile) -> bytes:
    """The whole content; for small files only."""
    return b"".join(read(file))


def delete(file: StoredFile) -> None:
    """Delete a file with its content, inside its organization's scope."""
    FileChunk.objects.filter(file_id=file.id).delete()
    StoredFile.objects.filter(id=file.id).delete()


def purge_expired() -> int:
    """Delete files past their expiry, a hundred a transaction; returns how many."""
    total = 0
    while count := _purge_some():
        total += count
    return total


def _purge_some() -> int:
    with system_scope():
        expired = StoredFile.all_organizations.filter(expires_at__lte=timezone.now()).order_by("expires_at")
        file_ids = list(expired.values_list("id", flat=True)[:PURGED_AT_ONCE])
        FileChunk.all_organizations.filter(file_id__in=file_ids).delete()
        StoredFile.all_organizations.filter(id__in=file_ids).delete()
    return len(file_ids)


def _rechunk(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES])
            del waiting[:CHUNK_BYTES]
    if waiting:
        yield bytes(waiting)


def _place(file: StoredFile, number: int) -> bytes:
    """Bound to file and number, so that chunks can't be exchanged or reordered."""
    return crypto.associated_data(
        organization_id=file.organization_id, table=TABLE, column=f"sealed#{number}", row_id=file.id
    )


def _store_chunk(file: StoredFile, number: int, chunk: bytes, key: bytes) -> None:
    FileChunk(
        organization_id=file.organization_id,
        file=file,
        number=number,
        sealed=crypto.seal_bytes(key, chunk, _place(file, number)),
    ).save(force_insert=True)


def _read_chunk(file: StoredFile, number: int) -> bytes:
    rows = FileChunk.objects.filter(file_id=file.id, number=number).values_list("sealed", flat=True)
    sealed = rows.first()
    if sealed is None:
        raise FileBroken(f"file {file.id} lacks chunk {number}")
    return crypto.unseal_bytes(crypto.existing_data_key(file.organization_id), sealed, _place(file, number))
