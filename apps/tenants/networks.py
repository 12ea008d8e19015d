"""Networks that an API key may be used from: CIDR texts, of IPv4 and IPv6. Free of Django."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from apps.core import errors

MOST_NETWORKS: Final = 20


def checked_networks(texts: Iterable[str]) -> list[str]:
    """The networks in their short form, each once. Raises InvalidRequest, naming the one that is none."""
    found: dict[str, None] = {}
    for text in texts:
        if not text.strip():
            continue
        try:
            found[str(ip_network(text.strip(), strict=False))] = None
        except ValueError:
            raise errors.InvalidRequest(
                f"{text.strip()[:60]!r} is no address or network. Write 203.0.113.7, 203.0.113.0/24 or "
                "2001:db8::/32.",
                param="allowed_networks",
            ) from None
    if len(found) > MOST_NETWORKS:
        raise errors.InvalidRequest(f"A key has at most {MOST_NETWORKS} networks.", param="allowed_networks")
    return list(found)


def allows(networks: tuple[str, ...], address: str | None) -> bool:
    """Whether an address lies in one of the networks; an unknown one doesn't. No networks allow all."""
    if not networks:
        return True
    if address is None:
        return False
    found = ip_address(address)
    return any(found in network for network in _parsed(networks))


@lru_cache(maxsize=1024)
def _parsed(networks: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(text) for text in networks)
