"""From what MixMonitor leaves (raw, both sides interleaved) to a WAV that says what it is."""

import errno
import os
import stat
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SAMPLE_RATE = 8000
SAMPLE_BYTES = 2
CHANNELS = 2
_FRAME_BYTES = SAMPLE_BYTES * CHANNELS
_CHUNK_FRAMES = 64 * 1024


@dataclass(frozen=True, slots=True)
class WavFile:
    path: Path
    seconds: float
    bytes: int


def raw_to_wav(raw: Path, target: Path) -> WavFile:
    """Write `raw` (16 bit, 8 kHz, called party first) as a stereo WAV: left caller, right called.

    MixMonitor runs on the called channel, so what that channel *read* (the called party) comes
    first in a frame. The file appears under its name only when it is whole and on disk. An
    incomplete last frame is left out. Raises OSError, also for a `raw` that is no plain file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    frames = 0
    with open_plain(raw) as source, open(part, "wb", opener=_for_group) as sink:
        with wave.open(sink, "wb") as wav:
            wav.setnchannels(CHANNELS)
            wav.setsampwidth(SAMPLE_BYTES)
            wav.setframerate(SAMPLE_RATE)
            while chunk := source.read(_CHUNK_FRAMES * _FRAME_BYTES):
                whole = chunk[: len(chunk) - len(chunk) % _FRAME_BYTES]
                wav.writeframes(swap_sides(whole))
                frames += len(whole) // _FRAME_BYTES
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(target)
    return WavFile(target, frames / SAMPLE_RATE, target.stat().st_size)


def open_plain(path: Path) -> BinaryIO:
    """`path` for reading, if it is a plain file and no link to one.

    Another user may write where it lies: a link would lead to what only we may read, and a pipe
    would hold us up for ever. Raises OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return os.fdopen(fd, "rb")


def _for_group(path: str, flags: int) -> int:
    """Calls are nobody's business but the service's and its group's."""
    return os.open(path, flags, 0o640)


def swap_sides(frames: bytes) -> bytes:
    """Interleaved 16-bit stereo with left and right exchanged."""
    words = memoryview(frames).cast("H")
    swapped = memoryview(bytearray(len(frames))).cast("H")
    swapped[0::2] = words[1::2]
    swapped[1::2] = words[0::2]
    return swapped.tobytes()
