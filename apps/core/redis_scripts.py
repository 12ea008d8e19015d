"""Scripts in Redis over one bare connection, for calls that would otherwise cost more than they spare."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any, Final

from django.conf import settings

from apps.core.redis_line import LineError, RedisLine, open_line

_UNKNOWN: Final = "NOSCRIPT"


class RedisScripts:
    """For one event loop. The connection is opened when it is first needed, and anew after it was lost."""

    def __init__(self, *scripts: str) -> None:
        self._hashes = {
            script: hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest() for script in scripts
        }
        self._line: RedisLine | None = None
        self._opening = asyncio.Lock()

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | bytes | int]) -> Any:
        """One call, in one round trip. Raises OSError for whatever goes wrong with Redis."""
        line = self._line or await self._open()
        words = [str(word) if isinstance(word, int) else word for word in (len(keys), *keys, *arguments)]
        try:
            return await line.ask("EVALSHA", self._hashes[script], *words)
        except LineError as error:
            if not str(error).startswith(_UNKNOWN):
                raise
        # Somebody has emptied its list of scripts.
        return await line.ask("EVAL", script, *words)

    def drop(self) -> None:
        """Give the connection up: it does not answer, or is needed no more."""
        if self._line is not None:
            self._line.abort()
            self._line = None

    async def _open(self) -> RedisLine:
        async with self._opening:
            if self._line is None:
                loads = [("SCRIPT", "LOAD", script) for script in self._hashes]
                self._line = await open_line(settings.REDIS_URL, self._lost, *loads)
            return self._line

    def _lost(self, line: RedisLine) -> None:
        if self._line is line:
            self._line = None
