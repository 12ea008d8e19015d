"""Where the engine finds prompts, connections and data keys: caches in front of ordinary queries."""

import asyncio
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from apps.core import crypto
from apps.core.change_readers import ChangeReader
from apps.core.changes import ChangeLine
from apps.core.errors import InvalidRequest, Unavailable
from apps.core.scope import organization_scope
from apps.prompts import queries as prompt_queries
from apps.prompts.serving import SERVING_CHANGED, ServingRules
from apps.prompts.types import ResolvedPrompt
from apps.providers import alias_queries
from apps.providers import queries as provider_queries
from apps.providers.adapters import open_provider
from apps.providers.alias_queries import ALIASES_CHANGED
from apps.providers.health import ConnectionHealth, HealthBook
from apps.providers.price_rules import PriceRule, rules_for
from apps.providers.types import SANDBOX, Connection, Provider
from apps.runs.blocking import BlockingCalls
from apps.runs.caches import Invalidated, ReadThroughCache, Tag
from apps.runs.types import PromptReference, RunRequest, Target
from apps.tenants.queries import CONTENT_CHANGED, stores_content

STALE_AFTER_SECONDS: Final = 1.0
FRESH_WAIT_SECONDS: Final = 1.0
# A call that was begun on a connection may still run when the connection is changed.
RETIRE_AFTER_SECONDS: Final = 900.0
# Much shorter than that, since a provider may be retired while a target still names it.
TARGET_SECONDS: Final = 60.0
TEST_MODEL: Final = "sandbox/standard"


_Place = tuple[int, int]
"""Organization and project as numbers: a UUID's own hash and comparison are Python's, a number's are C's."""
_Reference = tuple[int, str, str | None, int | None]


def _place(request: RunRequest) -> _Place:
    return request.organization_id.int, request.project_id.int


class Freshness:
    """Drops cache entries by the change feed, and vouches that the feed was read within the last second."""

    def __init__(self) -> None:
        self._caches: list[Invalidated] = []
        self._reader: ChangeReader | None = None

    def watch(self, *caches: Invalidated) -> None:
        """Keep these caches fresh from now on."""
        self._caches.extend(caches)

    def start(self) -> None:
        """Begin to follow the feed in the running loop."""
        self._reader = ChangeReader(on_change=self._changed, on_reset=self._reset)
        self._reader.start()

    async def stop(self) -> None:
        """Stop following."""
        if self._reader is not None:
            await self._reader.stop()

    async def demand(self) -> None:
        """Return when cached facts may be used; a busy process waits for its next read for a second.

        Raises Unavailable when the feed can't be read.
        """
        if self.is_fresh():
            return
        until = time.monotonic() + FRESH_WAIT_SECONDS
        while time.monotonic() < until:
            await asyncio.sleep(0.02)
            if self.is_fresh():
                return
        raise Unavailable("The service can't reach its database.", code="stale", retry_after=1)

    def lag_seconds(self) -> float:
        """Seconds since the last good read; infinite before the first."""
        return self._reader.stale_for() if self._reader is not None else math.inf

    def is_fresh(self) -> bool:
        """Whether the last good read is at most a second old."""
        return self.lag_seconds() <= STALE_AFTER_SECONDS

    def _changed(self, line: ChangeLine) -> None:
        for cache in self._caches:
            cache.invalidate((line.kind, line.key))
        if line.kind == "data_key" and line.organization_id is not None:
            crypto.forget_data_key(line.organization_id)

    def _reset(self) -> None:
        for cache in self._caches:
            cache.clear()
        crypto.forget_all_data_keys()


