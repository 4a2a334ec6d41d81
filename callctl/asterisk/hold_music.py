"""A quiet melody for callers on hold, computed: nobody's recording, nobody's licence."""

import math
import struct
import wave
from pathlib import Path

RATE = 8000
_BEAT_SECONDS = 0.5
_CHORDS = (
    (261.63, 329.63, 392.00, 493.88),
    (220.00, 261.63, 329.63, 392.00),
    (174.61, 220.00, 261.63, 349.23),
    (196.00, 246.94, 293.66, 392.00),
)
_BEATS_PER_CHORD = 8


def melody() -> bytes:
    """16 seconds, 16-bit mono at 8 kHz: each chord's notes one after the other, fading."""
    beat = int(RATE * _BEAT_SECONDS)
    fade = [math.exp(-3.0 * n / beat) * min(1.0, n / 80) for n in range(beat)]
    samples: list[int] = []
    for chord in _CHORDS:
        for number in range(_BEATS_PER_CHORD):
            step = 2 * math.pi * chord[number % len(chord)] / RATE
            samples += [int(5000 * fade[n] * math.sin(step * n)) for n in range(beat)]
    return struct.pack(f"<{len(samples)}h", *samples)


def write_hold_music(directory: Path) -> None:
    """Put the melody into an empty `directory`; one that holds anything is left as it is."""
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        return
    draft = directory / ".callctl-melody.wav.new"
    with wave.open(str(draft), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(melody())
    draft.replace(directory / "callctl-melody.wav")
