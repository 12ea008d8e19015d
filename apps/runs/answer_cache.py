"""The exact cache of answers: what a project asked before, word for word, is answered from Redis.

An answer stands under an HMAC of everything that decides it, keyed per organization, and is sealed under the
organization's data key: Redis learns neither questions nor answers. Beside it stands for a moment who asks:
other processes wait for that answer instead of asking the same.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from apps.core import crypto
from apps.core.logs import get_logger
from apps.core.redis import client
from apps.core.redis_scripts import RedisScripts
from apps.runs.answers import CachedAnswer
from apps.runs.cache_plan import exact_question
from apps.runs.types import DataKeys, PreparedRun

LARGEST_BYTES: Final = 256 * 1024
WAIT_SECONDS: Final = 0.1
# After a failure Redis is left alone for a while: its time-out must not be paid by every run.
REST_SECONDS: Final = 1.0
SCANNED_AT_ONCE: Final = 1000
# How long a process that asks is waited for by others; nothing prolongs it, so a killed one costs no more.
LEASE_SECONDS: Final = 10.0
FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.25

# The answer; or 1 for whoever asks from now on, 0 where somebody else does.
_FIND: Final = """
local kept = redis.call('GET', KEYS[1])
if kept then return kept end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
return 0
"""
# Keep an answer, if there is one, and let others ask again.
_LEAVE: Final = """
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
return 1
"""

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands, what it is sealed with, and by which token this run says that it asks."""

    key: str
    asking: str
    token: str
    data_key: bytes
    associated_data: bytes


class AnswerCache:
    """Answers in Redis; a dead Redis or an unreadable value is a miss, after at most `wait_seconds`."""

    def __init__(self, data_keys: DataKeys, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._data_keys = data_keys
        self._wait_seconds = wait_seconds
        self._resting_until = 0.0
        self._scripts = RedisScripts(_FIND, _LEAVE)

    async def place(self, prepared: PreparedRun) -> Place:
        """Where the answer to a run would stand."""
        organization_id = prepared.request.organization_id
        data_key = await self._data_keys.get(organization_id)
        naming_key = hmac.digest(data_key, b"promptsaas answer cache 1", hashlib.sha256)
        name = hmac.new(naming_key, exact_question(prepared), hashlib.sha256).hexdigest()
        return Place(
            key=f"{_beginning(organization_id)}{name}",
            asking=f"asking:{organization_id.hex}:{name}",
            token=secrets.token_hex(8),
            data_key=data_key,
            associated_data=f"answer cache\x1f{organization_id}\x1f{name}".encode(),
        )

    async def find(self, place: Place, *, oldest: int, seconds: float) -> CachedAnswer | None:
        """An answer of at most `oldest` seconds of age; while another process asks, it is waited for.

        That wait takes at most `seconds`, and no longer than a lease. None makes this run the one that asks.
        """
        until = time.monotonic() + min(seconds, LEASE_SECONDS)
        pause = FIRST_PAUSE
        while True:
            reply = await self._run(_FIND, place, place.token, round(LEASE_SECONDS * 1000))
            if isinstance(reply, bytes):
                return _opened(place, reply, oldest)
            if reply != 0 or time.monotonic() + pause > until:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    async def keep(self, place: Place, answer: CachedAnswer, seconds: int) -> None:
        """Keep an answer; one that is too large is not kept."""
        plaintext = orjson.dumps({"run": answer.run_id, "at": int(time.time()), "text": answer.text})
        if len(plaintext) > LARGEST_BYTES:
            await self.leave(place)
            return
        sealed = crypto.seal_bytes(place.data_key, plaintext, place.associated_data)
        await self._run(_LEAVE, place, place.token, sealed, seconds)

    async def leave(self, place: Place) -> None:
        """This run asks no more, and left no answer."""
        await self._run(_LEAVE, place, place.token, b"", 0)

    async def close(self) -> None:
        """Close the connection."""
        self._scripts.drop()
        await asyncio.sleep(0)

    async def _run(self, script: str, place: Place, *arguments: str | bytes | int) -> Any:
        if time.monotonic() < self._resting_until:
            return None
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await self._scripts.run(script, (place.key, place.asking), arguments)
        except OSError as error:  # which a time-out is too
            self._scripts.drop()
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


def _opened(place: Place, sealed: bytes, seconds: int) -> CachedAnswer | None:
    try:
        value = orjson.loads(crypto.unseal_bytes(place.data_key, sealed, place.associated_data))
    except crypto.SealBroken as error:
        logger.warning("runs.cached_answer_unreadable", extra={"error": str(error)})
        return None
    # Another caller may have kept it for longer than this one wants it to be old.
    if time.time() - value["at"] > seconds:
        return None
    return CachedAnswer(UUID(value["run"]), value["text"])
