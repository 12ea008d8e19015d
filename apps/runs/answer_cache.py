"""The exact cache of answers: what a project asked before, word for word, is answered from Redis.

It is asked for per run. An answer stands under an HMAC of everything that decides it, keyed per
organization, and is sealed under the organization's data key: Redis learns neither questions nor answers.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from redis.asyncio import Redis

from apps.core import crypto
from apps.core.logs import get_logger
from apps.core.redis import DEAD_REDIS, async_client, client
from apps.runs.types import CachedAnswer, DataKeys, PreparedRun, RunResult

LONGEST_SECONDS: Final = 86_400
LARGEST_BYTES: Final = 256 * 1024
WAIT_SECONDS: Final = 0.1
# After a failure Redis is left alone for a while: its time-out must not be paid by every run.
REST_SECONDS: Final = 1.0
SCANNED_AT_ONCE: Final = 1000

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an answer stands, and what it is sealed with."""

    key: str
    data_key: bytes
    associated_data: bytes


class AnswerCache:
    """Answers in Redis; a dead Redis or an unreadable value is a miss, after at most `wait_seconds`."""

    def __init__(self, data_keys: DataKeys, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._data_keys = data_keys
        self._wait_seconds = wait_seconds
        self._resting_until = 0.0

    async def find(self, prepared: PreparedRun) -> CachedAnswer | None:
        """See Answers.find."""
        seconds = prepared.request.cache_seconds
        # A project that stores no content has none to give: what it kept before it said so goes by its time.
        if seconds is None or not prepared.request.record_payload:
            return None
        place = await self._place(prepared)
        sealed = await self._call(lambda redis: redis.get(place.key))
        return _opened(place, sealed, seconds) if isinstance(sealed, bytes) else None

    def wants(self, prepared: PreparedRun, result: RunResult) -> bool:
        """See Answers.wants. What may not be recorded is not kept here either."""
        request = prepared.request
        return request.cache_seconds is not None and request.record_payload and _is_good(result)

    async def keep(self, prepared: PreparedRun, result: RunResult) -> None:
        """See Answers.keep."""
        seconds = prepared.request.cache_seconds
        plaintext = orjson.dumps({"run": result.run_id, "at": int(time.time()), "text": result.text})
        if len(plaintext) > LARGEST_BYTES:
            return
        place = await self._place(prepared)
        sealed = crypto.seal_bytes(place.data_key, plaintext, place.associated_data)
        await self._call(lambda redis: redis.set(place.key, sealed, ex=seconds))

    async def _place(self, prepared: PreparedRun) -> _Place:
        data_key = await self._data_keys.get(prepared.request.organization_id)
        naming_key = hmac.digest(data_key, b"promptsaas answer cache 1", hashlib.sha256)
        name = hmac.new(naming_key, _question(prepared), hashlib.sha256).hexdigest()
        place = f"answer cache\x1f{prepared.request.organization_id}\x1f{name}"
        key = f"{_beginning(prepared.request.organization_id)}{name}"
        return _Place(key, data_key, place.encode())

    async def _call(self, command: Callable[[Redis], Awaitable[Any]]) -> Any:
        if time.monotonic() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await command(async_client())
        except (*DEAD_REDIS, TimeoutError) as error:
            self._resting_until = time.monotonic() + REST_SECONDS
            logger.warning("runs.answer_cache_is_away", extra={"error": str(error)})
            return None


def forget_answers(organization_id: UUID) -> int:
    """Delete every cached answer of an organization; returns how many. Raises one of DEAD_REDIS."""
    redis = client()
    deleted = 0
    for key in redis.scan_iter(match=f"{_beginning(organization_id)}*", count=SCANNED_AT_ONCE):
        deleted += redis.unlink(key)
    return deleted


def _beginning(organization_id: UUID) -> str:
    """What the names of an organization's answers begin with."""
    return f"answer:{organization_id.hex}:"


def _question(prepared: PreparedRun) -> bytes:
    """Everything that decides the answer, in one order; the address too, for a connection can be changed."""
    target, chat = prepared.target, prepared.chat
    parts = {
        "project": prepared.request.project_id,
        "connection": [target.connection, target.kind],
        "model": target.model,
        "messages": list(chat.messages),
        "parameters": chat.parameters,
        "output_schema": chat.output_schema,
        "tools": list(chat.tools),
    }
    return orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)


def _is_good(result: RunResult) -> bool:
    return (
        result.recorded
        and result.cached_from is None
        and result.status == "succeeded"
        and result.finish_reason == "stop"
    )


def _opened(place: _Place, sealed: bytes, seconds: int) -> CachedAnswer | None:
    try:
        value = orjson.loads(crypto.unseal_bytes(place.data_key, sealed, place.associated_data))
    except crypto.SealBroken as error:
        logger.warning("runs.cached_answer_unreadable", extra={"error": str(error)})
        return None
    # Another caller may have kept it for longer than this one wants it to be old.
    if time.time() - value["at"] > seconds:
        return None
    return CachedAnswer(UUID(value["run"]), value["text"])
