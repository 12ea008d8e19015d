import hashlib
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.utils import timezone

from apps.core import crypto, files
from apps.core.errors import InvalidRequest
from apps.core.models import FileChunk, StoredFile
from apps.core.scope import organization_scope, system_scope
from tests import factories

MEBIBYTE = 1024 * 1024


@pytest.fixture
def organization_id() -> UUID:
    return factories.make_organization().id


def stored(organization_id: UUID, content: bytes = b"a,b\n1,2\n", **values: object) -> StoredFile:
    return files.store(
        organization_id=organization_id,
        name="rows.csv",
        content_type="text/csv",
        chunks=[content],
        **values,  # type: ignore[arg-type]
    )


@pytest.mark.django_db
@pytest.mark.parametrize("size", [0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE + 5])
def test_store__any_size__reads_back(organization_id: UUID, size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    content = content[:size]
    with organization_scope(organization_id):
        pieces = [content[start : start + 70_000] for start in range(0, size, 70_000)]
        file = files.store(
            organization_id=organization_id, name="x", content_type="text/plain", chunks=iter(pieces)
        )
        assert (file.size, file.chunk_count) == (size, -(-size // MEBIBYTE))
        assert file.sha256 == hashlib.sha256(content).hexdigest()
        assert b"".join(files.read(StoredFile.objects.get())) == content


@pytest.mark.django_db
def test_store__over_the_limit__is_refused(organization_id: UUID) -> None:
    with organization_scope(organization_id), pytest.raises(InvalidRequest) as caught:
        stored(organization_id, b"x" * 11, limit=10)
    assert caught.value.code == "file_too_large"


@pytest.mark.django_db
def test_store__content__lies_sealed(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        stored(organization_id, b"very secret content")
        with connection.cursor() as cursor:
            cursor.execute("SELECT sealed FROM core_filechunk")
            assert b"secret" not in bytes(cursor.fetchone()[0])


@pytest.mark.django_db
def test_read__chunks_exchanged__is_refused(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        file = stored(organization_id, b"a" * MEBIBYTE + b"b" * MEBIBYTE)
        first, second = FileChunk.objects.order_by("number")
        first_id, second_id = first.id, second.id
        first.delete()
        FileChunk.objects.filter(id=second_id).delete()
        FileChunk.objects.bulk_create(
            [
                FileChunk(organization_id=organization_id, file=file, number=0, sealed=second.sealed),
                FileChunk(organization_id=organization_id, file=file, number=1, sealed=first.sealed),
            ]
        )
        assert first_id != second_id
        with pytest.raises(crypto.SealBroken):
            files.content(file)


@pytest.mark.django_db
def test_read__chunk_of_another_file__is_refused(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        file, other = stored(organization_id, b"a"), stored(organization_id, b"b")
        sealed = FileChunk.objects.get(file=other).sealed
        FileChunk.objects.filter(file=file).delete()
        FileChunk(organization_id=organization_id, file=file, number=0, sealed=sealed).save()
        with pytest.raises(crypto.SealBroken):
            files.content(file)


@pytest.mark.django_db
def test_read__chunk_missing__is_told(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        file = stored(organization_id)
        FileChunk.objects.all().delete()
        with pytest.raises(files.FileBroken):
            files.content(file)


@pytest.mark.django_db
def test_read__digest_changed__is_told(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        file = stored(organization_id)
        StoredFile.objects.update(sha256="0" * 64)
        with pytest.raises(files.FileBroken):
            files.content(StoredFile.objects.get(id=file.id))


@pytest.mark.django_db
def test_stream__outside_any_scope__opens_its_own(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        file = stored(organization_id, b"content")
    assert b"".join(files.stream(file)) == b"content"


@pytest.mark.django_db
def test_file__other_organization__sees_nothing(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        stored(organization_id)
    with organization_scope(factories.make_organization().id):
        assert not StoredFile.all_organizations.exists()
        assert not FileChunk.all_organizations.exists()


@pytest.mark.django_db
def test_purge_expired__boundary__takes_exactly_the_due(organization_id: UUID) -> None:
    now = timezone.now()
    with organization_scope(organization_id):
        due = stored(organization_id, expires_at=now - timedelta(seconds=1))
        later = stored(organization_id, expires_at=now + timedelta(minutes=1))
        never = stored(organization_id)
    assert files.purge_expired() == 1
    with system_scope():
        left = set(StoredFile.all_organizations.values_list("id", flat=True))
        assert left == {later.id, never.id}
        assert not FileChunk.all_organizations.filter(file_id=due.id).exists()


@pytest.mark.django_db
def test_delete__file__takes_its_chunks(organization_id: UUID) -> None:
    with organization_scope(organization_id):
        files.delete(stored(organization_id))
        assert not FileChunk.objects.exists()
        assert not StoredFile.objects.exists()
