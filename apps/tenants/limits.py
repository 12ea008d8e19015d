"""What bounds a key and an organization at the serving plane."""

from django.conf import settings

from apps.core.limit_bounds import Bounds, bounds_of
from apps.tenants.models import APIKey, Organization


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
