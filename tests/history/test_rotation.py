"""However the journal is renamed, copied or emptied: each row is handed out once, in order."""

import itertools
import os
import shutil
from pathlib import Path

import pytest

from callctl.asterisk.journal import RawRow
from callctl.asterisk.journal_files import JournalFiles, Position

_clock = itertools.count(100.0, 1000.0)
"""Far apart: a renamed file counts as finished at the second look."""


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "journal.csv"


def row(number: int) -> bytes:
    second = 1_795_370_000 + number
    return f'{second},"CHAN_START","{second}.000000","row {number}"\n'.encode()


def write(file: Path, *numbers: int) -> None:
    with file.open("ab") as journal:
        journal.write(b"".join(row(n) for n in numbers))


def read(files: JournalFiles, looks: int = 12) -> list[int]:
    """The numbers of all rows that are handed out now."""
    pieces = [piece for _ in range(looks) for _, piece in files.read(next(_clock))]
    assert all(isinstance(piece, RawRow) for piece in pieces), pieces
    return [int(piece.raw.split(b'"row ')[1].split(b'"')[0]) for piece in pieces]


def opened(live: Path, position: Position | None = None) -> JournalFiles:
    files = JournalFiles(live)
    assert files.open_at(position)
    return files


def test_renamed_twice_between_two_looks(live: Path) -> None:
    write(live, 1, 2)
    files = opened(live)
    assert read(files) == [1, 2]
    write(live, 3)
    live.rename(live.with_name("journal.csv.2"))
    write(live, 4, 5)
    live.rename(live.with_name("journal.csv.1"))
    write(live, 6)
    assert read(files) == [3, 4, 5, 6]
    files.close()


@pytest.mark.parametrize("names", [("a", "b"), ("2", "1"), ("10", "9"), ("20260101", "20260102")])
def test_rotated_files_are_read_by_age_whatever_their_names(
    live: Path, names: tuple[str, str]
) -> None:
    old, young = (live.with_name(f"journal.csv.{name}") for name in names)
    write(old, 1, 2)
    write(young, 3)
    write(live, 4)
    files = opened(live)
    assert read(files) == [1, 2, 3, 4]
    files.close()


def test_resumed_in_the_older_of_two_rotated_files(live: Path) -> None:
    write(live, 1, 2)
    files = opened(live)
    read(files)
    position = files.resume_position(None)
    files.close()
    write(live, 3)
    live.rename(live.with_name("journal.csv.2"))
    write(live, 4)
    live.rename(live.with_name("journal.csv.1"))
    write(live, 5)
    again = opened(live, position)
    assert read(again) == [3, 4, 5]
    again.close()


def test_compressed_files_are_left_alone(live: Path) -> None:
    write(live, 1)
    live.with_name("journal.csv.1.gz").write_bytes(b"\x1f\x8b\x08\0\n\n\xff\n")
    files = opened(live)
    assert read(files) == [1]
    assert files.finished(older_than=float("inf")) == []
    files.close()


def test_emptied_where_it_stands(live: Path) -> None:
    write(live, 1, 2)
    files = opened(live)
    assert read(files) == [1, 2]
    os.truncate(live, 0)
    assert read(files, 1) == []
    write(live, *range(3, 20))
    assert read(files) == list(range(3, 20))
    position = files.resume_position(None)
    files.close()
    assert position is not None
    assert position.offset == live.stat().st_size
    assert read(opened(live, position)) == []


def test_copied_and_emptied_before_all_was_read(live: Path) -> None:
    write(live, 1, 2)
    files = opened(live)
    assert read(files) == [1, 2]
    write(live, 3, 4)
    shutil.copyfile(live, live.with_name("journal.csv.1"))
    os.truncate(live, 0)
    write(live, 5)
    assert read(files) == [3, 4, 5]
    files.close()
