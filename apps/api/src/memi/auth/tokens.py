"""Refresh tokens: 256 random bits for the client, a SHA-256 for the database."""

import hashlib
import secrets


def new_refresh_token() -> str:
    """43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> bytes:
    """What is stored of it. No salt is needed: the token itself has 256 bits."""
    return hashlib.sha256(token.encode()).digest()
