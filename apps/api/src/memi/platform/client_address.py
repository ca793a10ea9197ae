"""Where a request comes from, as far as that can be believed."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any

from memi.platform.settings import Settings

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
_KEY = "memi.client_address"
_IPV6_NETWORK_BITS = 64


def client_address(scope: Any, settings: Settings) -> str | None:
    """The client's address, worked out once per request; None on a socket that has none.

    It is the address the connection comes from. Only when that is one of the trusted proxies, `X-Forwarded-For` is read
    from its end, where the nearest proxy wrote, up to the first address that is no trusted proxy. What stands before
    that anybody may have written; no other header counts.
    """
    if _KEY not in scope:
        scope[_KEY] = _find(scope, settings.trusted_proxies)
    return scope[_KEY]


def _find(scope: Any, trusted: Sequence[Network]) -> str | None:
    peer = scope.get("client")
    if not peer:
        return None
    address = _parse(peer[0])
    if address is None:
        return None
    if not trusted or not _is_trusted(address, trusted):
        return str(address)
    forwarded = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    if forwarded:
        for part in reversed(forwarded.split(",")):
            named = _parse(part.strip())
            if named is None:
                break  # whoever wrote this is not to be understood; what stands before is theirs too
            address = named
            if not _is_trusted(address, trusted):
                break
    return str(address)


def limit_key(address: str) -> str:
    """Whom to count for an address: it alone, or the IPv6 network of 64 bits that one subscriber is given."""
    return address if ":" not in address else _network(address)


@lru_cache(maxsize=4096)
def _network(address: str) -> str:
    bits = 128 - _IPV6_NETWORK_BITS
    return f"{IPv6Address(int(IPv6Address(address)) >> bits << bits)}/{_IPV6_NETWORK_BITS}"


@lru_cache(maxsize=4096)
def _parse(text: str) -> Address | None:
    """An address, also with a port as some proxies write it; an IPv4 one stays that however it came."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
