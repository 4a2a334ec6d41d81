"""The outline of a recording is what one sees of it."""

from callctl.core.analysis.outline import PARTS, outline
from callctl.core.analysis.voice import SILENT


def test_silence_is_flat_and_the_loudest_is_full() -> None:
    assert outline([SILENT] * 10 + [0] * 10) == bytes([0] * 10 + [100] * 10)


def test_a_long_recording_has_longer_parts_and_each_shows_its_loudest_moment() -> None:
    levels = [SILENT] * (PARTS * 100)
    levels[PARTS * 100 - 1] = -30
    drawn = outline(levels)
    assert len(drawn) == PARTS
    assert (drawn[-1], sum(drawn)) == (50, 50)


def test_what_has_no_frames_has_no_parts() -> None:
    assert outline([]) == b""
