"""A bound of what a request may bring as files.

Django bounds the fields of a form and no files: they would fill the disk, even for a caller who turns out to
be nobody, since a form is read before its view is asked.
"""

from typing import Final

from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler

MOST_BYTES: Final = 101 * 1024 * 1024
"""A little more than any service takes, so that it is a service that says how much that is."""


class BoundedUpload(FileUploadHandler):
    """Stands before the handlers that keep what is uploaded, and ends a request that brings too much."""

    received = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        """Pass a piece on. Raises RequestDataTooBig behind the bound, over all files of the request."""
        self.received += len(raw_data)
        if self.received > MOST_BYTES:
            raise RequestDataTooBig(f"more than {MOST_BYTES:,} bytes of files")
        return raw_data

    def file_complete(self, file_size: int) -> None:
        """Leave the file to the next handler."""
