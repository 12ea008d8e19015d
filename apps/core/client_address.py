"""The client's address: from X-Forwarded-For only as far as trusted proxies wrote it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(peer: str, forwarded_for: str = "") -> str | None:
    """The address of whoever asks, or None when there is none (a Unix socket without proxy).

    `peer` is the socket's other end. The header is read from its right end, where the nearest proxy wrote;
    the first address that is not a trusted proxy is the client. What stands left of it may be forged.
    """
    trusted = _networks(tuple(settings.TRUSTED_PROXIES))
    found = _parse(peer)
    if found is not None and not _is_trusted(found, trusted):
        return str(found)
    for text in reversed(forwarded_for.split(",")):
        address = _parse(text)
        if address is None:
            break
        found = address
        if not _is_trusted(address, trusted):
            break
    return None if found is None else str(found)


@lru_cache(maxsize=8)
def _networks(words: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(word, strict=False) for word in words)


def _is_trusted(address: Address, trusted: tuple[Network, ...]) -> bool:
    return any(address in network for network in trusted)


def _parse(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
