"""System checks of what would fail late or silently: the database role, master keys, address lists."""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from apps.core import keys


def register_checks() -> None:
    """Tell Django of the checks; called once, when the application is ready."""
    register(check_master_keys, Tags.security)
    register(check_addresses, Tags.security)
    register(check_application_role, Tags.database)


def check_master_keys(**kwargs: Any) -> list[CheckMessage]:
    """Every master key is 32 bytes and has a version of its own."""
    try:
        keys.master_keys()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="core.E001")]
    return []


def check_addresses(**kwargs: Any) -> list[CheckMessage]:
    """Proxies are addresses or networks; allowed hosts name their port."""
    proxies = [word for word in settings.TRUSTED_PROXIES if not _is_network(word)]
    hosts = [word for word in settings.OUTBOUND_ALLOWED_HOSTS if not _names_its_port(word)]
    return [
        *(Error(f"TRUSTED_PROXIES: {word!r} is no address or network.", id="core.E002") for word in proxies),
        *(Error(f"OUTBOUND_ALLOWED_HOSTS: {word!r} must read host:port.", id="core.E003") for word in hosts),
    ]


def _is_network(word: str) -> bool:
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return True


def _names_its_port(word: str) -> bool:
    host, _, port = word.rpartition(":")
    return bool(host) and port.isdigit()


def check_application_role(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The application's role obeys row-level security. Asked with `check --database default`."""
    if "default" not in (databases or ()) or not has_dangerous_role():
        return []
    return [
        Error(
            "The application's database role is a superuser or passes row-level security.",
            hint="Let DATABASE_URL name the role promptsaas_app.",
            id="core.E004",
        )
    ]


def has_dangerous_role() -> bool:
    """Whether the application's database role walks through row-level security."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        row = cursor.fetchone()
    return row is None or bool(row[0])
