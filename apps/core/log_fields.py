"""What the log lines of one request say about it: ids only, never content."""

from collections.abc import Mapping
from contextvars import ContextVar

_fields: ContextVar[dict[str, str] | None] = ContextVar("promptsaas_log_fields", default=None)


def begin(request_id: str) -> None:
    """Start the fields of a request in this thread or task."""
    _fields.set({"request_id": request_id})


def note(name: str, value: object) -> None:
    """Add an id to every further line of this request; outside a request it does nothing."""
    fields = _fields.get()
    if fields is not None:
        fields[name] = str(value)


def end() -> None:
    """The request is over."""
    _fields.set(None)


def noted() -> Mapping[str, str]:
    """The fields of the request being served; none outside a request."""
    return _fields.get() or {}
