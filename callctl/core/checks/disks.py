"""Which disks run full: pure arithmetic over what `statvfs` said."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from callctl.core.checks.alarms import Finding

CODES = ("disk_low", "disk_full")
MEGABYTE = 1024 * 1024
FEW_INODES = 1000
"""A file system can have room and still take no new file."""


@dataclass(frozen=True, slots=True)
class Space:
    """Of one file system: bytes and inodes free to us (None where it does not count inodes)."""

    device: int
    free_bytes: int
    free_inodes: int | None


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Megabytes (2^20 bytes) below which a disk is low, and full."""

    warning_mb: int
    critical_mb: int


def group_places(spaces: Mapping[str, Space]) -> list[tuple[str, Space]]:
    """One entry per file system: the places on it, joined by commas, as they were given."""
    names: dict[int, list[str]] = {}
    for name, space in spaces.items():
        names.setdefault(space.device, []).append(name)
    by_device = {space.device: space for space in spaces.values()}
    return [(", ".join(places), by_device[device]) for device, places in names.items()]


def judge_disks(spaces: Mapping[str, Space], thresholds: Thresholds) -> list[Finding]:
    """A finding per file system that is low or full; `spaces` by place."""
    return [
        Finding(code, places, describe_space(space))
        for places, space in group_places(spaces)
        for code in _codes(space, thresholds)
    ]


def _codes(space: Space, thresholds: Thresholds) -> Iterable[str]:
    free = space.free_bytes // MEGABYTE
    if free < thresholds.critical_mb or space.free_inodes == 0:
        yield "disk_full"
    elif free < thresholds.warning_mb or _few(space.free_inodes):
        yield "disk_low"


def _few(inodes: int | None) -> bool:
    return inodes is not None and inodes < FEW_INODES


def describe_space(space: Space) -> str:
    """``812 MB free``; inodes are named where they are what is short."""
    text = f"{space.free_bytes / MEGABYTE:.0f} MB free"
    return f"{text}, {space.free_inodes} inodes free" if _few(space.free_inodes) else text
