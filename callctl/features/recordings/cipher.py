"""AES-256-GCM, and keys derived by HKDF-SHA-256.

`cryptography` is imported when the first recording is encrypted or heard: it takes 8 MB, and most
daemons never need it. What cannot be imported then is as good as a key that is not there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from callctl.core.errors import CallctlError


class NotAuthentic(Exception):
    """What was to be decrypted is not what was encrypted, or under another key or name."""


class Cipher:
    """One key. `about` is authenticated and not encrypted. Raises
    CallctlError("recording_key_unavailable")."""

    def __init__(self, key: bytes) -> None:
        with _told_if_missing():
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._aes = AESGCM(key)
        self._invalid = InvalidTag

    def encrypt(self, nonce: bytes, plain: bytes, about: bytes) -> bytes:
        return self._aes.encrypt(nonce, plain, about)

    def decrypt(self, nonce: bytes, sealed: bytes, about: bytes) -> bytes:
        """Raises NotAuthentic; ValueError for a nonce that is none."""
        try:
            return self._aes.decrypt(nonce, sealed, about)
        except self._invalid:
            raise NotAuthentic from None


def derive_key(secret: bytes, size: int, salt: bytes, info: bytes) -> bytes:
    """`size` bytes. Raises CallctlError("recording_key_unavailable")."""
    with _told_if_missing():
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt=salt, info=info).derive(secret)


@contextmanager
def _told_if_missing() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        message = f"the library cryptography cannot be loaded ({error}): install callctl anew"
        raise CallctlError("recording_key_unavailable", message) from error
