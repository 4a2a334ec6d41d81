"""The master key that wraps the data keys of encrypted recordings: what it looks like, its name."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class MasterKey:
    """`secret` has `KEY_BYTES` bytes."""

    secret: bytes = field(repr=False)

    @property
    def name(self) -> str:
        """Tells it from others and gives nothing of it away."""
        return hashlib.sha256(b"callctl master key" + self.secret).hexdigest()[:12]


def parse_master_key(text: str) -> MasterKey:
    """From base64. Raises ValueError."""
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise ValueError(f"no key: {KEY_BYTES} bytes in base64 are expected")
    return MasterKey(secret)
