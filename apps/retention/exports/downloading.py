"""An archive as an HTTP answer, whole or from where a broken download left off (RFC 9110 §14)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.core import files
from apps.core.errors import NotFound
from apps.core.models import StoredFile
from apps.retention.exports.standing import facts_of
from apps.retention.exports.zip_layout import Entry, make_directory
from apps.retention.models import ExportPart, ExportState, OrganizationExport

# Whoever asks for bytes from the first to the last gets all of it as a part.
SENT: Final = (200, 206)
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive is made of: stored files one behind the other, then the directory."""

    name: str
    tag: str
    pieces: Sequence[tuple[StoredFile, int]]
    directory: bytes

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(length for _, length in self.pieces) + len(self.directory)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from one place to before another. Opens scopes of its own."""
        at = 0
        for file, length in self.pieces:
            if at < end and at + length > start:
                yield from files.stream_slice(file, max(0, start - at), min(length, end - at))
            at += length
        if end > at:
            yield self.directory[max(0, start - at) : end - at]


def archive_of(export: OrganizationExport) -> Archive:
    """The archive of an export, inside its organization's scope. Raises NotFound unless it can be fetched."""
    is_ready = facts_of([export]).state_of(export) == ExportState.READY
    if not is_ready or export.started_at is None or export.ended_at is None:
        raise NotFound("This archive can't be fetched (any more).", code="export_not_ready")
    parts = list(ExportPart.objects.filter(export_id=export.pk).order_by("number"))
    entries = [
        Entry(part.name, part.size, part.compressed_size, part.crc32, part.entry_size) for part in parts
    ]
    pieces = [
        (StoredFile(pk=part.file_id, organization_id=part.organization_id), part.entry_size) for part in parts
    ]
    return Archive(
        name=f"promptsaas-{export.ended_at:%Y-%m-%d}-{export.public_id}.zip",
        tag=f'"{export.public_id}-{export.part_count}-{export.size}"',
        pieces=pieces,
        directory=make_directory(entries, export.started_at),
    )


def answer(request: HttpRequest, archive: Archive) -> HttpResponseBase:
    """The archive, or the part that the request asks for; 416 for a part beyond its end."""
    size = archive.size
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": archive.tag,
        "Content-Disposition": content_disposition_header(True, archive.name) or "attachment",
        "X-Accel-Buffering": "no",
    }
    wanted = asked_range(request, archive.tag, size)
    if wanted == (0, 0):
        return HttpResponse(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    start, end = wanted or (0, size)
    headers["Content-Length"] = str(end - start)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    # A failure breaks the connection before the promised length, which every client notices.
    content = iter(()) if request.method == "HEAD" else archive.read(start, end)
    return StreamingHttpResponse(
        content, status=206 if wanted else 200, content_type="application/zip", headers=headers
    )


def asked_range(request: HttpRequest, tag: str, size: int) -> tuple[int, int] | None:
    """Start and end of the range asked for; None for all of it, (0, 0) for one that doesn't exist.

    Several ranges at once and ranges of another archive are answered with all of it, as the rules allow.
    """
    found = _RANGE.fullmatch(request.headers.get("Range", "").replace(" ", ""))
    condition = request.headers.get("If-Range", "")
    if found is None or not any(found.groups()) or (condition and condition != tag):
        return None
    first, last = found.groups()
    if not first:
        length = int(last)
        return (max(0, size - length), size) if length else (0, 0)
    start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else (0, 0)
