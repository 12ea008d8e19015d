"""What webhooks are told of a stream: how far its answers are, every few seconds while there are new ones."""

from typing import Final
from uuid import UUID

from django.db import connection

from apps.audit.actor import SYSTEM
from apps.batches.models import BatchJob
from apps.batches.stream_models import Stream
from apps.core import ids, outbox
from apps.core.scope import organization_scope, system_scope

AT_ONCE: Final = 500

# A stream's parts from the one that was told of last: two at most are open.
_WITH_NEWS: Final = """
SELECT stream.organization_id, stream.id FROM batches_stream AS stream
WHERE EXISTS (
    SELECT FROM batches_batchjob AS part
    WHERE part.organization_id = stream.organization_id AND part.stream_id = stream.id
      AND (part.id > stream.told_part_id OR stream.told_part_id IS NULL OR part.id = stream.told_part_id)
      AND part.answered > CASE WHEN part.id = stream.told_part_id THEN stream.told_through ELSE 0 END
)
ORDER BY stream.id LIMIT %(limit)s
"""


def tell_streams() -> int:
    """Write what is new into the outbox; returns of how many streams. Safe in several processes at once."""
    with system_scope(), connection.cursor() as cursor:
        cursor.execute(_WITH_NEWS, {"limit": AT_ONCE})
        found = cursor.fetchall()
    return sum(_tell(*each) for each in found)


def _tell(organization_id: UUID, stream_id: UUID) -> bool:
    with organization_scope(organization_id):
        locked = Stream.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=stream_id)
        stream = locked.first()
        part = None if stream is None else _part_with_news(stream)
        if stream is None or part is None:
            return False
        before = stream.told_through if stream.told_part_id == part.pk else 0
        outbox.write("stream.answered", _summary(stream, part, before), organization_id)
        stream.told_part_id, stream.told_through = part.pk, part.answered
        stream.save(update_fields=["told_part_id", "told_through"])
        return True


def _part_with_news(stream: Stream) -> BatchJob | None:
    parts = BatchJob.objects.filter(stream_id=stream.pk).order_by("id")
    if stream.told_part_id is not None:
        parts = parts.filter(pk__gte=stream.told_part_id)
    for part in parts:
        if part.answered > _told(stream, part):
            return part
        if not part.is_terminal:
            # Its answers come first: nothing of the next part is told before.
            return None
    return None


def _told(stream: Stream, part: BatchJob) -> int:
    return stream.told_through if part.pk == stream.told_part_id else 0


def _summary(stream: Stream, part: BatchJob, before: int) -> dict[str, object]:
    return {
        "id": stream.public_id,
        "project_id": ids.encode("prj", stream.project_id),
        "name": stream.name,
        "batch_id": part.public_id,
        "answers": part.answered - before,
        "after": f"{part.public_id}.{before}",
        "actor": SYSTEM.told(),
    }
