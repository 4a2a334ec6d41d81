"""Secrets: passwords by argon2id, tokens and sessions by SHA-256 of 256 random bits."""

import asyncio
import hashlib
import secrets
from functools import cache

import argon2

_HASHER = argon2.PasswordHasher()  # argon2id with RFC 9106's low-memory parameters

_TOKEN_PREFIX = "cct_"  # noqa: S105
"""Lets scanners find a token that was published by mistake."""

_PASSWORD_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # noqa: S105
"""Nothing that is easily misread: no l, o, 0 or 1."""


def new_password() -> str:
    """A generated password of 100 bits, easy to type: ``abcde-fghij-kmnpq-rstuv``."""
    groups = ("".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(5)) for _ in range(4))
    return "-".join(groups)


def new_token() -> str:
    return _TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a token or a session. Random secrets need no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


async def hash_password(password: str) -> str:
    return await asyncio.to_thread(_HASHER.hash, password)


async def verify_password(password_hash: str | None, password: str) -> bool:
    """Takes equally long whether there is such a user (None: there is none) or not."""
    return await asyncio.to_thread(_verify, password_hash, password)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash(secrets.token_urlsafe(16))


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        _HASHER.verify(password_hash or _nobodys_hash(), password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
    return password_hash is not None
