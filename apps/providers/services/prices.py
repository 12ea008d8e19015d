"""Own prices: made and ended, never changed and never deleted, so that what is past stays explained."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Final

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actor import Actor
from apps.core import changes
from apps.core.errors import Conflict, InvalidRequest
from apps.providers.models import PriceOverride
from apps.providers.patterns import MOST_STARS
from apps.providers.types import SANDBOX
from apps.tenants.models import Organization, Project

MOST_PRICES: Final = 500
HIGHEST_PRICE: Final = Decimal(1_000_000)
WHOLE: Final = 100
_PATTERN: Final = re.compile(r"[a-z0-9*][a-z0-9*-]{0,39}/[\x21-\x7e]{1,200}")


def create_price(
    *,
    actor: Actor,
    organization: Organization,
    project: Project | None,
    pattern: str,
    input_price: Decimal,
    output_price: Decimal,
    cached_input_price: Decimal | None = None,
    batch_discount: Decimal | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> PriceOverride:
    """A price in US dollars for a million tokens, from a moment (now unless given) to another or for ever.

    `batch_discount` is the percent by which the provider's batch endpoint is cheaper; None: as published.

    Raises InvalidRequest for a value that can't be, Conflict (code price_overlaps) where another price of the
    same pattern holds at some of that time.
    """
    override = PriceOverride(
        organization=organization,
        project=project,
        pattern=_checked_pattern(pattern),
        input_price=_checked_amount("input", input_price),
        output_price=_checked_amount("output", output_price),
        cached_input_price=_checked_amount("cached_input", cached_input_price)
        if cached_input_price is not None
        else None,
        batch_discount=_checked_discount(batch_discount),
        starts_at=starts_at or timezone.now(),
        ends_at=ends_at,
    )
    if ends_at is not None and ends_at <= override.starts_at:
        raise InvalidRequest("A price ends after it starts.", code="price_dates_invalid", param="ends_at")
    _lock(organization)
    _refuse_overlap(override)
    override.save(force_insert=True)
    shown = {"input": override.input_price, "output": override.output_price}
    audit.record(
        actor=actor,
        action="price.created",
        target=override,
        organization_id=organization.id,
        changes={"pattern": (None, override.pattern)}
        | {name: (None, str(amount)) for name, amount in shown.items()}
        | {"starts_at": (None, override.starts_at.isoformat())},
    )
    _tell(override)
    return override


def end_price(*, actor: Actor, override: PriceOverride, ends_at: datetime | None = None) -> PriceOverride:
    """Let a price hold no longer than to a moment, now unless given; one that has not begun never will.

    Raises InvalidRequest for a moment that is past, or for a price that has ended already.
    """
    now = timezone.now()
    until = ends_at or now
    if override.ends_at is not None and override.ends_at <= now:
        raise InvalidRequest("This price has ended already.", code="price_ended")
    if until < now:
        raise InvalidRequest("A price can't end in the past.", code="price_dates_invalid", param="ends_at")
    before = override.ends_at
    override.ends_at = max(until, override.starts_at) if ends_at is None else until
    if override.ends_at < override.starts_at:
        raise InvalidRequest("A price ends after it starts.", code="price_dates_invalid", param="ends_at")
    if before is not None and override.ends_at > before:
        # Longer than before, so another price may stand there by now.
        _lock(override.organization)
        _refuse_overlap(override)
    override.save(update_fields=["ends_at"])
    audit.record(
        actor=actor,
        action="price.ended",
        target=override,
        organization_id=override.organization_id,
        changes={"ends_at": (before.isoformat() if before else None, override.ends_at.isoformat())},
    )
    _tell(override)
    return override


def _checked_pattern(pattern: str) -> str:
    pattern = pattern.strip()
    if not _PATTERN.fullmatch(pattern) or pattern.count("*") > MOST_STARS:
        message = f"Write connection/model, as in openai/gpt-4o; at most {MOST_STARS} * stand for any text."
        raise InvalidRequest(message, code="pattern_invalid", param="model")
    if pattern.startswith(f"{SANDBOX}/"):
        raise InvalidRequest("The sandbox costs nothing.", code="pattern_invalid", param="model")
    return pattern


def _checked_amount(param: str, amount: Decimal) -> Decimal:
    # `quantize` would raise for what the column can't hold.
    if not amount.is_finite() or not 0 <= amount <= HIGHEST_PRICE:
        message = f"A price is a number of dollars from 0 to {HIGHEST_PRICE:,}."
        raise InvalidRequest(message, code="price_invalid", param=param)
    rounded = amount.quantize(Decimal("0.000001"))
    if rounded != amount:
        message = "A price has at most six decimal places."
        raise InvalidRequest(message, code="price_invalid", param=param)
    return rounded


def _checked_discount(percent: Decimal | None) -> Decimal | None:
    if percent is None:
        return None
    if not percent.is_finite() or not 0 <= percent <= WHOLE or percent != round(percent, 2):
        message = "The batch discount is a percentage from 0 to 100 with at most two decimal places."
        raise InvalidRequest(message, code="discount_invalid", param="batch_discount")
    return percent


def _lock(organization: Organization) -> None:
    """Two prices are never checked at once: each must see the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"prices:{organization.id}"])


def _refuse_overlap(override: PriceOverride) -> None:
    others = PriceOverride.objects.exclude(pk=override.pk)
    if others.count() >= MOST_PRICES:
        message = f"An organization can have at most {MOST_PRICES} prices of its own."
        raise Conflict(message, code="too_many_prices")
    alike = others.filter(project=override.project, pattern=override.pattern)
    overlapping = alike.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=override.starts_at))
    if override.ends_at is not None:
        overlapping = overlapping.filter(starts_at__lt=override.ends_at)
    found = next((other for other in overlapping if other.ends_at != other.starts_at), None)
    if found is not None:
        until = f"to {found.ends_at:%Y-%m-%d %H:%M} UTC" if found.ends_at else "without end"
        message = (
            f"{override.pattern} has a price from {found.starts_at:%Y-%m-%d %H:%M} UTC {until}. End it first."
        )
        raise Conflict(message, code="price_overlaps", param="starts_at")


def _tell(override: PriceOverride) -> None:
    changes.append("prices", str(override.organization_id))
