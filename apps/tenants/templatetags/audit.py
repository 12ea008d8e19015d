"""Tags of the audit log: `{% load audit %}`."""

from collections.abc import Sequence
from typing import Any

from django import template

from apps.audit.trail import Change
from apps.core.tables import Listing
from apps.tenants.web import audit_listing

register = template.Library()


@register.simple_tag
def audit_link(table: Listing[Any], **narrower: str) -> str:
    """The address of this view narrowed by one more value."""
    return table.asked.address(**narrower)


@register.filter
def change_words(change: Change) -> str:
    """A change in one line."""
    return audit_listing.words(change)


@register.filter
def shortest(changes: Sequence[Change], count: int) -> list[Change]:
    """The changes that say most in a line: the shortest ones."""
    return sorted(changes, key=lambda change: len(audit_listing.words(change)))[:count]
