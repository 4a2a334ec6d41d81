"""Words of a recording: the interface to whatever hears them, and one that works offline.

A transcriber is asked for one stretch of talk of one side at a time (`core.analysis`), so who said
what and when needs no guessing, and silence costs nothing.
"""

import io
from collections.abc import Sequence
from typing import Any, Literal, Protocol

import numpy as np

from callctl.core.analysis.voice import FRAMES_A_SECOND, find_stretches
from callctl.features.recordings.audio import Frames, LevelMeter
from callctl.features.recordings.job import SAMPLE_RATE
from callctl.features.recordings.transcripts import Spoken, Word

_MARGIN = FRAMES_A_SECOND // 5
"""Frames (0.2 s) before and after a stretch: words begin and end softly."""


class Transcriber(Protocol):
    """Hears words. One instance is used by one thread."""

    name: str
    """Of the engine and its model: told beside what it heard."""

    def words_of(self, samples: Any) -> list[Word]:
        """Of an int16 array at 8 kHz, one side only, in seconds from its beginning. May be
        empty."""
        ...


class PocketSphinx:
    """CMU PocketSphinx with the English model of its wheel (the extra `transcribe`).

    Small, offline, and weak: of free talk on a telephone it gets some words right, fit to look for
    a recording by, not to read one. Raises ModuleNotFoundError where the extra is not installed.
    """

    name = "pocketsphinx en-us"

    _RATE = 16_000
    _FRAMES = 100
    """Of its own, in a second."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=self._RATE, loglevel="FATAL")

    def words_of(self, samples: Any) -> list[Word]:
        wanted = np.arange(len(samples) * self._RATE // SAMPLE_RATE) * SAMPLE_RATE / self._RATE
        wide = np.interp(wanted, np.arange(len(samples)), samples).astype("<i2")
        self._decoder.start_utt()
        self._decoder.process_raw(wide.tobytes(), full_utt=True)
        self._decoder.end_utt()
        return [
            # ``the(2)`` is another way to say ``the``; ``<sil>``, ``[NOISE]`` are no words.
            Word(s.word.partition("(")[0], s.start_frame / self._FRAMES, s.end_frame / self._FRAMES)
            for s in self._decoder.seg() or ()
            if s.word[0] not in "<["
        ]


def transcribe(sides: Frames, transcriber: Transcriber) -> list[Spoken]:
    """Who said what, in order of time. `sides`: int16 of shape (n, 2), the caller first."""
    meter = LevelMeter()
    meter.feed(sides)
    found = [
        *_of_side("caller", sides[:, 0], meter.caller, transcriber),
        *_of_side("called", sides[:, 1], meter.called, transcriber),
    ]
    return sorted(found, key=lambda spoken: spoken.begin)


def _of_side(
    side: Literal["caller", "called"],
    samples: Any,
    levels: Sequence[int],
    transcriber: Transcriber,
) -> list[Spoken]:
    found = []
    for stretch in find_stretches(levels):
        begin = max(0, stretch.begin - _MARGIN) / FRAMES_A_SECOND
        end = min(len(levels), stretch.end + _MARGIN) / FRAMES_A_SECOND
        heard = transcriber.words_of(samples[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)])
        words = [Word(w.text, begin + w.begin, begin + w.end) for w in heard]
        if words:
            found.append(Spoken(side, begin, end, words))
    return found


def read_sides(audio: bytes) -> Frames:
    """A recording's audio, WAV or Opus, as `transcribe` wants it."""
    import av  # Some 40 MB, which nothing else here is to have.

    resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
    parts = []
    with av.open(io.BytesIO(audio), "r") as container:
        for frame in (*container.decode(audio=0), None):
            parts += [part.to_ndarray().reshape(-1, 2) for part in resampler.resample(frame)]
    return np.concatenate(parts) if parts else np.zeros((0, 2), dtype=np.int16)
