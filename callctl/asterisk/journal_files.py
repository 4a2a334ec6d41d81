"""The journal's files on disk: the live one and those it was rotated into, read as one stream.

Asterisk opens the file anew for each row, so a rename needs no word to it; it may still finish one
row in the renamed file, which is why that one is read until it has been quiet for a while.
"""

import itertools
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from callctl.asterisk.journal import Framer, Poison, RawRow

READ_BYTES = 64 * 1024
"""A millisecond of parsing: whoever waits for a plan meanwhile waits no longer than that."""
QUIET_SECONDS = 10.0
"""How long a renamed file must have been silent before it counts as finished."""

_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst", ".lz4"})
_FIRST_TIME = re.compile(rb'[^"]*,"[^"]+","(\d{10}\.\d{6})"')
"""The time of a row, which is of the same length for the next 250 years."""

_SEQUENCE_BITS = 44
"""Room for an offset in a position that orders rows over several files."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the journal: which file (by identity, not by name), which byte."""

    generation: str
    offset: int


@dataclass(slots=True)
class _OpenFile:
    fd: int
    index: int
    generation: str
    framer: Framer
    read_offset: int
    replaced: bool = False
    last_data: float = 0.0


def generation_of(fd: int) -> str | None:
    """A file's identity: inode and a checksum of its first row. None while it has no whole row."""
    first = os.pread(fd, 4096, 0)
    line, newline, _ = first.partition(b"\n")
    if not newline and len(first) < 4096:
        return None
    return f"{os.fstat(fd).st_ino}-{zlib.crc32(line):08x}"


