"""What a caller is told whom a limit refuses."""

from typing import Final

from apps.core.errors import RateLimited
from apps.core.limit_bounds import Verdict
from apps.core.metrics import counter

REFUSALS: Final = counter(
    "promptsaas_limit_refusals", "Requests that a limit refused, by the limit.", ("limit",)
)
_WHOSE: Final = {
    "key": "this API key",
    "organization": "this organization",
    "prompt": "this prompt",
    "project": "this project's plain models",
    "user": "this end user",
    "playground": "you in the playground",
}
_WHAT: Final = {
    "requests_per_minute": "requests a minute",
    "tokens_per_minute": "tokens a minute",
    "concurrent_runs": "runs at a time",
}


def limit_refusal(verdict: Verdict) -> RateLimited:
    """The error for a refusal: which limit it was, and when to come again."""
    refused = verdict.refused()
    assert refused is not None
    REFUSALS.labels(refused.name).inc()
    scope, _, unit = refused.name.partition(".")
    return RateLimited(
        f"More than {refused.limit:,} {_WHAT[unit]} for {_WHOSE[scope]}.",
        code="rate_limit_exceeded",
        retry_after=refused.retry_after,
        limit=refused.name,
    )
