"""In-process caches kept fresh by the change feed.

An entry carries tags (kind and key of the change feed); a change drops every entry that carries its tag.
"""

import asyncio
import time
from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from apps.core.errors import PromptsaasError

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Tag = tuple[str, str]

REFUSAL_SECONDS = 1.0


class Invalidated(Protocol):
    """A cache that the change feed can speak to."""

    def invalidate(self, tag: Tag) -> None: ...

    def clear(self) -> None: ...


@dataclass(slots=True)
class _Entry(Generic[Value]):
    value: Value | None
    refusal: PromptsaasError | None
    tags: tuple[Tag, ...]
    until: float


class ReadThroughCache(Generic[Key, Value]):
    """At most `size` values, each for at most `seconds`; one load at a time per key.

    A refusal (a core error below 500) is kept for one second, so that a client that repeats a bad
    request does not reach the database each time.
    """

    def __init__(
        self,
        tags: Callable[[Key, Value], Iterable[Tag]],
        *,
        size: int = 10_000,
        seconds: float = 300.0,
        dispose: Callable[[Value], None] = lambda value: None,
    ) -> None:
        self._tags = tags
        self._size = size
        self._seconds = seconds
        self._dispose = dispose
        self._entries: OrderedDict[Key, _Entry[Value]] = OrderedDict()
        self._tagged: defaultdict[Tag, set[Key]] = defaultdict(set)
        self._loading: dict[Key, asyncio.Task[Value]] = {}
        self._generation = 0

    def peek(self, key: Key) -> Value | None:
        """The value if it is at hand."""
        entry = self._entries.get(key)
        if entry is None or entry.until < time.monotonic():
            return None
        return entry.value

    async def get(self, key: Key, load: Callable[[], Awaitable[Value]]) -> Value:
        """The value, loaded if need be. Raises what the loader raises."""
        entry = self._entries.get(key)
        if entry is not None and entry.until >= time.monotonic():
            if entry.refusal is not None:
                raise entry.refusal.with_traceback(None)
            assert entry.value is not None
            return entry.value
        task = self._loading.get(key)
        if task is None:
            task = self._loading[key] = asyncio.create_task(self._fill(key, load))
            task.add_done_callback(_retrieve)
        # One waiter's cancellation must not take the load from the others.
        return await asyncio.shield(task)

    @property
    def generation(self) -> int:
        """How many changes the cache was told of; see `put`."""
        return self._generation

    def put(self, key: Key, value: Value, generation: int) -> None:
        """Keep a value that was made of what was so at a generation, unless there was a change since."""
        if generation == self._generation:
            tags = tuple(self._tags(key, value))
            self._store(key, _Entry(value, None, tags, time.monotonic() + self._seconds))

    def invalidate(self, tag: Tag) -> None:
        """Drop every entry with the tag, and keep loads that began before from being stored."""
        self._generation += 1
        for key in self._tagged.pop(tag, set()):
            self._drop(key)

    def clear(self) -> None:
        """Drop everything."""
        self._generation += 1
        for key in list(self._entries):
            self._drop(key)

    async def _fill(self, key: Key, load: Callable[[], Awaitable[Value]]) -> Value:
        generation = self._generation
        try:
            value = await load()
        except PromptsaasError as refusal:
            if refusal.status < 500 and generation == self._generation:
                self._store(key, _Entry(None, refusal, (), time.monotonic() + REFUSAL_SECONDS))
            raise
        finally:
            del self._loading[key]
        self.put(key, value, generation)
        return value

    def _store(self, key: Key, entry: _Entry[Value]) -> None:
        self._drop(key)
        self._entries[key] = entry
        for tag in entry.tags:
            self._tagged[tag].add(key)
        if len(self._entries) > self._size:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for tag in entry.tags:
            keys = self._tagged.get(tag)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._tagged[tag]
        if entry.value is not None:
            self._dispose(entry.value)


def _retrieve(task: "asyncio.Task[Value]") -> None:
    """Take the error of a load whose waiters have all gone, so that asyncio does not log it."""
    if not task.cancelled():
        task.exception()
