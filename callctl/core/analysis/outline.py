"""The outline of a recording: how loud each part of it is, for who looks for a place in it."""

from collections.abc import Sequence

from callctl.core.analysis.voice import SILENT

PARTS = 800
"""As many as a screen can show of it; a longer recording has longer parts."""

_QUIET = -60
"""Below it there is nothing to be heard; from it on, loudness is drawn."""


def outline(levels: Sequence[int]) -> bytes:
    """A byte, 0 (silence) to 100 (as loud as can be), for each of at most `PARTS` equal parts of a
    side whose loudness `levels` are (voice.py): the loudest moment of the part."""
    parts = min(len(levels), PARTS)
    bounds = [part * len(levels) // parts for part in range(parts + 1)] if parts else []
    return bytes(
        _height(max(levels[bounds[part] : bounds[part + 1]], default=SILENT))
        for part in range(parts)
    )


def _height(level: int) -> int:
    return max(0, min(100, round((level - _QUIET) * 100 / -_QUIET)))