class CachedPrompts:
    """PromptSource: a version is immutable, a label moves; both are cached per reference."""

    def __init__(self, calls: BlockingCalls, freshness: Freshness) -> None:
        self._calls = calls
        self._freshness = freshness
        self._cache: ReadThroughCache[_Reference, ResolvedPrompt] = ReadThroughCache(
            lambda key, prompt: (
                ("prompt", str(prompt.prompt_id)),
                ("label", str(prompt.prompt_id)),
                (SERVING_CHANGED, str(UUID(int=key[0]))),
            )
        )
        self._rules: ReadThroughCache[_Place, ServingRules] = ReadThroughCache(
            lambda key, rules: ((SERVING_CHANGED, str(UUID(int=key[1]))),)
        )
        freshness.watch(self._cache, self._rules)

    async def resolve(self, request: RunRequest, reference: PromptReference) -> ResolvedPrompt:
        """See PromptSource.resolve."""
        if not self._freshness.is_fresh():
            await self._freshness.demand()
        key = (request.project_id.int, reference.name, reference.label, reference.number)
        found = self._cache.peek(key)
        if found is not None:
            return found
        return await self._cache.get(
            key,
            lambda: self._calls.run(lambda: _resolve(request.organization_id, request.project_id, reference)),
        )

    async def rules(self, request: RunRequest) -> ServingRules:
        """See PromptSource.rules."""
        await self._freshness.demand()
        return await self._rules.get(
            _place(request),
            lambda: self._calls.run(lambda: _rules(request.organization_id, request.project_id)),
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    connection: Connection
    provider: Provider
    health: ConnectionHealth | None


class CachedTargets:
    """TargetSource: opened providers, per project and connection. psk_test_ keys always get the sandbox.

    What comes of alias, connection and prices together is kept per model too, since every run asks for it.
    """

    def __init__(self, calls: BlockingCalls, freshness: Freshness) -> None:
        self._calls = calls
        self._freshness = freshness
        self.health = HealthBook()
        self._cache: ReadThroughCache[tuple[UUID, UUID, str], _Opened] = ReadThroughCache(
            lambda key, value: _connection_tags(key[0], key[1], key[2]), size=1000, dispose=self._retire
        )
        self._prices: ReadThroughCache[tuple[UUID, UUID], tuple[PriceRule, ...]] = ReadThroughCache(
            lambda key, value: (("prices", str(key[0])),)
        )
        self._aliases: ReadThroughCache[tuple[UUID, UUID], Mapping[str, str]] = ReadThroughCache(
            lambda key, value: ((ALIASES_CHANGED, str(key[0])),)
        )
        self._targets: ReadThroughCache[tuple[int, int, bool, str], Target] = ReadThroughCache(
            _target_tags, seconds=TARGET_SECONDS
        )
        self._retired: dict[Provider, asyncio.Task[None]] = {}
        freshness.watch(self._cache, self._prices, self._aliases, self._targets)

    async def open(self, request: RunRequest, model: str) -> Target:
        """See TargetSource.open."""
        if not self._freshness.is_fresh():
            await self._freshness.demand()
        key = (*_place(request), request.livemode, model)
        known = self._targets.peek(key)
        if known is not None:
            return known
        generation = self._targets.generation
        target = await self._find(request, model)
        self._targets.put(key, target, generation)
        return target

    async def _find(self, request: RunRequest, model: str) -> Target:
        place = (request.organization_id, request.project_id)
        aliases = await self._aliases.get(place, lambda: self._calls.run(lambda: _load_aliases(*place)))
        slug, _, model_id = aliases.get(model, model).partition("/")
        if not (slug and model_id):
            raise InvalidRequest(
                "A model is named <connection>/<model>, such as sandbox/standard, or by an alias.",
                code="model_malformed",
                param="model",
            )
        if not request.livemode and slug != SANDBOX:
            slug, _, model_id = TEST_MODEL.partition("/")
        opened = await self._cache.get((*place, slug), lambda: self._open(*place, slug))
        connection, provider = opened.connection, opened.provider
        connection.demand_enabled(model_id)
        if connection.is_sandbox:
            return Target(slug, connection.kind, model_id, provider, sandbox=True, asked=model)
        prices = await self._prices.get(place, lambda: self._calls.run(lambda: _load_prices(*place)))
        return Target(
            slug,
            connection.kind,
            model_id,
            provider,
            sandbox=False,
            prices=rules_for(prices, f"{slug}/{model_id}"),
            asked=model,
            health=opened.health,
        )

    async def close(self) -> None:
        """Close every provider that is open. No call may run any more."""
        self._targets.clear()
        self._cache.clear()
        for provider, task in list(self._retired.items()):
            task.cancel()
            await provider.close()

    async def _open(self, organization_id: UUID, project_id: UUID, slug: str) -> "_Opened":
        # In the thread as well: the first real provider reads the certificates.
        connection, provider = await self._calls.run(
            lambda: _open_connection(organization_id, project_id, slug)
        )
        return _Opened(connection, provider, self.health.of(organization_id, connection))

    def _retire(self, opened: "_Opened") -> None:
        provider = opened.provider
        self._retired[provider] = asyncio.get_running_loop().create_task(self._close_later(provider))

    async def _close_later(self, provider: Provider) -> None:
        await asyncio.sleep(RETIRE_AFTER_SECONDS)
        del self._retired[provider]
        await provider.close()


class CachedContentRules:
    """ContentRules: what project and organization say of storing content, cached per project."""

    def __init__(self, calls: BlockingCalls, freshness: Freshness) -> None:
        self._calls = calls
        self._freshness = freshness
        self._cache: ReadThroughCache[_Place, bool] = ReadThroughCache(
            lambda key, value: ((CONTENT_CHANGED, str(UUID(int=key[0]))),)
        )
        freshness.watch(self._cache)

    def known(self, request: RunRequest) -> bool | None:
        """See ContentRules.known."""
        return self._cache.peek(_place(request))

    async def stores(self, request: RunRequest) -> bool:
        """See ContentRules.stores. Freshness was demanded by the sources that were asked before."""
        return await self._cache.get(
            _place(request),
            lambda: self._calls.run(lambda: _stores_content(request.organization_id, request.project_id)),
        )


class CachedDataKeys:
    """DataKeys: `core.crypto` keeps the cache; a miss is loaded in a thread inside the scope."""

    def __init__(self, calls: BlockingCalls) -> None:
        self._calls = calls

    def known(self, organization_id: UUID) -> bytes | None:
        """See DataKeys.known."""
        return crypto.cached_data_key(organization_id)

    async def get(self, organization_id: UUID) -> bytes:
        """The organization's data key."""
        found = self.known(organization_id)
        if found is not None:
            return found
        return await self._calls.run(lambda: _load_data_key(organization_id))


def _connection_tags(organization_id: UUID, project_id: UUID, slug: str) -> tuple[Tag, ...]:
    # Of the project, and one of every project.
    return ("connection", f"{project_id}:{slug}"), ("connection", f"{organization_id}:{slug}")


def _target_tags(key: tuple[int, int, bool, str], target: Target) -> tuple[Tag, ...]:
    organization_id, project_id = UUID(int=key[0]), UUID(int=key[1])
    return (
        *_connection_tags(organization_id, project_id, target.connection),
        ("prices", str(organization_id)),
        (ALIASES_CHANGED, str(organization_id)),
    )


def _resolve(organization_id: UUID, project_id: UUID, reference: PromptReference) -> ResolvedPrompt:
    with organization_scope(organization_id):
        return prompt_queries.resolve(
            project_id=project_id, name=reference.name, label=reference.label, number=reference.number
        )


def _rules(organization_id: UUID, project_id: UUID) -> ServingRules:
    with organization_scope(organization_id):
        return prompt_queries.serving_rules(project_id)


def _open_connection(organization_id: UUID, project_id: UUID, slug: str) -> tuple[Connection, Provider]:
    with organization_scope(organization_id):
        connection = provider_queries.load_connection(project_id, slug)
    return connection, open_provider(connection)


def _load_aliases(organization_id: UUID, project_id: UUID) -> Mapping[str, str]:
    with organization_scope(organization_id):
        return alias_queries.alias_targets(project_id)


def _load_prices(organization_id: UUID, project_id: UUID) -> tuple[PriceRule, ...]:
    with organization_scope(organization_id):
        return provider_queries.price_rules(project_id)


def _stores_content(organization_id: UUID, project_id: UUID) -> bool:
    with organization_scope(organization_id):
        return stores_content(project_id)


def _load_data_key(organization_id: UUID) -> bytes:
    with organization_scope(organization_id):
        return crypto.data_key(organization_id)
