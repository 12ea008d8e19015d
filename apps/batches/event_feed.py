"""A stream's answers as server-sent events.

A listener takes one of the web process's threads, so there are few at a time and none stays for long: the
browser's EventSource, and every other client of the format, comes back by itself and says where it was.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import UUID

from apps.batches.stream_models import Stream
from apps.batches.stream_queries import Answers, answers_after
from apps.core.errors import Unavailable
from apps.core.json_bodies import dump_json
from apps.core.scope import organization_scope

MOST_LISTENERS: Final = 4
"""In one process."""

LISTENING_SECONDS: Final = 50.0
LOOK_SECONDS: Final = 0.5
SIGN_OF_LIFE_SECONDS: Final = 10.0
RETRY_MILLISECONDS: Final = 1_000

_listeners = threading.BoundedSemaphore(MOST_LISTENERS)


class Feed:
    """One listener. Iterate it in the thread that answers; `close` gives its place away.

    Raises Unavailable where there is no place, to be tried again in some seconds.
    """

    def __init__(
        self,
        stream: Stream,
        cursor: str,
        tell: Callable[[Answers], list[dict[str, Any]]],
        *,
        seconds: float = LISTENING_SECONDS,
    ) -> None:
        if not _listeners.acquire(blocking=False):
            message = "Too many listeners at the moment; read the results page by page or come again."
            raise Unavailable(message, code="too_many_listeners", retry_after=10)
        self._open = True
        self._organization_id: UUID = stream.organization_id
        self._stream_id = stream.pk
        self._cursor = cursor
        self._tell = tell
        self._until = time.monotonic() + seconds

    def close(self) -> None:
        """Give the place away; the server calls it when the client is gone."""
        if self._open:
            self._open = False
            _listeners.release()

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield f"retry: {RETRY_MILLISECONDS}\n\n".encode()
            alive_at = time.monotonic()
            while time.monotonic() < self._until:
                written = self._new_events()
                if written:
                    yield written
                    alive_at = time.monotonic()
                    continue
                if time.monotonic() - alive_at > SIGN_OF_LIFE_SECONDS:
                    yield b": waiting\n\n"
                    alive_at = time.monotonic()
                time.sleep(LOOK_SECONDS)
        finally:
            self.close()

    def _new_events(self) -> bytes:
        with organization_scope(self._organization_id):
            stream = Stream.objects.get(pk=self._stream_id)
            answers = answers_after(stream, self._cursor)
            told = self._tell(answers)
        self._cursor = answers.cursor
        return b"".join(
            b"id: " + row["cursor"].encode() + b"\nevent: result\ndata: " + dump_json(row) + b"\n\n"
            for row in told
        )
