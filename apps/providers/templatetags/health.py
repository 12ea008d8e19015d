"""How the health of a connection reads on a page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from django import template

from apps.providers.health_board import UNKNOWN, ShownHealth

register = template.Library()


@register.inclusion_tag("providers/health.html")
def health_of(known: Mapping[UUID, ShownHealth] | str, credential_id: UUID) -> dict[str, object]:
    """Draw the state, the share of failures and the last error, or that nothing is known."""
    found = known.get(credential_id, UNKNOWN) if isinstance(known, Mapping) else UNKNOWN
    share = found.failure_share
    return {
        "health": found,
        "since": _moment(found.since),
        "last_error_at": _moment(found.last_error_at),
        "percent": None if share is None else round(share * 100),
    }


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
