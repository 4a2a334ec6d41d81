"""From what MixMonitor leaves (raw, both sides interleaved) to a WAV that says what it is."""

import os
import wave
from dataclasses import dataclass
from pathlib import Path

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
    incomplete last frame is left out. Raises OSError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    frames = 0
    with raw.open("rb") as source, part.open("wb") as sink:
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


def swap_sides(frames: bytes) -> bytes:
    """Interleaved 16-bit stereo with left and right exchanged."""
    words = memoryview(frames).cast("H")
    swapped = memoryview(bytearray(len(frames))).cast("H")
    swapped[0::2] = words[1::2]
    swapped[1::2] = words[0::2]
    return swapped.tobytes()
