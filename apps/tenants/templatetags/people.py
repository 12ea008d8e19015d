"""Words for people's pages: ``{% load people %}``."""

from django import template

from apps.tenants.permission_words import BY_PERMISSION
from apps.tenants.roles import Permission

register = template.Library()


@register.filter
def permission_words(permission: str) -> str:
    """What a permission lets somebody do, in plain words."""
    return BY_PERMISSION[Permission(permission)].text if permission in set(Permission) else permission
