"""Verified tokens are remembered, for as long as they are good and there is room."""

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from memi.platform.errors import InvalidToken
from memi.platform.keyring import KeyRing
from memi.platform.permissions import Role
from memi.platform.principal import AccessTokens


def signer(lifetime: int = 900) -> AccessTokens:
    return AccessTokens(KeyRing({"only": b"k" * 32}), "https://api.memi.example", lifetime)


def issue(tokens: AccessTokens) -> str:
    return tokens.issue(uuid4(), uuid4(), frozenset({Role.USER}), datetime.now(UTC))[0]


def test_a_remembered_one_is_the_same_caller() -> None:
    tokens = signer()
    token = issue(tokens)
    assert tokens.read(token) is tokens.read(token)


async def test_a_remembered_one_still_expires() -> None:
    tokens = signer(lifetime=2)
    token = issue(tokens)
    left = (tokens.read(token).expires_at - datetime.now(UTC)).total_seconds()
    await asyncio.sleep(left + 0.01)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.read(token)


def test_a_refused_one_is_not_remembered() -> None:
    tokens = signer()
    other = issue(AccessTokens(KeyRing({"only": b"x" * 32}), "https://api.memi.example", 900))
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.read(other)


def test_no_more_than_ten_thousand_and_the_oldest_goes_first() -> None:
    tokens = signer()
    issued = [issue(tokens) for _ in range(10_001)]
    callers = [tokens.read(token) for token in issued]
    assert tokens.read(issued[-1]) is callers[-1]
    assert tokens.read(issued[1]) is callers[1]
    assert tokens.read(issued[0]) is not callers[0]
