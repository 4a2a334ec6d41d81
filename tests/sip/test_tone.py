"""The tones by which recordings are told apart."""

from pathlib import Path

import pytest

from callctl.demo.tone import encode_ulaw, tone_hz, write_tone


@pytest.mark.parametrize(
    ("sample", "byte"),
    # Values of ITU-T G.711, table 2a: zero, the ends of the scale, and the segments' borders.
    [(0, 0xFF), (-1, 0x7F), (32767, 0x80), (-32768, 0x00), (1000, 0xCE), (-1000, 0x4E)],
)
def test_ulaw_is_that_of_g711(sample: int, byte: int) -> None:
    assert encode_ulaw(sample) == byte


def test_neighbouring_extensions_sound_different() -> None:
    assert len({tone_hz(str(extension)) for extension in range(101, 133)}) == 32


def test_a_tone_file_holds_whole_periods(tmp_path: Path) -> None:
    data = write_tone(tmp_path / "a.ul", 400, seconds=0.5).read_bytes()
    assert len(data) == 4000
    assert data[:20] == data[20:40]
