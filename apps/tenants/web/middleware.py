"""Notes where each session is used, at most once in five minutes."""

import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from apps.core.logs import get_logger
from apps.tenants.entrance import client_ip
from apps.tenants.models import User
from apps.tenants.services import accounts

REMEMBERED: Final = 10_000

logger = get_logger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponseBase]


class SessionActivityMiddleware:
    """After a page of a signed-in user: device, address and time go into the list of sessions.

    This process's memory says when a session was noted last, so most requests cost nothing; the statement
    itself looks again, since other processes note the same sessions.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if request.session.accessed:
            self._note(request)
        return response

    def _note(self, request: HttpRequest) -> None:
        key, user = request.session.session_key, request.user
        if not key or not isinstance(user, User) or not _seen.is_due(key):
            return
        try:
            accounts.mark_session_seen(
                user_id=user.id,
                session_key=key,
                ip=client_ip(request),
                user_agent=request.headers.get("User-Agent", ""),
            )
        except DatabaseError as problem:
            # The page is answered; a late entry in a list is no reason to lose it.
            logger.warning("sessions.not_noted", extra={"error": type(problem).__name__})
        else:
            _seen.mark(key)


class _Seen:
    """When this process noted each session last."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_due(self, key: str) -> bool:
        return self._until.get(key, 0.0) <= time.monotonic()

    def mark(self, key: str) -> None:
        with self._lock:
            if len(self._until) >= REMEMBERED:
                self._until.clear()
            self._until[key] = time.monotonic() + accounts.SEEN_EVERY.total_seconds()


_seen = _Seen()
