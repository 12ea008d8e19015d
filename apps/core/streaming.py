"""Streams that never end early without saying so.

The server closes a chunked answer in good order when its generator fails, so a cut file would look complete.
(A killed process breaks the connection, which every client notices.)
"""

import csv
import io
from collections.abc import Iterator
from typing import Final, Literal

import orjson

from apps.core.logs import get_logger
from apps.core.request_id import current_request_id

Kind = Literal["csv", "jsonl", "none"]
"""How a file says that it is incomplete; "none" for those that no program reads without their end."""

INCOMPLETE: Final = "This file is incomplete: an error on our side ended it early. Download it again."

logger = get_logger(__name__)


def ended_honestly(chunks: Iterator[bytes], kind: Kind) -> Iterator[bytes]:
    """The chunks; when reading them fails, a last line that says that the file is incomplete."""
    return _guarded(chunks, kind, current_request_id() or "")


def _guarded(chunks: Iterator[bytes], kind: Kind, request_id: str) -> Iterator[bytes]:
    try:
        yield from chunks
    except Exception:
        logger.exception("stream.failed", extra={"request_id": request_id})
        yield _last_line(kind, request_id)


def _last_line(kind: Kind, request_id: str) -> bytes:
    if kind == "none":
        return b""
    if kind == "jsonl":
        error = {
            "type": "api_error",
            "code": "incomplete_file",
            "message": INCOMPLETE,
            "request_id": request_id,
        }
        return orjson.dumps({"error": error}) + b"\n"
    buffer = io.StringIO()
    csv.writer(buffer).writerow(["INCOMPLETE", INCOMPLETE, request_id])
    return buffer.getvalue().encode()
