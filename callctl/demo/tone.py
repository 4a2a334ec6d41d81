"""A tone per party, so that a recording tells who was heard."""

import math
from pathlib import Path

RATE = 8000
"""Samples per second of G.711."""

_BIAS = 0x84
_CLIP = 32635


def encode_ulaw(sample: int) -> int:
    """One linear 16-bit sample as one µ-law byte (ITU-T G.711)."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), _CLIP) + _BIAS
    exponent = magnitude.bit_length() - 8
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    return ~(sign | exponent << 4 | mantissa) & 0xFF


def tone_hz(party: str) -> int:
    """A frequency between 300 and 1850 Hz that follows from the party's digits."""
    digits = "".join(c for c in party if c in "0123456789")
    return 300 + 50 * (int(digits or "0") % 32)


def write_tone(path: Path, hz: int, *, seconds: float = 1.0) -> Path:
    """A raw µ-law file of whole periods, so that it may be looped without a click."""
    periods = max(1, round(seconds * hz))
    count = round(periods * RATE / hz)
    wave = (12000 * math.sin(2 * math.pi * hz * n / RATE) for n in range(count))
    path.write_bytes(bytes(encode_ulaw(round(s)) for s in wave))
    return path
