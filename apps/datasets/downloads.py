"""Versions and uploaded files as HTTP answers, for pages and API alike."""

import unicodedata

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.http import content_disposition_header

from apps.core import files
from apps.core.errors import InvalidRequest, NotFound
from apps.core.models import StoredFile
from apps.core.streaming import ended_honestly
from apps.datasets import queries
from apps.datasets.exporting import FORMATS, export_file
from apps.datasets.models import DatasetVersion


def download(version: DatasetVersion, name: str) -> StreamingHttpResponse:
    """A version as a streamed file. Raises InvalidRequest for an unknown format."""
    if name not in FORMATS:
        raise InvalidRequest(f"format is one of {', '.join(FORMATS)}.", param="format")
    file = export_file(version, name)
    chunks = ended_honestly(file.chunks, "jsonl" if name == "jsonl" else "csv")
    return StreamingHttpResponse(
        chunks,
        content_type=file.content_type,
        headers=_attachment(file.name) | {"X-Accel-Buffering": "no"},
    )


def download_original(version: DatasetVersion) -> StreamingHttpResponse:
    """The file that a version was imported from, byte for byte. Raises NotFound once it has expired."""
    stored = queries.stored_file(version.file_id)
    if stored is None:
        raise NotFound(
            "The uploaded file has expired, or the version was made otherwise.", code="file_expired"
        )
    # Whatever it is, a browser must not show it: hence no type of its own.
    return StreamingHttpResponse(
        files.stream(stored), content_type="application/octet-stream", headers=_attachment(stored.name)
    )


def download_problems(version: DatasetVersion) -> HttpResponse:
    """The rows that could not be used, as CSV. Raises NotFound once the file has expired."""
    stored: StoredFile | None = queries.stored_file(version.problems_file_id)
    if stored is None:
        raise NotFound("There are no problem rows, or their file has expired.", code="file_expired")
    # Read here, since the scope ends with the handler: the file is at most as large as an upload.
    content = b"".join(files.read(stored))
    return HttpResponse(content, content_type="text/csv; charset=utf-8", headers=_attachment(stored.name))


def _attachment(name: str) -> dict[str, str]:
    # A header holds no control characters, and a server that finds one sends nothing at all.
    plain = "".join("-" if unicodedata.category(letter) == "Cc" else letter for letter in name)
    return {"Content-Disposition": content_disposition_header(True, plain) or "attachment"}
