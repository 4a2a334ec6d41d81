"""Encrypted files: any part can be read by itself, and none can be changed, left out or moved.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015), as Tink has it: segments of
64 KiB, each under AES-256-GCM with a nonce of (prefix, number, is it the last). A file has a key of
its own, derived (HKDF-SHA-256) from the account's data key and the file's salt; its name is
authenticated, too, so that a file put in another's place is found out.

    file     = "CLCSEAL1" salt(16) prefix(7) *segment
    segment  = ciphertext(up to 65536) tag(16)
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from callctl.core.master_key import KEY_BYTES
from callctl.features.recordings.cipher import Cipher, NotAuthentic, derive_key

SEGMENT = 64 * 1024
_MAGIC = b"CLCSEAL1"
_SALT, _PREFIX, _TAG = 16, 7, 16
_HEAD = len(_MAGIC) + _SALT + _PREFIX


class SealBroken(Exception):
    """The file is not what was written: changed, cut, another's, or under another key."""


def _cipher(data_key: bytes, head: bytes) -> Cipher:
    salt = head[len(_MAGIC) : len(_MAGIC) + _SALT]
    return Cipher(derive_key(data_key, KEY_BYTES, salt, b"callctl recording file"))


def _nonce(head: bytes, number: int, *, last: bool) -> bytes:
    return head[-_PREFIX:] + struct.pack(">IB", number, last)


class SealedWriter:
    """Encrypts what is written into `file`. `close` writes the last segment; the file stays open.

    `name` must be given again to read it. Raises OSError.
    """

    def __init__(self, file: BinaryIO, data_key: bytes, name: str) -> None:
        self._file = file
        self._head = _MAGIC + os.urandom(_SALT + _PREFIX)
        self._cipher = _cipher(data_key, self._head)
        self._name = name.encode()
        self._buffer = bytearray()
        self._number = 0
        self.size = 0
        file.write(self._head)

    def write(self, data: bytes) -> None:
        self.size += len(data)
        self._buffer += data
        # The last segment is kept back: it is sealed in another way.
        while len(self._buffer) > SEGMENT:
            self._seal(bytes(self._buffer[:SEGMENT]), last=False)
            del self._buffer[:SEGMENT]

    def close(self) -> None:
        self._seal(bytes(self._buffer), last=True)

    def _seal(self, part: bytes, *, last: bool) -> None:
        nonce = _nonce(self._head, self._number, last=last)
        self._file.write(self._cipher.encrypt(nonce, part, self._name))
        self._number += 1


class SealedReader:
    """Decrypts any part of a file. Opening it proves that its end is there.

    Raises SealBroken, OSError.
    """

    def __init__(self, file: BinaryIO, data_key: bytes, name: str) -> None:
        self._file = file
        self._head = file.read(_HEAD)
        if len(self._head) < _HEAD or not self._head.startswith(_MAGIC):
            raise SealBroken("this is no encrypted recording")
        sealed = os.fstat(file.fileno()).st_size - _HEAD
        self._segments = max(1, -(-sealed // (SEGMENT + _TAG)))
        self.size = sealed - self._segments * _TAG
        """Of what is inside, in bytes."""
        if self.size < 0:
            raise SealBroken("the file is cut off")
        self._cipher = _cipher(data_key, self._head)
        self._name = name.encode()
        self._open(self._segments - 1)

    def read(self, first: int, last: int) -> Iterator[bytes]:
        """Bytes `first` to `last` (included), in pieces. Raises SealBroken, OSError."""
        for number in range(first // SEGMENT, last // SEGMENT + 1):
            start = number * SEGMENT
            yield self._open(number)[max(0, first - start) : last + 1 - start]

    def close(self) -> None:
        self._file.close()

    def _open(self, number: int) -> bytes:
        self._file.seek(_HEAD + number * (SEGMENT + _TAG))
        sealed = self._file.read(SEGMENT + _TAG)
        nonce = _nonce(self._head, number, last=number == self._segments - 1)
        try:
            return self._cipher.decrypt(nonce, sealed, self._name)
        except NotAuthentic:
            raise SealBroken(f"segment {number} is not what was written, or the key is") from None


def open_sealed(path: Path, data_key: bytes) -> SealedReader:
    """The file under its own name. Raises SealBroken, OSError."""
    file = path.open("rb")
    try:
        return SealedReader(file, data_key, path.name)
    except BaseException:
        file.close()
        raise
