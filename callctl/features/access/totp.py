"""Codes that change every 30 seconds (RFC 6238), as every authenticator app makes them."""

import hmac
from datetime import datetime

import pyotp

STEP_SECONDS = 30
_ISSUER = "callctl"


def new_totp_secret() -> str:
    """160 random bits (RFC 4226, 4) in base 32."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, login: str) -> str:
    """What an app reads from a QR code: ``otpauth://totp/…``."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=_ISSUER)


def step_of_code(secret: str, code: str, now: datetime) -> int | None:
    """The time step that `code` is of: this one, or a neighbour, since clocks differ a little.

    None when it is of none. A step counts once, whoever stores it sees to that (RFC 6238, 5.2).
    """
    totp = pyotp.TOTP(secret)
    current = int(now.timestamp()) // STEP_SECONDS
    found = None
    if not code.isascii():
        return None
    for step in range(max(0, current - 1), current + 2):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode()):
            found = step
    return found
