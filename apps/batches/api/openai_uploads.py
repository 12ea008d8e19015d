"""Large files by form: spooled to the disk within a bound, before any transaction is open."""

from typing import Any, Final

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest

from apps.core.errors import InvalidRequest

FORM_BYTES: Final = 64 * 1024
"""What the other fields and the boundaries of a form may take beside its file."""


class BoundedFileHandler(TemporaryFileUploadHandler):
    """Writes a file to the disk as it comes, and refuses the request once it is too large."""

    def __init__(self, request: HttpRequest, limit: int) -> None:
        super().__init__(request)
        self.limit = limit
        self.received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a chunk. Raises InvalidRequest ``file_too_large``."""
        self.received += len(raw_data)
        if self.received > self.limit:
            raise too_large(self.limit)
        super().receive_data_chunk(raw_data, start)

    def file_complete(self, file_size: int) -> TemporaryUploadedFile | None:
        """The file on the disk."""
        done: Any = super().file_complete(file_size)
        return None if done is None else done


def bound_upload(request: HttpRequest, limit: int) -> None:
    """Let a request's form hold at most `limit` bytes of files. Raises InvalidRequest for more."""
    length = request.headers.get("Content-Length", "")
    if length.isdigit() and int(length) > limit + FORM_BYTES:
        raise too_large(limit)
    request.upload_handlers = [BoundedFileHandler(request, limit)]


def too_large(limit: int) -> InvalidRequest:
    """The refusal of a file that is too large."""
    return InvalidRequest(
        f"The file is larger than {limit // 1024**2} MB.", code="file_too_large", param="file"
    )
