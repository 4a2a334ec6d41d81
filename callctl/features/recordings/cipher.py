"""AES-256-GCM, and keys derived by HKDF-SHA-256.

`cryptography` is imported when the first recording is encrypted or heard: it takes 8 MB, and most
daemons never need it.
"""


class NotAuthentic(Exception):
    """What was to be decrypted is not what was encrypted, or under another key or name."""


class Cipher:
    """One key. `about` is authenticated and not encrypted."""

    def __init__(self, key: bytes) -> None:
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
    """`size` bytes."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), size, salt=salt, info=info).derive(secret)
