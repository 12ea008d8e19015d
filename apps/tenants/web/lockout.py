"""When a door that allauth's limits have closed opens again."""

import math
import time

from allauth.core.internal import ratelimit
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.http import HttpRequest

CODES = frozenset({"too_many_login_attempts", "rate_limited"})


def seconds_until_open(request: HttpRequest, key: str, *, action: str = "login_failed") -> int:
    """Seconds until tries count again for a key (an address or a user), from this client."""
    now = time.time()
    waits = [0.0]
    for rate in ratelimit.get_rates(app="allauth.account", action=action):
        place = ratelimit.get_cache_key(request, app="allauth.account", action=action, rate=rate, key=key)
        tries = [at for at in cache.get(place, []) if at > now - rate.duration]
        if len(tries) >= rate.amount:
            waits.append(min(tries) + rate.duration - now)
    return math.ceil(max(waits))


def locked(request: HttpRequest, key: str) -> ValidationError:
    """The error to show: that it is closed, and when it opens."""
    seconds = max(1, seconds_until_open(request, key))
    wait = f"{seconds} seconds" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
    return ValidationError(
        f"Too many tries, so this is closed for now. Try again in {wait}.", "too_many_login_attempts"
    )
