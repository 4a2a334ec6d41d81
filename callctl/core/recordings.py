"""Which calls of a share are recorded, and what a recording's file is called."""

from hashlib import blake2b

SEALED = ".sealed"
"""Ending of a file that is encrypted (docs/recordings.md)."""


def file_name(stem: str, format_: str, *, sealed: bool) -> str:
    """``pbx-17.5-2`` as ``pbx-17.5-2.opus``, or ``pbx-17.5-2.opus.sealed``."""
    return f"{stem}.{format_}{SEALED if sealed else ''}"


def stem_of(name: str) -> str:
    """Inverse of `file_name`, also of Asterisk's own ``.raw``; stems have dots of their own."""
    name = name.removesuffix(SEALED)
    for ending in (".wav", ".opus", ".raw"):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return name


def is_in_share(uniqueid: str, share: int) -> bool:
    """Whether a call is one of the `share` in a hundred that are recorded (R003-95).

    By its channel's unique id alone: the same call is asked about again and again, and answered
    alike; who calls or is called cannot choose. Without an id (the fallback is written before any
    call) it is: rather too much is recorded than what should be there is not.
    """
    if not uniqueid:
        return share > 0
    drawn = blake2b(b"recorded " + uniqueid.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(drawn, "big") % 100 < share
