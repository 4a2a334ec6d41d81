"""How a webhook proves that callctl sent it: HMAC-SHA256 over the time and the body."""

import hmac
from collections.abc import Sequence

_SCHEME = "v1="
TOLERANCE_SECONDS = 300
"""An older message may be one that somebody recorded and sends again."""


def sign(secrets: Sequence[str], timestamp: int, body: bytes) -> str:
    """The header's value: one signature per secret, so that one can be replaced by another."""
    return ",".join(_SCHEME + _digest(secret, timestamp, body) for secret in secrets)


def verify(
    secret: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: float,
    tolerance: int = TOLERANCE_SECONDS,
) -> bool:
    """Whether one of `signatures` was made with `secret` for this body, at most `tolerance`
    seconds from `now` (epoch seconds). Total: any text gives an answer."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    if abs(now - int(timestamp)) > tolerance:
        return False
    wanted = (_SCHEME + _digest(secret, int(timestamp), body)).encode()
    given = (part.strip().encode("utf-8", "replace") for part in signatures.split(","))
    return any(hmac.compare_digest(wanted, one) for one in given)


def _digest(secret: str, timestamp: int, body: bytes) -> str:
    return hmac.new(secret.encode(), f"{timestamp}.".encode() + body, "sha256").hexdigest()
