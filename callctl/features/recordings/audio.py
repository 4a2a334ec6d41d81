"""What MixMonitor leaves (raw, both sides interleaved), read and written as WAV or Opus."""

import errno
import math
import os
import stat
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol, cast

import numpy as np

from callctl.core.analysis.voice import FRAMES_A_SECOND, SILENT
from callctl.features.recordings.job import FRAME_BYTES, SAMPLE_RATE

_CHANNELS = 2
_CHUNK_SECONDS = 60
_LEVEL_SAMPLES = SAMPLE_RATE // FRAMES_A_SECOND
OPUS_BITS = 32_000
"""For both sides together: on the telephone's 8 kHz no ear tells it from the WAV."""

Frames = Any
"""An int16 array of shape (n, 2): the caller left, the called party right."""


class Sink(Protocol):
    """Where an encoder writes to, from beginning to end."""

    def write(self, data: bytes, /) -> object: ...


def open_plain(path: Path) -> BinaryIO:
    """`path` for reading, if it is a plain file and no link to one.

    Another user may write where it lies: a link would lead to what only we may read, and a pipe
    would hold us up for ever. Raises OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return os.fdopen(fd, "rb")


def count_frames(raw: BinaryIO) -> int:
    """Whole frames in the file; an incomplete last one is left out."""
    return os.fstat(raw.fileno()).st_size // FRAME_BYTES


def read_frames(raw: BinaryIO, count: int) -> Iterator[Frames]:
    """The first `count` frames, a minute at a time, the caller left.

    MixMonitor runs on the called channel, so what that channel *read* (the called party) comes
    first in a frame. Raises OSError if the file has become shorter.
    """
    while count:
        wanted = min(count, _CHUNK_SECONDS * SAMPLE_RATE)
        data = raw.read(wanted * FRAME_BYTES)
        if len(data) < wanted * FRAME_BYTES:
            raise OSError(errno.EIO, "the recording became shorter while it was read")
        yield np.frombuffer(data, dtype="<i2").reshape(-1, _CHANNELS)[:, ::-1]
        count -= wanted


class WavWriter:
    """Writes a WAV of `count` frames to `sink`. The length stands in its head, so it is fixed."""

    def __init__(self, sink: Sink, count: int) -> None:
        self._wav = wave.Wave_write(cast(IO[bytes], _Forward(sink)))
        self._wav.setnchannels(_CHANNELS)
        self._wav.setsampwidth(FRAME_BYTES // _CHANNELS)
        self._wav.setframerate(SAMPLE_RATE)
        self._wav.setnframes(count)
        self._wav.writeframesraw(b"")

    def write(self, frames: Frames) -> None:
        self._wav.writeframesraw(np.ascontiguousarray(frames).tobytes())

    def close(self) -> None:
        self._wav.close()


class OpusWriter:
    """Writes Opus in Ogg (RFC 6716, RFC 7845) to `sink`, each side on its own channel."""

    def __init__(self, sink: Sink) -> None:
        import av  # Some 40 MB, which only the process that encodes is to have.

        self._av = av
        self._container: Any = av.open(_Forward(sink), "w", format="ogg")
        options = {"application": "voip", "frame_duration": "60", "compression_level": "5"}
        self._stream = self._container.add_stream(
            "libopus", rate=SAMPLE_RATE, layout="stereo", options=options
        )
        self._stream.bit_rate = OPUS_BITS
        self._written = 0

    def write(self, frames: Frames) -> None:
        flat = np.ascontiguousarray(frames).reshape(1, -1)
        frame = self._av.AudioFrame.from_ndarray(flat, format="s16", layout="stereo")
        frame.sample_rate = SAMPLE_RATE
        frame.pts = self._written
        self._written += len(frames)
        self._mux(frame)

    def close(self) -> None:
        self._mux(None)
        self._container.close()

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)


class _Forward:
    """A file that can only be written on: both encoders then never go back."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: Any) -> int:
        self._sink.write(bytes(data))
        return len(data)

    def flush(self) -> None:
        """The sink's owner does that."""


class LevelMeter:
    """Loudness of each side, one level per 20 ms, as `core.analysis` wants it."""

    def __init__(self) -> None:
        self.caller: list[int] = []
        self.called: list[int] = []

    def feed(self, frames: Frames) -> None:
        """A whole number of 20 ms, except at the end: the rest is left out."""
        whole = len(frames) // _LEVEL_SAMPLES
        blocks = frames[: whole * _LEVEL_SAMPLES].reshape(whole, _LEVEL_SAMPLES, _CHANNELS)
        power = np.square(blocks, dtype=np.float32).mean(axis=1)
        full_scale = 20 * math.log10(32768)
        levels = 10 * np.log10(np.maximum(power, 1e-3)) - full_scale
        whole_levels = np.maximum(np.rint(levels), SILENT).astype(int)
        self.caller += whole_levels[:, 0].tolist()
        self.called += whole_levels[:, 1].tolist()
