"""Files of `/v1/files`: stored in sealed chunks, kept for a time, deleted unless a batch needs them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from apps.audit.actor import Actor
from apps.audit.services import record
from apps.batches.openai import queries
from apps.batches.openai_models import (
    ENDED,
    KEPT,
    FilePurpose,
    OpenAIAnswer,
    OpenAIBatch,
    OpenAIFile,
)
from apps.core import files
from apps.core.errors import Conflict, InvalidRequest
from apps.core.models import FileChunk, StoredFile
from apps.core.scope import system_scope
from apps.tenants.models import Project

LARGEST_FILE: Final = 200 * 1024 * 1024
MOST_BYTES: Final = 20 * 1024**3
"""What the files of one project may hold together."""

MOST_FILES: Final = 10_000
CONTENT_TYPE: Final = "application/jsonl"
PURGED_AT_ONCE: Final = 20
LEFT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be stored; `seconds` is how long it is kept, None for the usual time."""

    name: str
    purpose: FilePurpose
    chunks: Iterable[bytes]
    seconds: int | None = None


def create_file(*, actor: Actor, project: Project, new: NewFile) -> OpenAIFile:
    """Store an uploaded file.

    Raises InvalidRequest: `file_empty`, `file_too_large`, `file_quota_exceeded`.
    """
    _demand_room(project)
    file = store_file(project, new, limit=LARGEST_FILE)
    if not file.size:
        raise InvalidRequest("The file is empty.", code="file_empty", param="file")
    record(
        actor=actor,
        action="openai_file.created",
        target=file,
        organization_id=project.organization_id,
        target_name=file.name,
        changes={"purpose": (None, file.purpose), "bytes": (None, file.size)},
    )
    return file


def store_file(project: Project, new: NewFile, *, limit: int | None = None) -> OpenAIFile:
    """Write a file and its bytes, which pass through memory a chunk at a time."""
    kept = KEPT if new.seconds is None else timedelta(seconds=new.seconds)
    expires_at = timezone.now() + kept
    content = files.store(
        organization_id=project.organization_id,
        name=new.name,
        content_type=CONTENT_TYPE,
        chunks=new.chunks,
        expires_at=expires_at,
        limit=limit,
    )
    file = OpenAIFile.objects.create(
        organization_id=project.organization_id,
        project=project,
        name=new.name[:255],
        purpose=new.purpose,
        size=content.size,
        content_id=content.pk,
        expires_at=expires_at,
    )
    # To the second what was asked for, however long the bytes took.
    file.expires_at = file.created_at + kept
    file.save(update_fields=["expires_at"])
    return file


def delete_file(*, actor: Actor, file: OpenAIFile) -> None:
    """Delete a file with its content. Raises Conflict ``file_in_use`` while a batch needs it."""
    locked = OpenAIFile.objects.select_for_update().get(pk=file.pk)
    if queries.is_in_use(locked):
        raise Conflict("A batch that has not ended uses this file.", code="file_in_use")
    record(
        actor=actor,
        action="openai_file.deleted",
        target=locked,
        organization_id=locked.organization_id,
        target_name=locked.name,
    )
    for content in StoredFile.objects.filter(pk=locked.content_id):
        files.delete(content)
    locked.delete()


def purge_expired_files() -> int:
    """Delete files past their expiry, and rows of files whose content retention took; returns how many."""
    gone = 0
    while True:
        with system_scope():
            content = StoredFile.all_organizations.filter(pk=OuterRef("content_id"))
            expired = OpenAIFile.all_organizations.filter(
                Q(expires_at__lte=timezone.now()) | ~Exists(content)
            ).order_by("expires_at")
            found = dict(expired.values_list("pk", "content_id")[:PURGED_AT_ONCE])
            FileChunk.all_organizations.filter(file_id__in=found.values()).delete()
            StoredFile.all_organizations.filter(pk__in=found.values()).delete()
            OpenAIFile.all_organizations.filter(pk__in=found).delete()
        gone += len(found)
        if len(found) < PURGED_AT_ONCE:
            return gone


def purge_left_answers() -> int:
    """Delete answers of batches that were given up a day ago; returns how many."""
    with system_scope():
        long_ago = timezone.now() - LEFT
        given_up = OpenAIBatch.all_organizations.filter(status__in=ENDED, ended_at__lt=long_ago)
        left = OpenAIAnswer.all_organizations.filter(batch_id__in=given_up.values("pk"))
        deleted, _ = left.delete()
    return deleted


def _demand_room(project: Project) -> None:
    if queries.list_files(project).count() >= MOST_FILES:
        raise InvalidRequest(
            f"A project keeps at most {MOST_FILES:,} files. Delete some first.",
            code="file_quota_exceeded",
            param="file",
        )
    if queries.stored_bytes(project) >= MOST_BYTES:
        raise InvalidRequest(
            f"The files of this project hold {MOST_BYTES // 1024**3} GB already. Delete some first.",
            code="file_quota_exceeded",
            param="file",
        )
