"""The words of a run: what goes into the engine, what comes out, what is recorded.

Plain frozen data without Django, so that the gateway, batches and evaluations can all speak it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

from apps.billing.allowance import Reservation
from apps.core.limit_bounds import Bounds, Verdict
from apps.core.records import record
from apps.guardrails.guard import Guard
from apps.prompts.serving import DEFAULT, ServingRules
from apps.prompts.types import ResolvedPrompt
from apps.providers.health import ConnectionHealth
from apps.providers.price_rules import PriceRule
from apps.providers.pricing import Price
from apps.providers.types import ChatRequest, Provider, Usage

Source = Literal["gateway", "batch", "playground"]
Status = Literal["succeeded", "failed", "cancelled"]
UsageOrigin = Literal["provider", "estimated", "cache", "none"]
CacheKind = Literal["", "exact", "semantic"]
AttemptKind = Literal["call", "retry", "fallback", "repair", "judge", "embedding", "batch"]
"""What a call was for; "batch" is a line of a provider's own batch, for which the run waited."""
CacheOutcome = Literal["off", "miss", "hit", "semantic_hit"]
"""What the caches had for a run; "off" where none was asked."""


@dataclass(frozen=True, slots=True)
class PromptReference:
    """A prompt asked for by name, at a label or at a version number (exactly one of them)."""

    name: str
    label: str | None = None
    number: int | None = None


@record(frozen=True, slots=True)
class VersionDefaults:
    """What a saved version sets for a call that says nothing else: its variables and its parameters."""

    variables: tuple[dict[str, Any], ...]
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class InlinePrompt:
    """Content that is run without being saved; it came through `prompts.content.clean_content`.

    The ids name the prompt, and the version, that the run counts for: None where it counts for none.
    `version_defaults` are that version's.
    """

    messages: tuple[dict[str, Any], ...]
    variables: tuple[dict[str, Any], ...] = ()
    model: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    output_schema: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    prompt_id: UUID | None = None
    name: str = ""
    version_id: UUID | None = None
    number: int | None = None
    version_defaults: VersionDefaults | None = None
    serving: ServingRules = DEFAULT


@record(frozen=True, slots=True)
class CacheWish:
    """What a call says of the caches; None leaves it to the policy.

    `seconds` is how old an answer may be that is taken, and how long this one is kept.
    """

    on: bool = True
    seconds: int | None = None
    semantic: bool | None = None
    threshold: float | None = None


@record(frozen=True, slots=True)
class RunRequest:
    """One run asked for: of `prompt`, of `inline` content, or of `model` with `messages`.

    `messages` are appended to a prompt's; `model` and `overrides` take the place of what its version says.
    `tools` None means the version's own.

    `usage_key` is what makes billing exact: two records with one key are one usage event.
    `livemode` False (a psk_test_ key) always runs the sandbox.
    `record_payload` False stores no content; the engine also sets it where the project says so.
    `claim` is the id of the idempotency row that this run completes, if the caller sent a key.
    `cache` is the call's word on the caches (see cache_plan), and `repair_attempts` on how often to ask again
    for an answer that breaks its schema; None leaves either to the policy.
    `limits` are those of key and organization; None: no key asked, and the organization's are looked up.
    `tell_limits` hears what they say, before anything is answered.
    `arrived` is when it came, by `time.perf_counter`; our own time counts from there.
    """

    run_id: UUID
    organization_id: UUID
    project_id: UUID
    source: Source
    usage_key: str
    prompt: PromptReference | None = None
    model: str | None = None
    messages: tuple[dict[str, Any], ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    source_id: UUID | None = None
    api_key_id: UUID | None = None
    request_id: str = ""
    livemode: bool = True
    record_payload: bool = True
    timeout_seconds: float = 60.0
    claim: UUID | None = None
    cache: CacheWish | None = None
    repair_attempts: int | None = None
    inline: InlinePrompt | None = None
    tools: tuple[dict[str, Any], ...] | None = None
    unit: str = ""
    background: bool = False
    limits: Bounds | None = None
    tell_limits: Callable[[Verdict], None] | None = field(default=None, compare=False, repr=False)
    arrived: float = field(default_factory=time.perf_counter)


@dataclass(frozen=True, slots=True)
class RunError:
    """Why a run failed: a stable `code`, the wire's error `type`, and words a person can act on."""

    code: str
    type: str
    message: str
    status: int = 502
    retry_after: float | None = None


@record(frozen=True, slots=True)
class Attempt:
    """One call to the provider; times in milliseconds from the run's start.

    `error` is empty where an answer came and was taken, `output_invalid` where it was asked for anew,
    `cancelled` where the caller went away; `breaker_open`, `busy` and a fallback's refusal were never made.
    `model` is the reference that was called. `usage` None: nothing was answered, or it was not told; `cost`
    in US dollars, None where it is not known.
    """

    start_ms: int
    duration_ms: int
    error: str = ""
    status: int | None = None
    model: str = ""
    kind: AttemptKind = "call"
    usage: Usage | None = None
    cost: Decimal | None = None

    def as_json(self) -> dict[str, Any]:
        """As stored in `Run.attempts`."""
        return {
            "start_ms": self.start_ms,
            "duration_ms": self.duration_ms,
            "error": self.error,
            "status": self.status,
            "model": self.model,
            "kind": self.kind,
            "usage": _usage_json(self.usage) if self.usage else None,
            "cost": amount_text(self.cost),
        }


def _usage_json(usage: Usage) -> dict[str, int | None]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
    }


@record(frozen=True, slots=True)
class RunStarted:
    """A streamed run has passed every check and is about to be called: later failures are its own.

    `cache` is None for a run that was carried out before.
    """

    created_at: datetime
    model: str
    cache: CacheOutcome | None = None


