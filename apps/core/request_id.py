"""The id of the request being served: in every answer, error, log line and audit event."""

from contextvars import ContextVar

from apps.core import ids

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


def new_request_id() -> str:
    """A fresh id such as `req_01k9m…`."""
    return ids.encode("req", ids.uuid7())


def current_request_id() -> str | None:
    """The id of the request that this thread or task serves, or None outside a request."""
    return _current.get()


def set_request_id(request_id: str | None) -> None:
    """Name the request that this thread or task serves from now on."""
    _current.set(request_id)
