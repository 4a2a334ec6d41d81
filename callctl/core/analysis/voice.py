"""When one side of a conversation speaks: from loudness to stretches of talk (R001-23).

Loudness comes as one level per frame of 20 ms, in whole dB below full scale (0 is the loudest a
line can carry, `SILENT` and below is nothing at all). A frame is loud when it stands out from the
line's own noise around it; loud frames close together are one stretch of talk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

FRAMES_A_SECOND = 50
SILENT = -96

_BLOCK = 10 * FRAMES_A_SECOND
_QUIET_PART = 0.1
"""Even who talks without end pauses for a tenth of the time: what is left then is the noise."""
_ABOVE_NOISE = 9
_LOWEST, _HIGHEST = -55, -30
"""Bounds of the threshold: below the first nobody hears words, above the second nobody talks."""
_JOIN = 15
"""Frames (0.3 s): the pause between words. A shorter gap does not end a stretch."""
_CLICK = 5
"""Frames (0.1 s): no word is shorter; what is, is a click on the line."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames `begin` to `end` (excluded) in which one side speaks."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.begin


def thresholds(levels: Sequence[int]) -> list[int]:
    """The level from which a frame is loud, for each block of ten seconds.

    A block is as noisy as its quietest tenth; the noise is the middle one of a block and the two
    beside it, so that ten seconds of steady talk do not pass for noise.
    """
    quiet = []
    for start in range(0, len(levels), _BLOCK):
        block = sorted(levels[start : start + _BLOCK])
        quiet.append(block[int(len(block) * _QUIET_PART)])
    around = [sorted(quiet[max(0, i - 1) : i + 2]) for i in range(len(quiet))]
    noise = [three[(len(three) - 1) // 2] for three in around]
    return [min(max(level + _ABOVE_NOISE, _LOWEST), _HIGHEST) for level in noise]


def find_stretches(levels: Sequence[int]) -> list[Stretch]:
    """Where the side speaks, in order, clicks left out."""
    found: list[Stretch] = []
    begin = end = -1
    for block, threshold in enumerate(thresholds(levels)):
        start = block * _BLOCK
        for frame, level in enumerate(levels[start : start + _BLOCK], start):
            if level < threshold:
                continue
            if begin >= 0 and frame - end >= _JOIN:
                found.append(Stretch(begin, end))
                begin = frame
            elif begin < 0:
                begin = frame
            end = frame + 1
    if begin >= 0:
        found.append(Stretch(begin, end))
    return [stretch for stretch in found if stretch.length >= _CLICK]
