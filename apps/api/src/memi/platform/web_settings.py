"""Settings that name addresses and networks of the web, held to their form at the start."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import SplitResult, urlsplit

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_BAD_BASE = "must be like https://memi.example, with no name, password, query or fragment"


def parse_base(text: str) -> str:
    """Where a site begins, without a trailing slash; raises `ValueError`."""
    parts = _parts(text)
    known = parts is not None and parts.scheme in ("http", "https") and parts.hostname
    if not known or any(mark in text for mark in "?#@"):
        raise ValueError(_BAD_BASE)
    return text.rstrip("/")


def is_private_to_transport(base: str) -> bool:
    """Whether nobody on the way reads what is sent there."""
    parts = urlsplit(base)
    return parts.scheme == "https" or parts.hostname in _LOOPBACK


def parse_origin(text: str) -> str:
    """An origin as browsers write it; raises `ValueError` for what none would ever send."""
    origin = text.rstrip("/").lower()
    parts = _parts(origin)
    if parts is None or "*" in origin or not parts.hostname or origin != f"{parts.scheme}://{parts.netloc}":
        raise ValueError(f"{text} is no origin: they are like https://memi.example, each named by itself")
    return origin


def parse_network(text: str) -> IPv4Network | IPv6Network:
    """A network of proxies; raises `ValueError`."""
    try:
        network = ip_network(text)
    except ValueError:
        raise ValueError(f"{text} is no network: they are like 10.0.0.0/8 or fd00::/8") from None
    if network.prefixlen == 0:
        raise ValueError(f"{text} is everybody, and whoever calls could name any address as theirs")
    return network


def _parts(text: str) -> SplitResult | None:
    """An address taken apart; None for what is none, or would be two lines of a header."""
    if not text.isascii() or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        return parts if parts.port is None or parts.port else None
    except ValueError:
        return None
