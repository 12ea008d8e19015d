"""How many invitations go out, and how many links are tried. Asked outside every scope: it calls Redis."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from apps.core import rate_limits

HOUR: Final = 3_600
DAY: Final = 86_400
PER_ORGANIZATION: Final = 200
PER_ADDRESS: Final = 10
TRIES_PER_MINUTE: Final = 30


def check_sending(organization_id: UUID, emails: list[str]) -> None:
    """Count mails about to go out: 200 an hour by organization, 10 a day to an address, whoever sends them.

    Raises RateLimited.
    """
    unique = {email.strip().lower() for email in emails if email.strip()}
    if not unique:
        return
    cost = min(len(unique), PER_ORGANIZATION)
    rate_limits.check("invitations", str(organization_id), PER_ORGANIZATION, HOUR, cost=cost).enforce()
    for email in sorted(unique):
        address = sha256(email.encode()).hexdigest()[:32]
        rate_limits.check("invitation_mail", address, PER_ADDRESS, DAY).enforce()


def check_opening(ip: str | None) -> None:
    """Count tries of links by an address: 30 a minute. Raises RateLimited."""
    rate_limits.check("invitation_links", ip or "unknown", TRIES_PER_MINUTE, 60).enforce()
