"""Words of a recording: of each side for itself, at their time, by a real model on spoken words."""

import io
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callctl.features.recordings.job import Job
from callctl.features.recordings.make import make_recording
from callctl.features.recordings.transcribe import PocketSphinx, read_sides, transcribe
from callctl.features.recordings.transcripts import Word


def say(text: str) -> Any:
    """`text` spoken by espeak-ng, as the telephone carries it (int16, 8 kHz)."""
    command = ["espeak-ng", "-v", "en-us", "-s", "130", "--stdout", text]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(spoken[44:], "<i2")
    wanted = np.arange(len(samples) * 8000 // rate) * rate / 8000
    return np.interp(wanted, np.arange(len(samples)), samples).astype("<i2")


def talk(caller: Any, called: Any) -> Any:
    """First the one, a second later the other; shape (n, 2), the caller first."""
    pause = np.zeros(8000, "<i2")
    near = np.concatenate([pause, caller, pause, np.zeros_like(called), pause])
    far = np.concatenate([pause, np.zeros_like(caller), pause, called, pause])
    return np.stack([near, far], axis=1)


def test_words_are_heard_on_the_side_and_at_the_time_that_they_were_said(tmp_path: Path) -> None:
    sides = talk(say("my order is late"), say("please call me back tomorrow"))
    raw = tmp_path / "a.raw"
    raw.write_bytes(np.ascontiguousarray(sides[:, ::-1]).tobytes())
    made = make_recording(Job(str(raw), str(tmp_path), "a", ["wav"]))
    heard = read_sides((tmp_path / made.files[0].name).read_bytes())
    assert np.array_equal(heard, sides)
    said = transcribe(heard, PocketSphinx())
    assert [spoken.side for spoken in said] == ["caller", "called"]
    words = [{word.text for word in spoken.words} for spoken in said]
    assert "order" in words[0]
    assert "tomorrow" in words[1]
    for spoken in said:
        assert all(spoken.begin <= w.begin <= w.end <= spoken.end for w in spoken.words)
    assert 0.5 < said[0].begin < said[0].end < said[1].begin


class Counting:
    """A transcriber that says how many samples it was given."""

    name = "counting"

    def words_of(self, samples: Any) -> list[Word]:
        return [Word(str(len(samples)), 0.0, len(samples) / 8000)]


@pytest.mark.parametrize("silent", [np.zeros((0, 2), "<i2"), np.zeros((80_000, 2), "<i2")])
def test_silence_is_not_transcribed(silent: Any) -> None:
    assert transcribe(silent, Counting()) == []


def test_any_transcriber_is_asked_for_talk_only() -> None:
    sides = talk(say("my order is late"), say("no"))
    said = transcribe(sides, Counting())
    assert {spoken.side for spoken in said} == {"caller", "called"}
    assert sum(int(s.words[0].text) for s in said) < len(sides)
