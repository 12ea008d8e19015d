"""How a listed price reads on a page."""

from decimal import Decimal, InvalidOperation

from django import template

register = template.Library()


@register.filter
def dollars(listed: str) -> str:
    """`2.5` as `$2.50`, `0.075` as `$0.075`, `3 and tiers` as `from $3.00`."""
    number, _, tiers = listed.partition(" ")
    try:
        amount = Decimal(number)
    except InvalidOperation:
        return listed
    decimals = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"{'from ' if tiers else ''}${amount:,.{decimals}f}"
