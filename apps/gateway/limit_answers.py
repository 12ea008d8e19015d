"""What a caller is told of its limits: our headers and OpenAI's."""

import math
from collections.abc import Callable
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
    tightest = requests = tokens = None
    for decision in decisions:
        if tightest is None or _is_tighter(decision, tightest):
            tightest = decision
        if decision.name.endswith(REQUESTS):
            if requests is None or _is_tighter(decision, requests):
                requests = decision
        elif decision.name.endswith(TOKENS) and (tokens is None or _is_tighter(decision, tokens)):
            tokens = decision
    assert tightest is not None
    before = headers.get(b"ratelimit-remaining")
    if before is None or not tightest.allowed or tightest.remaining < int(before):
        headers[b"ratelimit-limit"] = b"%d" % tightest.limit
        headers[b"ratelimit-remaining"] = b"%d" % tightest.remaining
        headers[b"ratelimit-reset"] = b"%d" % math.ceil(tightest.reset_after)
    if requests is not None:
        headers[b"x-ratelimit-limit-requests"] = b"%d" % requests.limit
        headers[b"x-ratelimit-remaining-requests"] = b"%d" % requests.remaining
        headers[b"x-ratelimit-reset-requests"] = b"%ds" % math.ceil(requests.reset_after)
    if tokens is not None:
        headers[b"x-ratelimit-limit-tokens"] = b"%d" % tokens.limit
        headers[b"x-ratelimit-remaining-tokens"] = b"%d" % tokens.remaining
        headers[b"x-ratelimit-reset-tokens"] = b"%ds" % math.ceil(tokens.reset_after)


def teller(request: HttpRequest) -> Callable[[Verdict], None]:
    """What a run calls when its limits, and those owed for the request, have been asked."""
    return partial(_told, request)


def _told(request: HttpRequest, verdict: Verdict) -> None:
    request.owed = ()
    tell_limits(request, verdict)


def _is_tighter(one: Decision, other: Decision) -> bool:
    """Refusals first, then by the share that is left."""
    if one.allowed != other.allowed:
        return other.allowed
    return one.remaining * other.limit < other.remaining * one.limit
