"""A recording whose files are there and whose row is not: the database is an older backup's."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from callctl.core.analysis.figures import analyse
from callctl.core.analysis.outline import outline
from callctl.core.recordings import file_name
from callctl.features.recordings.audio import Frames, LevelMeter, open_plain
from callctl.features.recordings.job import SAMPLE_RATE, Format, Job, MadeFile, Outcome
from callctl.features.recordings.sealed import open_sealed

_CONTAINERS: dict[Format, str] = {"opus": "ogg", "wav": "wav"}
"""What a file is, by its name: nothing is guessed from what is in it."""

_PART = 60 * SAMPLE_RATE


def measure_found(job: Job) -> Outcome:
    """What `make_recording` said when it made the files of `job`: they are left as they are.

    Raises OSError, SealBroken, and what the decoder does with a damaged file.
    """
    made: list[MadeFile] = []
    meter = LevelMeter()
    frames = 0
    for format_ in job.formats:
        path = Path(job.directory) / file_name(job.stem, format_, sealed=bool(job.key))
        if not made:
            with _open(path, job.key) as audio:
                for part in _decode(audio, _CONTAINERS[format_]):
                    frames += len(part)
                    meter.feed(part)
        made.append(MadeFile(format_, path.name, _size(path, job.key)))
    outlines = outline(meter.caller), outline(meter.called)
    return Outcome(made, frames / SAMPLE_RATE, analyse(meter.caller, meter.called), outlines)


def _size(path: Path, key: bytes) -> int:
    if not key:
        return path.stat().st_size
    sealed = open_sealed(path, key)
    sealed.close()
    return sealed.size


def _open(path: Path, key: bytes) -> BinaryIO:
    if not key:
        return open_plain(path)
    sealed = open_sealed(path, key)
    try:
        return io.BytesIO(b"".join(sealed.read(0, sealed.size - 1)))
    finally:
        sealed.close()


def _decode(audio: BinaryIO, container_format: str) -> Iterator[Frames]:
    """A minute at a time, as `read_frames` gives them (an encrypted file is in memory whole)."""
    import av  # Some 40 MB, which only the process that encodes is to have.

    resampler = av.AudioResampler(format="s16", layout="stereo", rate=SAMPLE_RATE)
    waiting = av.AudioFifo()
    with av.open(audio, "r", format=container_format) as container:
        for frame in (*container.decode(audio=0), None):
            for part in resampler.resample(frame):
                part.pts = None
                waiting.write(part)
            while waiting.samples >= _PART:
                yield _frames(waiting.read(_PART))
    if waiting.samples:
        yield _frames(waiting.read(waiting.samples))


def _frames(frame: object) -> Frames:
    return frame.to_ndarray().reshape(-1, 2)  # type: ignore[attr-defined]
