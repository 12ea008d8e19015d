"""Words in addresses: made from names, never one of the product's own path segments. Pure text."""

from collections.abc import Iterator
from typing import Final

from django.utils.text import slugify

MAX_LENGTH: Final = 50
TRIES: Final = 50

# fmt: off
# First path segments of our own, and such as an operator's proxy or a browser may claim.
RESERVED_ORGANIZATIONS: Final = frozenset({
    "about", "account", "accounts", "admin", "api", "app", "assets", "auth", "billing", "blog", "changelog",
    "dashboard", "docs", "health", "healthz", "help", "home", "invitations", "invite", "legal", "login",
    "logout", "mail", "media", "metrics", "new", "oauth", "onboarding", "pricing", "privacy", "profile",
    "readyz", "register", "search", "security", "settings", "signin", "signup", "sso", "static", "status",
    "styleguide", "support", "system", "terms", "theme", "v1", "webhooks", "well-known", "www",
})
# Second path segments that pages of a whole organization use or will use.
RESERVED_PROJECTS: Final = frozenset({
    "audit", "billing", "home", "invitations", "keys", "members", "new", "projects", "roles", "search",
    "settings", "usage", "webhooks",
})
# fmt: on


def candidates(name: str, *, fallback: str, reserved: frozenset[str]) -> Iterator[str]:
    """Slugs for a name, best first: ``acme``, ``acme-2``, …; ``fallback`` serves a name without letters."""
    base = slugify(name)[: MAX_LENGTH - 4].strip("-_") or fallback
    if base not in reserved:
        yield base
    for number in range(2, TRIES):
        yield f"{base}-{number}"
