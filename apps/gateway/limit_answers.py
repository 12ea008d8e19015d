"""What a caller is told of its limits: our headers and OpenAI's."""

import math
from collections.abc import Callable, Iterable
from functools import partial

from apps.core.limit_bounds import Decision, Verdict
from apps.gateway.http import HttpRequest

REQUESTS = "requests_per_minute"
TOKENS = "tokens_per_minute"


def tell_limits(request: HttpRequest, verdict: Verdict) -> None:
    """Put what is left into the answer's headers.

    `RateLimit-*` are those of the tightest limit, `x-ratelimit-*-requests` and `-tokens` of the tightest
    of their kind. Told a second time, the answer keeps whichever is tighter.
    """
    decisions = verdict.decisions
    if not decisions:
        return
    headers = request.answer_headers
    tightest = decisions[0] if len(decisions) == 1 else min(decisions, key=_room)
    before = headers.get(b"ratelimit-remaining")
    if before is None or not tightest.allowed or tightest.remaining < int(before):
        headers[b"ratelimit-limit"] = b"%d" % tightest.limit
        headers[b"ratelimit-remaining"] = b"%d" % tightest.remaining
        headers[b"ratelimit-reset"] = b"%d" % math.ceil(tightest.reset_after)
    _tell_kind(headers, b"requests", decisions, REQUESTS)
    _tell_kind(headers, b"tokens", decisions, TOKENS)


def teller(request: HttpRequest) -> Callable[[Verdict], None]:
    """What a run calls when its limits, and those owed for the request, have been asked."""
    return partial(_told, request)


def _told(request: HttpRequest, verdict: Verdict) -> None:
    request.owed = ()
    tell_limits(request, verdict)


def _tell_kind(headers: dict[bytes, bytes], kind: bytes, decisions: Iterable[Decision], ending: str) -> None:
    found = [decision for decision in decisions if decision.name.endswith(ending)]
    if not found:
        return
    tightest = found[0] if len(found) == 1 else min(found, key=_room)
    headers[b"x-ratelimit-limit-" + kind] = b"%d" % tightest.limit
    headers[b"x-ratelimit-remaining-" + kind] = b"%d" % tightest.remaining
    headers[b"x-ratelimit-reset-" + kind] = b"%ds" % math.ceil(tightest.reset_after)


def _room(decision: Decision) -> tuple[bool, float]:
    """Refusals first, then by the share that is left."""
    return decision.allowed, decision.remaining / decision.limit
