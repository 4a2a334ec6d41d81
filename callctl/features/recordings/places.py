"""Where recordings lie, and that nothing leads out of there."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RecordingPlaces:
    """`spool`: where Asterisk writes. `root`: where finished recordings stay."""

    spool: Path
    root: Path


def day_of(started_at: datetime) -> Path:
    """``2023/11/14``, in UTC."""
    return Path(f"{started_at.astimezone(UTC):%Y/%m/%d}")


def is_file_inside(root: Path, path: Path) -> bool:
    """A file that is there, and under `root`."""
    try:
        return inside(root, path) and path.is_file()
    except OSError:
        return False


def inside(root: Path, path: Path) -> bool:
    """Whether `path` stays under `root`, symbolic links followed; a ring of them does not."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):
        return False
