"""What a provider's refusal means: a reason, whether to try again, and when. Pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from apps.providers.types import CallErrorReason, Connection, ProviderCallError

LONGEST_MESSAGE: Final = 500
LONGEST_REQUEST_ID: Final = 128
LONGEST_WAIT: Final = 86_400.0
REQUEST_ID_HEADERS: Final = ("x-request-id", "request-id")

_STATUS_REASONS: Final[dict[int, CallErrorReason]] = {
    401: "authentication",
    402: "rate_limited",
    403: "authentication",
    408: "timeout",
    429: "rate_limited",
    504: "timeout",
}
# What errors call themselves. It decides where it is known: within a stream the status is 200.
_NAMED_REASONS: Final[dict[str, CallErrorReason]] = {
    "api_error": "server",
    "authentication_error": "authentication",
    "billing_error": "rate_limited",
    "insufficient_quota": "rate_limited",
    "overloaded_error": "server",
    "permission_error": "authentication",
    "rate_limit_error": "rate_limited",
    "timeout_error": "timeout",
}
_RETRYABLE_STATUSES: Final = frozenset({408, 409, 429})
_FINAL_NAMES: Final = frozenset({"insufficient_quota", "billing_error"})


class CallErrors:
    """The errors of one connection; no message holds one of its secrets.

    `not_understood` is said of an answer that makes no sense.
    """

    def __init__(self, connection: Connection, not_understood: str) -> None:
        self._secrets = [secret for secret in (connection.api_key, *connection.headers.values()) if secret]
        self._not_understood = not_understood

    def not_understood(self) -> ProviderCallError:
        """An answer that makes no sense."""
        return ProviderCallError(self._not_understood, reason="server", retryable=False)

    def incomplete(self) -> ProviderCallError:
        """A stream that ended early."""
        message = "The provider's stream ended before the answer was complete."
        return ProviderCallError(message, reason="connection", retryable=True)

    def late(self) -> ProviderCallError:
        """No answer in time."""
        return ProviderCallError("The provider did not answer in time.", reason="timeout", retryable=True)

    def broken(self) -> ProviderCallError:
        """No connection, or one that broke."""
        message = "The connection to the provider failed."
        return ProviderCallError(message, reason="connection", retryable=True)

    def refused(self, message: str) -> ProviderCallError:
        """An address that may not be called, an answer that may not be read."""
        return ProviderCallError(message, reason="connection", retryable=False)

    def told(self, body: Any) -> ProviderCallError:
        """An error within a stream, by what it says of itself."""
        names, message = names_and_message(body)
        return ProviderCallError(
            self.clean(message or "The provider broke off with an error."),
            reason=_reason(200, names) if names & _NAMED_REASONS.keys() else "server",
            retryable=not names & _FINAL_NAMES,
        )

    def of_status(self, status: int, body: Any, headers: Mapping[str, str]) -> ProviderCallError:
        """An answer with the status of an error."""
        names, told = names_and_message(body)
        return ProviderCallError(
            self.clean(told) if told else f"The provider answered HTTP {status}.",
            reason=_reason(status, names),
            retryable=_is_retryable(status, names),
            retry_after=retry_after(headers),
            status=status if status >= 400 else None,
            provider_request_id=request_id(headers),
        )

    def clean(self, message: str) -> str:
        """A provider's words without our secrets."""
        for secret in self._secrets:
            message = message.replace(secret, "…")
        return message[:LONGEST_MESSAGE]


def request_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own id of a call."""
    for name in REQUEST_ID_HEADERS:
        found = headers.get(name)
        if found:
            return found[:LONGEST_REQUEST_ID]
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the provider asks to wait, at most a day; None where it does not say."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return min(milliseconds / 1000, LONGEST_WAIT)
    told = headers.get("retry-after")
    seconds = _number(told)
    if seconds is None and told:
        seconds = _seconds_until(told)
    return None if seconds is None else min(seconds, LONGEST_WAIT)


def names_and_message(body: Any) -> tuple[frozenset[str], str]:
    """What an error calls itself (`code`, `type`) and says, wrapped in `error` or not."""
    given = body if isinstance(body, Mapping) else {}
    inner = given.get("error")
    if isinstance(inner, str):
        return frozenset(), inner
    told: Mapping[str, Any] = inner if isinstance(inner, Mapping) else given
    names = frozenset(str(told[key]) for key in ("code", "type") if told.get(key))
    message = told.get("message")
    return names, message if isinstance(message, str) else ""


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(number) or number < 0 else number


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _reason(status: int, names: frozenset[str]) -> CallErrorReason:
    if any("content_filter" in name or "content_policy" in name for name in names):
        return "content_filter"
    named = [_NAMED_REASONS[name] for name in sorted(names) if name in _NAMED_REASONS]
    if named:
        return named[0]
    return _STATUS_REASONS.get(status, "server" if status >= 500 else "bad_request")


def _is_retryable(status: int, names: frozenset[str]) -> bool:
    if names & _FINAL_NAMES or status == 402:
        return False
    return status in _RETRYABLE_STATUSES or status >= 500
