"""Secrets: passwords by argon2id; whatever is random by SHA-256 of what was given out."""

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

HASHES_AT_ONCE = 2


def _readable(groups: int) -> str:
    """25 bits a group, easy to type."""
    return "-".join(
        "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(5)) for _ in range(groups)
    )


def new_password() -> str:
    """A generated password of 100 bits: ``abcde-fghij-kmnpq-rstuv``."""
    return _readable(4)


def new_recovery_code() -> str:
    """75 bits, to be written down: ``abcde-fghij-kmnpq``."""
    return _readable(3)


def new_token() -> str:
    return _TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    return secrets.token_urlsafe(32)


def new_invitation() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> bytes:
    """What is stored of a random secret, which needs no slow hash."""
    return hashlib.sha256(secret.encode()).digest()


class Passwords:
    """Hashes and checks passwords, a few at a time.

    Each takes 64 MiB and tens of milliseconds of a core: a crowd waits in line.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(HASHES_AT_ONCE)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(_HASHER.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Takes equally long whether there is such a user (None: there is none) or not."""
        async with self._turns:
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
