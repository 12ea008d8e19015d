"""What is looked at in every answer before it is recorded."""

from collections.abc import Iterable
from typing import Any, Final

from apps.runs.types import OutputRefusal, RunError, RunRequest

LARGEST_BYTES: Final = 1024 * 1024


def check_size(request: RunRequest, text: str) -> OutputRefusal | None:
    """Refuse a text of more than 1 MiB in UTF-8, and keep its beginning."""
    if len(text) * 4 <= LARGEST_BYTES:
        return None
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= LARGEST_BYTES:
        return None
    error = RunError(
        code="output_too_large",
        type="provider_error",
        message=f"The answer has more than {LARGEST_BYTES:,} bytes. Its beginning is kept.",
        status=422,
    )
    return OutputRefusal(error, encoded[:LARGEST_BYTES].decode("utf-8", "ignore"))


def check_calls(text: str, calls: Iterable[dict[str, Any]]) -> OutputRefusal | None:
    """Refuse tool calls whose arguments have more than 1 MiB together: a part of one is of no use."""
    if sum(len(call["function"]["arguments"].encode("utf-8", "replace")) for call in calls) <= LARGEST_BYTES:
        return None
    error = RunError(
        code="output_too_large",
        type="provider_error",
        message=f"The answer's tool calls have more than {LARGEST_BYTES:,} bytes.",
        status=422,
    )
    return OutputRefusal(error, text)
