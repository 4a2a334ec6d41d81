"""What a conversation was like, in figures (R001-23). docs/recordings.md has the definitions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from callctl.core.analysis.voice import FRAMES_A_SECOND, Stretch, find_stretches

Side = Literal["caller", "called"]

_TALKING = FRAMES_A_SECOND // 2
"""So long (half a second) somebody must have been talking to be interrupted."""
_REMARK = FRAMES_A_SECOND
"""What is shorter (a second) is a remark ("yes", "mhm"): it neither interrupts nor takes over."""
_OWN_PAUSE = 2 * FRAMES_A_SECOND


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are of the whole recording, 0 to 1; first words are seconds from its beginning, None
    for a side that said nothing."""

    seconds: float
    caller_talk_share: float
    called_talk_share: float
    both_share: float
    silence_share: float
    caller_interruptions: int
    called_interruptions: int
    longest_monologue_seconds: float
    longest_monologue_side: Side | None
    caller_first_word_seconds: float | None
    called_first_word_seconds: float | None


def analyse(caller: Sequence[int], called: Sequence[int]) -> Figures:
    """The figures of a conversation from the levels of its two sides, equally long (voice.py)."""
    frames = max(len(caller), len(called), 1)
    near, far = find_stretches(caller), find_stretches(called)
    both = _overlap(near, far)
    talk = [sum(s.length for s in side) for side in (near, far)]
    longest, side = max(
        (_longest_monologue(near, far), "caller"), (_longest_monologue(far, near), "called")
    )
    return Figures(
        seconds=max(len(caller), len(called)) / FRAMES_A_SECOND,
        caller_talk_share=talk[0] / frames,
        called_talk_share=talk[1] / frames,
        both_share=both / frames,
        silence_share=(frames - talk[0] - talk[1] + both) / frames,
        caller_interruptions=_interruptions(near, far),
        called_interruptions=_interruptions(far, near),
        longest_monologue_seconds=longest / FRAMES_A_SECOND,
        longest_monologue_side=_side(side) if longest else None,
        caller_first_word_seconds=_first(near),
        called_first_word_seconds=_first(far),
    )


def _side(name: str) -> Side:
    return "caller" if name == "caller" else "called"


def _first(stretches: Sequence[Stretch]) -> float | None:
    return stretches[0].begin / FRAMES_A_SECOND if stretches else None


def _overlap(near: Sequence[Stretch], far: Sequence[Stretch]) -> int:
    """Frames in which both speak."""
    total = i = j = 0
    while i < len(near) and j < len(far):
        a, b = near[i], far[j]
        total += max(0, min(a.end, b.end) - max(a.begin, b.begin))
        if a.end <= b.end:
            i += 1
        else:
            j += 1
    return total


def _interruptions(by: Sequence[Stretch], of: Sequence[Stretch]) -> int:
    """How often `by` begins while `of` is talking, goes on for a second, and is left the word."""
    count = j = 0
    for stretch in by:
        while j < len(of) and of[j].end <= stretch.begin:
            j += 1
        if j == len(of):
            break
        other = of[j]
        had_the_word = other.begin + _TALKING <= stretch.begin
        count += had_the_word and stretch.length >= _REMARK and other.end < stretch.end
    return count


def _longest_monologue(of: Sequence[Stretch], other: Iterable[Stretch]) -> int:
    """Frames of the longest time in which `of` has the word: its own pauses shorter than two
    seconds, and nothing but remarks by the `other`."""
    taken = iter([s.begin for s in other if s.length >= _REMARK])
    next_taken = next(taken, None)
    longest, begin = 0, of[0].begin if of else 0
    for stretch, following in pairwise((*of, None)):
        assert stretch is not None
        while next_taken is not None and next_taken < stretch.begin:
            next_taken = next(taken, None)
        goes_on = (
            following is not None
            and following.begin - stretch.end < _OWN_PAUSE
            and not (next_taken is not None and next_taken < following.begin)
        )
        if not goes_on:
            longest = max(longest, stretch.end - begin)
            begin = following.begin if following else begin
    return longest