@dataclass(slots=True)
class JournalFiles:
    """Follows the journal at `path` and its rotated siblings (``journal.csv.*``) in order."""

    path: Path
    _files: list[_OpenFile] = field(default_factory=list)
    _generations: dict[int, str] = field(default_factory=dict)
    _backlog: list[Path] = field(default_factory=list)
    at_end: bool = False
    """Whether the last `read` came to the end of all there was when it began."""

    def open_at(self, position: Position | None) -> bool:
        """Start at `position`, or at the oldest file there is.

        False when `position` names a file that is gone: rows may be missing then.
        """
        self._backlog = self.existing()
        if position is None:
            return True
        for number, path in enumerate(self._backlog):
            file = self._open(path)
            if file is None:
                continue
            if file.generation == position.generation:
                file.framer.position = file.read_offset = position.offset
                self._accept(file)
                del self._backlog[: number + 1]
                return True
            os.close(file.fd)
        return not self._backlog

    def existing(self) -> list[Path]:
        """Rotated files by age, whatever their names, then the live one; no compressed ones."""
        siblings = self.path.parent.glob(self.path.name + ".*")
        rotated = sorted((p for p in siblings if p.suffix not in _COMPRESSED), key=_age)
        return [*rotated, *([self.path] if self.path.exists() else [])]

    def read(self, now: float) -> Iterator[tuple[int, RawRow | Poison]]:
        """Whatever is new, as (position in order over all files, piece). `now`: monotonic seconds.

        Empty when there is nothing at the moment.
        """
        self.at_end = False
        self._open_next(now)
        at_end = not self._backlog
        for file in list(self._files):
            if not file.replaced and self._is_replaced(file):
                file.replaced = True
                file.last_data = now
                emptied = generation_of(file.fd) != file.generation
                if emptied and not self._go_on_in_copy(file):
                    # What stands there now is another file's.
                    yield from self._pieces(file, file.framer.flush())
                    self._close(file)
                    continue
                at_end = False  # Its successor is opened by the next read.
            data = os.pread(file.fd, READ_BYTES, file.read_offset)
            at_end = at_end and len(data) < READ_BYTES
            if data:
                file.read_offset += len(data)
                file.last_data = now
                yield from self._pieces(file, file.framer.feed(data))
                if file.replaced:
                    return  # What is older comes first, to its end.
            elif file.replaced and now - file.last_data > QUIET_SECONDS:
                yield from self._pieces(file, file.framer.flush())
                self._close(file)
        self.at_end = at_end

    def resume_position(self, oldest_needed: int | None) -> Position | None:
        """Where to resume: the oldest row still needed, else the first byte not yet handed out."""
        places = [self._order(f, f.framer.position) for f in self._files]
        if oldest_needed is not None:
            places.append(oldest_needed)
        if not places:
            return None
        index, offset = divmod(min(places), 1 << _SEQUENCE_BITS)
        return Position(self._generations[index], offset)

    def place(self, position: int) -> Position:
        """A position of `read` as file and byte."""
        index, offset = divmod(position, 1 << _SEQUENCE_BITS)
        return Position(self._generations[index], offset)

    def behind_bytes(self) -> int:
        """How much is written but not read yet."""
        waiting = sum(p.stat().st_size for p in self._backlog if p.exists())
        return waiting + sum(max(0, os.fstat(f.fd).st_size - f.read_offset) for f in self._files)

    def rotate(self, now: datetime, min_bytes: int) -> Path | None:
        """Rename the live file when it has grown past `min_bytes`; returns its new name."""
        if not self.path.exists() or self.path.stat().st_size < min_bytes:
            return None
        target = self.path.with_name(f"{self.path.name}.{now:%Y%m%dT%H%M%S%f}")
        self.path.rename(target)
        return target

    def finished(self, older_than: float) -> list[Path]:
        """Rotated files not written since `older_than` (epoch) that are no longer read."""
        reading = {os.fstat(f.fd).st_ino for f in self._files}
        waiting = {*self._backlog, self.path}
        rotated = [p for p in self.existing() if p not in waiting]
        return [
            p for p in rotated if p.stat().st_ino not in reading and p.stat().st_mtime < older_than
        ]

    def close(self) -> None:
        while self._files:
            self._close(self._files[0])

    def _order(self, file: _OpenFile, offset: int) -> int:
        return (file.index << _SEQUENCE_BITS) | offset

    def _pieces(
        self, file: _OpenFile, pieces: Iterator[RawRow | Poison]
    ) -> Iterator[tuple[int, RawRow | Poison]]:
        first = self._order(file, 0)
        for piece in pieces:
            yield first | piece.position, piece

    def _is_replaced(self, file: _OpenFile) -> bool:
        """Whether rows go elsewhere now: to another file of that name, or this one was emptied."""
        try:
            same = self.path.stat().st_ino == os.fstat(file.fd).st_ino
        except FileNotFoundError:
            return True
        return not same or generation_of(file.fd) != file.generation

    def _go_on_in_copy(self, file: _OpenFile) -> bool:
        """Whether `file`, which was emptied, goes on in a copy of it (logrotate's copytruncate)."""
        row = file.generation.partition("-")[2]
        for path in self.existing()[:-1]:
            copy = self._open(path)
            if copy is None:
                continue
            same = copy.generation.partition("-")[2] == row
            if same and os.fstat(copy.fd).st_size >= file.read_offset:
                os.close(file.fd)
                file.fd, file.generation = copy.fd, copy.generation
                self._generations[file.index] = copy.generation
                return True
            os.close(copy.fd)
        return False

    def _next_path(self) -> Path:
        """The file after the newest that is open: it may have been renamed more than once."""
        if self._backlog:
            return self._backlog[0]
        if self._files:
            inode = os.fstat(self._files[-1].fd).st_ino
            files = self.existing()
            for path, younger in itertools.pairwise(files):
                if _inode(path) == inode:
                    return younger
        return self.path

    def _open_next(self, now: float) -> None:
        if self._files and not self._files[-1].replaced:
            return
        path = self._next_path()
        file = self._open(path)
        if file is None:
            if self._backlog and path != self.path:
                self._backlog.pop(0)  # Empty or gone.
            return
        if self._files and file.generation == self._files[-1].generation:
            os.close(file.fd)  # Renamed away, and nothing new written yet.
            return
        if self._backlog:
            self._backlog.pop(0)
        # A file that was rotated before the start has been quiet for long enough.
        file.last_data = now if path == self.path else now - 2 * QUIET_SECONDS
        self._accept(file)

    def _open(self, path: Path) -> _OpenFile | None:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        generation = generation_of(fd)
        if generation is None:
            os.close(fd)
            return None
        return _OpenFile(fd, 0, generation, Framer(), 0)

    def _accept(self, file: _OpenFile) -> None:
        file.index = len(self._generations) + 1
        self._generations[file.index] = file.generation
        self._files.append(file)

    def _close(self, file: _OpenFile) -> None:
        os.close(file.fd)
        self._files.remove(file)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _age(path: Path) -> tuple[bytes, str]:
    """What orders rotated files: when their first row was written. A file without one is old."""
    try:
        with path.open("rb") as file:
            found = _FIRST_TIME.match(file.read(200))
    except FileNotFoundError:
        found = None
    return (found[1] if found else b"", path.name)
