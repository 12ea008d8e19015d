"""Lines of a batch's output and error files, as OpenAI writes them. Pure.

The order is that of the input, which OpenAI does not promise. A line of the error file has `error` in any
case, so that one look tells; where the request was answered, `response` holds the answer beside it.
"""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from apps.core import ids

SUCCESS: Final = range(200, 300)
_LEFT_OUT: Final = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed, because the batch was cancelled."),
    "failed": ("batch_stopped", "This request was not executed, because the batch was stopped."),
}
_GONE: Final = ("content_deleted", "The answer was deleted before it was written to a file.")


@dataclass(frozen=True, slots=True)
class Answered:
    """One request and how it ended.

    `status_code` and `body`, the JSON of the answer, are there where it was answered; else `error_code` and
    `error_message` tell why not, or nothing for a request that was never run.
    """

    custom_id: str
    number: int
    run_id: UUID | None = None
    status_code: int | None = None
    body: bytes = b""
    succeeded: bool = False
    error_code: str = ""
    error_message: str = ""

    @property
    def belongs_to_output(self) -> bool:
        """Whether it goes to the output file and not to that of errors."""
        return self.status_code in SUCCESS


def line(answered: Answered, batch_id: UUID, batch_status: str) -> bytes:
    """The line of one request, with its line end."""
    told: dict[str, Any] = {
        "id": f"batch_req_{batch_id.hex}{answered.number:08x}",
        "custom_id": answered.custom_id,
        "response": _response(answered),
        "error": None if answered.belongs_to_output else _error(answered, batch_status),
    }
    return orjson.dumps(told) + b"\n"


def request_id(run_id: UUID) -> str:
    """The request's id of a run: what its line names, and what the run is found by."""
    return ids.encode("req", run_id)


def _response(answered: Answered) -> dict[str, Any] | None:
    if answered.status_code is None:
        return None
    return {
        "status_code": answered.status_code,
        "request_id": request_id(answered.run_id) if answered.run_id else None,
        "body": orjson.Fragment(answered.body),
    }


def _error(answered: Answered, batch_status: str) -> dict[str, str]:
    code, message = answered.error_code, answered.error_message
    if answered.succeeded:
        code, message = _GONE
    elif not code:
        code, message = _LEFT_OUT.get(batch_status, _LEFT_OUT["failed"])
    return {"code": code, "message": message}