@record(frozen=True, slots=True)
class RunDelta:
    """A piece of a streamed answer: text, or OpenAI's deltas of tool calls. `cached`: an earlier run's."""

    text: str
    cached: bool = False
    tool_calls: tuple[dict[str, Any], ...] = ()


@record(frozen=True, slots=True)
class RunResult:
    """A finished run, already recorded. `parsed` is the answer as JSON where the version has a schema."""

    run_id: UUID
    created_at: datetime
    status: Status
    text: str
    parsed: Any
    usage: Usage
    price: Price | None
    latency_ms: int
    first_token_ms: int | None
    finish_reason: str | None
    error: RunError | None
    model: str
    sandbox: bool
    prompt_name: str = ""
    version_number: int | None = None
    label: str | None = None
    cached_from: UUID | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage_origin: UsageOrigin = "none"
    asked_model: str = ""
    cache: CacheOutcome | None = None
    cache_kind: CacheKind = ""
    cache_distance: float | None = None
    guardrail_hits: tuple[dict[str, Any], ...] = ()
    recorded: bool = True
    """False when a companion dropped the record because its fence was lost: the caller must not use it."""


@record(frozen=True, slots=True)
class RunRecord:
    """Everything that is written about a run, in one transaction, by a Recorder.

    Our own time counts from `own_since` (by `time.perf_counter`), into which the provider's is added already.
    """

    request: RunRequest
    result: RunResult
    prompt: ResolvedPrompt | InlinePrompt | None
    connection: str
    messages: tuple[dict[str, Any], ...]
    parameters: Mapping[str, Any]
    attempts: tuple[Attempt, ...]
    usage_origin: UsageOrigin
    provider_request_id: str
    reservation: Reservation
    output_schema: dict[str, Any] | None = None
    tools: tuple[dict[str, Any], ...] = ()
    overrides: tuple[str, ...] = ()
    address: str = ""
    own_since: float | None = None

    @property
    def answered(self) -> bool:
        """Whether there was a whole answer, of the provider or of the cache."""
        return self.usage_origin in ("provider", "cache")

    @property
    def charged(self) -> bool:
        """Whether the run counts as usage: the provider or the cache answered, wholly or in part."""
        return self.usage_origin != "none"


Ended = Callable[[bool | Exception], None]
"""Told once, after the commit: True if the record was written, False if its fence was lost, or the error."""


class Recorder(Protocol):
    """Writes finished runs."""

    def submit(self, record: RunRecord, data_key: bytes, ended: Ended) -> None:
        """Take a record to be written; from then on it is written, whatever becomes of the caller."""
        ...


class DataKeys(Protocol):
    """Gives an organization's data key, from a cache where possible."""

    def known(self, organization_id: UUID) -> bytes | None:
        """The key if it is at hand."""
        ...

    async def get(self, organization_id: UUID) -> bytes: ...


class RecordCompanion(Protocol):
    """Rows of another room that must land in the same transaction as the runs.

    `write` runs first in the transaction, under the system role, and returns the run ids that may be written;
    the others' fences are lost and their records are dropped. Rows must be sorted by key. On an error of any
    statement the group is halved and `write` is called again for each half in a new transaction.
    A group of which no companion is concerned needs no transaction around its statement.
    """

    def concerns(self, record: RunRecord) -> bool:
        """Whether the companion has anything to say about a record."""
        ...

    async def write(self, connection: Any, records: Sequence[RunRecord]) -> set[UUID]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """Where a model reference leads: an open provider and what pricing needs to know of it.

    `prices` are the organization's own for this model; the first that holds is the one. `asked` is the
    reference that was asked for, an alias as a rule where it is another one. Without `health` (the sandbox)
    calls are neither held back nor counted.
    """

    connection: str
    kind: str
    model: str
    provider: Provider
    sandbox: bool
    prices: tuple[PriceRule, ...] = ()
    asked: str = ""
    health: ConnectionHealth | None = None
    reference: str = field(init=False)
    """The model as runs name it."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reference", f"{self.connection}/{self.model}")


@record(frozen=True, slots=True)
class PreparedRun:
    """A run ready to be called: everything is found, rendered and checked, nothing is spent.

    `guard` is None where no guardrails look at the run.
    """

    request: RunRequest
    prompt: ResolvedPrompt | InlinePrompt | None
    target: Target
    chat: ChatRequest
    created_at: datetime
    rules: ServingRules = DEFAULT
    guard: Guard | None = None


class PromptSource(Protocol):
    """Finds the version a reference means, and how what has no prompt is served."""

    async def resolve(self, request: RunRequest, reference: PromptReference) -> ResolvedPrompt:
        """The version. Raises errors.NotFound."""
        ...

    async def rules(self, request: RunRequest) -> ServingRules:
        """How the project's plain models are served."""
        ...


class TargetSource(Protocol):
    """Finds and opens the connection of a model reference. Raises errors.NotFound, errors.InvalidRequest."""

    async def open(self, request: RunRequest, model: str) -> Target: ...


def amount_text(amount: Decimal | None) -> str | None:
    """An amount of dollars as the APIs write it: plain decimals, without trailing zeros."""
    return None if amount is None else f"{amount.normalize():f}"


class ContentRules(Protocol):
    """Whether a project stores what its runs send and answer."""

    def known(self, request: RunRequest) -> bool | None:
        """The answer of `stores` if it is at hand."""
        ...

    async def stores(self, request: RunRequest) -> bool: ...


@dataclass(frozen=True, slots=True)
class OutputRefusal:
    """What an output check says: why the run fails, and the text that is kept of the answer."""

    error: RunError
    kept: str


OutputCheck = Callable[[RunRequest, str], OutputRefusal | None]
"""A check of an answer before it is recorded, streamed or not; None lets it pass."""
