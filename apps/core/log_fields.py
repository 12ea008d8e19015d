"""What the log lines of one request say about it: ids only, never content."""

from collections.abc import Mapping
from contextvars import ContextVar
from uuid import UUID

from apps.core import ids

# An id is written out only for a line that is written: most requests have none.
_Field = str | tuple[str, UUID]
_fields: ContextVar[dict[str, _Field] | None] = ContextVar("promptsaas_log_fields", default=None)


def begin(request_id: str) -> None:
    """Start the fields of a request in this thread or task."""
    _fields.set({"request_id": request_id})


def note(name: str, value: object) -> None:
    """Add an id to every further line of this request; outside a request it does nothing."""
    fields = _fields.get()
    if fields is not None:
        fields[name] = str(value)


def note_id(name: str, prefix: str, value: UUID) -> None:
    """Add the public form of an id to every further line of this request."""
    fields = _fields.get()
    if fields is not None:
        fields[name] = (prefix, value)


def end() -> None:
    """The request is over."""
    _fields.set(None)


def noted() -> Mapping[str, str]:
    """The fields of the request being served; none outside a request."""
    fields = _fields.get() or {}
    return {name: value if isinstance(value, str) else ids.encode(*value) for name, value in fields.items()}
