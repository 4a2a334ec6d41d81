"""How much room there is where calls are written."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

from callctl.core.checks.disks import Space


def read_space(path: Path) -> Space:
    """Of the file system that `path` is on, or will be on. Raises OSError."""
    while not path.exists() and path != path.parent:
        path = path.parent
    said = os.statvfs(path)
    return Space(
        device=path.stat().st_dev,
        free_bytes=said.f_bavail * said.f_frsize,
        # A file system that makes inodes as it needs them says that it has none at all.
        free_inodes=said.f_favail if said.f_files else None,
    )


async def read_spaces(places: Mapping[str, Path], within: float) -> dict[str, Space]:
    """By place; a mount that hangs holds up only this. Raises OSError, TimeoutError."""
    async with asyncio.timeout(within):
        return await asyncio.to_thread(
            lambda: {name: read_space(path) for name, path in places.items()}
        )
