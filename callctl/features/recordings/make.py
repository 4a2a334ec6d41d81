"""One finished recording: from raw to its file or files, and its figures.

`main` is a process of its own, of low priority: a job per line comes in, an outcome per line goes
out. So no call waits for an encoder, however long the conversation was, and what brings the encoder
down takes the daemon along with nothing.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from callctl.core.analysis.figures import analyse
from callctl.core.analysis.outline import outline
from callctl.core.recordings import file_name
from callctl.features.recordings.audio import (
    LevelMeter,
    OpusWriter,
    Sink,
    WavWriter,
    count_frames,
    open_plain,
    read_frames,
)
from callctl.features.recordings.found import measure_found
from callctl.features.recordings.job import SAMPLE_RATE, Format, Job, MadeFile, Outcome
from callctl.features.recordings.sealed import SealedWriter

_PR_SET_PDEATHSIG = 1


class _Counted:
    """A plain file that knows how much was written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self.size += len(data)

    def close(self) -> None:
        """The owner of the file does that."""


def make_recording(job: Job) -> Outcome:
    """Write the files of `job`; each appears under its name only when all are whole and on disk.

    Raises OSError (a full disk, a `raw` that is no plain file) and leaves no part behind then.
    """
    directory = Path(job.directory)
    directory.mkdir(parents=True, exist_ok=True)
    meter = LevelMeter()
    made: list[MadeFile] = []
    with ExitStack() as stack:
        raw = stack.enter_context(open_plain(Path(job.raw)))
        frames = count_frames(raw)
        targets = [directory / file_name(job.stem, f, sealed=bool(job.key)) for f in job.formats]
        drafts = [stack.enter_context(_draft(target)) for target in targets]
        sinks = [_sink(d, job.key, t.name) for d, t in zip(drafts, targets, strict=True)]
        writers = [_writer(f, s, frames) for f, s in zip(job.formats, sinks, strict=True)]
        for part in read_frames(raw, frames):
            meter.feed(part)
            for writer in writers:
                writer.write(part)
        for writer in writers:
            writer.close()
        for sink, draft in zip(sinks, drafts, strict=True):
            sink.close()
            draft.flush()
            os.fsync(draft.fileno())
        for format_, target, sink, draft in zip(job.formats, targets, sinks, drafts, strict=True):
            os.replace(draft.name, target)
            made.append(MadeFile(format_, target.name, sink.size))
    _sync_directory(directory)
    outlines = outline(meter.caller), outline(meter.called)
    figures = analyse(meter.caller, meter.called)
    return Outcome(made, frames / SAMPLE_RATE, figures, outlines)


@contextmanager
def _draft(target: Path) -> Iterator[BinaryIO]:
    """A file beside `target`, gone at the end unless it was renamed."""
    draft = target.with_name(f".{target.name}.part")
    try:
        with open(draft, "wb", opener=_for_group) as file:
            yield file
    finally:
        draft.unlink(missing_ok=True)


def _for_group(path: str, flags: int) -> int:
    """Calls are nobody's business but the service's and its group's."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o640)


def _sync_directory(directory: Path) -> None:
    """So that the new names outlive a power cut, as the files do."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sink(file: BinaryIO, key: bytes, name: str) -> "_Counted | SealedWriter":
    return SealedWriter(file, key, name) if key else _Counted(file)


def _writer(format_: Format, sink: Sink, frames: int) -> WavWriter | OpusWriter:
    return OpusWriter(sink) if format_ == "opus" else WavWriter(sink, frames)


def main() -> None:
    """Jobs from standard input until it ends."""
    with suppress(OSError):
        os.nice(10)
    # Not a moment longer than the daemon: its successor makes the same files.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for line in sys.stdin.buffer:
        job = msgspec.json.decode(line, type=Job)
        try:
            outcome = measure_found(job) if job.found else make_recording(job)
        except Exception as error:
            # The edge of one recording: the others are to be made all the same.
            outcome = Outcome(error=f"{type(error).__name__}: {error}")
        sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
