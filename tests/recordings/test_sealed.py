"""Encrypted files: any part by itself, and nothing changed, cut, moved or swapped unseen."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.features.recordings.sealed import (
    SEGMENT,
    SealBroken,
    SealedReader,
    SealedWriter,
    open_sealed,
)

KEY = b"k" * 32
SEALED_SEGMENT = SEGMENT + 16


def seal(path: Path, plain: bytes, key: bytes = KEY) -> Path:
    with path.open("wb") as file:
        writer = SealedWriter(file, key, path.name)
        for start in range(0, len(plain), 50_000):
            writer.write(plain[start : start + 50_000])
        writer.close()
    return path


def read_all(path: Path, key: bytes = KEY) -> bytes:
    reader = open_sealed(path, key)
    try:
        return b"".join(reader.read(0, reader.size - 1)) if reader.size else b""
    finally:
        reader.close()


PLAIN = bytes(range(256)) * (3 * SEGMENT // 256) + b"the end"


@pytest.mark.parametrize("size", [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT, 200_000])
def test_what_is_sealed_is_read_again(tmp_path: Path, size: int) -> None:
    plain = (PLAIN * 2)[:size]
    path = seal(tmp_path / "a", plain)
    assert read_all(path) == plain


@given(st.integers(0, len(PLAIN) - 1), st.integers(0, len(PLAIN) - 1))
def test_any_part_is_that_part(one: int, other: int) -> None:
    first, last = min(one, other), max(one, other)
    reader = _reader()
    assert b"".join(reader.read(first, last)) == PLAIN[first : last + 1]
    reader.close()


_SEALED: list[Path] = []


def _reader() -> SealedReader:
    if not _SEALED:
        import tempfile

        _SEALED.append(seal(Path(tempfile.mkdtemp()) / "a", PLAIN))
    return open_sealed(_SEALED[0], KEY)


def _cut(data: bytes, segments: int) -> bytes:
    return data[: 31 + segments * SEALED_SEGMENT]


def _swapped(data: bytes) -> bytes:
    head, first, second, rest = (
        data[:31],
        data[31 : 31 + SEALED_SEGMENT],
        data[31 + SEALED_SEGMENT : 31 + 2 * SEALED_SEGMENT],
        data[31 + 2 * SEALED_SEGMENT :],
    )
    return head + second + first + rest


DAMAGE = {
    "one bit": lambda d: d[:1000] + bytes([d[1000] ^ 1]) + d[1001:],
    "a bit of the salt": lambda d: d[:10] + bytes([d[10] ^ 1]) + d[11:],
    "cut within a segment": lambda d: d[:-3],
    "cut at a segment's end": lambda d: _cut(d, 2),
    "cut to the head": lambda d: d[:31],
    "cut in the head": lambda d: d[:20],
    "nothing left": lambda d: b"",
    "two segments swapped": _swapped,
    "a segment left out": lambda d: d[:31] + d[31 + SEALED_SEGMENT :],
    "the last one twice": lambda d: d + d[31 + 3 * SEALED_SEGMENT :],
    "something after it": lambda d: d + b"x",
    "no seal at all": lambda d: PLAIN,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_found_out(tmp_path: Path, damage: str) -> None:
    path = seal(tmp_path / "a", PLAIN)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    with pytest.raises(SealBroken):
        read_all(path)


def test_another_key_or_another_name_opens_nothing(tmp_path: Path) -> None:
    path = seal(tmp_path / "a.wav.sealed", PLAIN)
    with pytest.raises(SealBroken):
        read_all(path, b"x" * 32)
    moved = path.rename(tmp_path / "b.wav.sealed")
    with pytest.raises(SealBroken):
        read_all(moved)


def test_cut_is_found_before_any_part_is_given_out(tmp_path: Path) -> None:
    """A player asks for the beginning; it must not be served of a file that lacks its end."""
    path = seal(tmp_path / "a", PLAIN)
    path.write_bytes(_cut(path.read_bytes(), 2))
    with pytest.raises(SealBroken):
        open_sealed(path, KEY)


def test_same_sound_twice_is_not_the_same_file() -> None:
    files = []
    for _ in range(2):
        file = io.BytesIO()
        writer = SealedWriter(file, KEY, "a")
        writer.write(b"hello")
        writer.close()
        files.append(file.getvalue())
    assert files[0] != files[1]
    assert len(files[0]) == len(files[1])
