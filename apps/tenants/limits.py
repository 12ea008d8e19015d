"""What bounds a key and an organization at the serving plane, and what may be set."""

from collections.abc import Mapping
from typing import Final

from django.conf import settings

from apps.core.errors import InvalidRequest
from apps.core.limit_bounds import Bounds, bounds_of
from apps.tenants.models import APIKey, Organization

Limits = Mapping[str, int | None]

# The limits by the names of their columns, and the most that may be set.
MOST: Final[dict[str, int]] = {
    "requests_per_minute": 1_000_000_000,
    "tokens_per_minute": 1_000_000_000,
    "concurrent_runs": 100_000,
}


def key_bounds(key: APIKey) -> Bounds:
    """A key's own limits. Its requests are bounded by the installation's limit in any case."""
    most = settings.GATEWAY_REQUESTS_PER_MINUTE
    return bounds_of(
        "key",
        str(key.id),
        requests=min(key.requests_per_minute or most, most),
        tokens=key.tokens_per_minute,
        runs=key.concurrent_runs,
    )


def organization_bounds(organization: Organization) -> Bounds:
    """The limits of all keys of an organization together."""
    return bounds_of(
        "organization",
        str(organization.id),
        requests=organization.requests_per_minute,
        tokens=organization.tokens_per_minute,
        runs=organization.concurrent_runs,
    )


def limits_of(holder: APIKey | Organization) -> dict[str, int | None]:
    """The limits as they are set."""
    return {name: getattr(holder, name) for name in MOST}


def most_of_key() -> dict[str, int]:
    """The most that a key may be given: no more requests than the installation lets any key have."""
    return MOST | {"requests_per_minute": settings.GATEWAY_REQUESTS_PER_MINUTE}


def check_limits(limits: Limits, most: Mapping[str, int]) -> None:
    """Raise InvalidRequest, naming the field, for a name or a number that can't be; None does not limit."""
    for name, value in limits.items():
        if name not in most:
            raise InvalidRequest(f"There is no limit {name}.", code="parameter_invalid", param=name)
        if value is not None and not 1 <= value <= most[name]:
            words = name.replace("_", " ").capitalize()
            message = f"{words} is a whole number from 1 to {most[name]:,}, or nothing."
            raise InvalidRequest(message, code="parameter_invalid", param=name)


def change_limits(holder: APIKey | Organization, limits: Limits) -> dict[str, tuple[int | None, int | None]]:
    """Set the limits on a locked row, without saving it; what has changed, from what to what."""
    changed = {}
    for name, value in limits.items():
        before = getattr(holder, name)
        if before != value:
            setattr(holder, name, value)
            changed[name] = (before, value)
    return changed
