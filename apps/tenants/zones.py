"""Time zones by their IANA names."""

from datetime import datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

# Names kept for old programs; they stay valid but aren't offered.
_OLD: Final = ("Etc/", "SystemV/", "US/", "Canada/", "Mexico/", "Brazil/", "Chile/")


@cache
def all_zones() -> frozenset[str]:
    """Every zone that this machine knows; read from the disk once."""
    return frozenset(available_timezones())


@cache
def offered_zones() -> tuple[str, ...]:
    """The zones to choose from, in order: UTC first, then region and city."""
    cities = sorted(zone for zone in all_zones() if "/" in zone and not zone.startswith(_OLD))
    return ("UTC", *cities)


def is_zone(name: str) -> bool:
    """Whether there is such a zone."""
    return name in all_zones()


def time_in(zone: str, now: datetime) -> str:
    """The time of day in a zone with its distance from UTC, as "14:05, UTC+02:00"."""
    local = now.astimezone(ZoneInfo(zone))
    offset = local.strftime("%z")
    return f"{local:%H:%M}, UTC{offset[:3]}:{offset[3:5]}"
