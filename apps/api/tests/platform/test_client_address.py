"""Whose address a request has, and who may say so."""

from typing import Any

import pytest

from memi.platform.client_address import client_address, limit_key
from memi.platform.settings import Environment, Settings


def address_of(peer: str | None, *forwarded: str, trusted: str = "10.0.0.0/8,fd00::/8", **headers: str) -> str | None:
    settings = Settings(_env_file=None, env=Environment.TEST, trusted_proxies=trusted)  # pyright: ignore[reportArgumentType]
    given = [(b"x-forwarded-for", item.encode("latin-1")) for item in forwarded]
    given += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"client": (peer, 4711) if peer else None, "headers": given}
    return client_address(scope, settings)


def test_it_is_the_peers() -> None:
    assert address_of("203.0.113.7") == "203.0.113.7"
    assert address_of("2001:DB8::1") == "2001:db8::1"
    assert address_of(None) is None
    assert address_of("a unix socket") is None


def test_a_stranger_is_not_believed_about_it() -> None:
    assert address_of("203.0.113.7", "198.51.100.1") == "203.0.113.7"
    assert address_of("203.0.113.7", "198.51.100.1", trusted="") == "203.0.113.7"


def test_a_trusted_proxy_is() -> None:
    assert address_of("10.0.0.1", "198.51.100.1") == "198.51.100.1"
    assert address_of("fd00::1", "198.51.100.1") == "198.51.100.1"
    assert address_of("::ffff:10.0.0.1", "198.51.100.1") == "198.51.100.1"


def test_a_client_behind_a_trusted_proxy_cannot_put_another_before_its_own() -> None:
    assert address_of("10.0.0.1", "192.0.2.66, 198.51.100.1") == "198.51.100.1"
    assert address_of("10.0.0.1", "192.0.2.66", "198.51.100.1") == "198.51.100.1"
    assert address_of("10.0.0.1", "10.9.9.9, 192.0.2.66, 198.51.100.1, 10.0.0.2") == "198.51.100.1"


def test_a_chain_of_trusted_proxies_is_walked_to_its_end() -> None:
    assert address_of("10.0.0.1", "198.51.100.1, 10.0.0.3, 10.0.0.2") == "198.51.100.1"
    assert address_of("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"
    assert address_of("10.0.0.1") == "10.0.0.1"


@pytest.mark.parametrize("garbage", ["unknown", "", "_hidden", "1.2.3", "'; DROP TABLE", "\xff", "1.2.3.4.5"])
def test_garbage_ends_the_walk(garbage: str) -> None:
    assert address_of("10.0.0.1", f"198.51.100.1, {garbage}, 10.0.0.2") == "10.0.0.2"
    assert address_of("10.0.0.1", garbage) == "10.0.0.1"


def test_ports_and_brackets_are_left_out() -> None:
    assert address_of("10.0.0.1", "198.51.100.1:5123") == "198.51.100.1"
    assert address_of("10.0.0.1", "[2001:db8::5]:443") == "2001:db8::5"


def test_no_other_header_counts() -> None:
    others = {"forwarded": "for=192.0.2.66", "x_real_ip": "192.0.2.66", "x_client_ip": "192.0.2.66"}
    assert address_of("10.0.0.1", **others) == "10.0.0.1"


def test_ipv4_stays_ipv4_however_it_is_written() -> None:
    assert address_of("::ffff:203.0.113.7") == "203.0.113.7"
    assert address_of("10.0.0.1", "::ffff:203.0.113.7") == "203.0.113.7"


def test_ipv6_is_counted_by_its_network() -> None:
    assert limit_key("203.0.113.7") == "203.0.113.7"
    assert limit_key("2001:db8:1:2:aaaa::1") == limit_key("2001:db8:1:2:bbbb::2") == "2001:db8:1:2::/64"
    assert limit_key("2001:db8:1:3::1") != limit_key("2001:db8:1:2::1")
