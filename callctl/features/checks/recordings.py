"""Recordings without a call, and calls without their recording, a part in each round.

A walk over everything would cost more the longer callctl runs, so one round looks at the spool, at
one day's directory and at one page of records; the last 30 days are gone through again and again.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from callctl.core.checks.alarms import Finding
from callctl.core.recordings import stem_of
from callctl.db.pool import Database

CODES = ("recording_without_call", "recording_missing")
DAYS = 30
PAGE = 1000
SHOWN = 3
KEPT = 1000
"""Findings kept from round to round, of each kind."""

KNOWN_FILES = "select file from recordings where file = any($1::text[])"
PAGE_OF_RECORDINGS = """
select id, path, state, started_at from recordings
where $1::bigint is null or id < $1 order by id desc limit $2
"""
NEVER_MADE = """
select file from recordings where state = 'missing' and started_at > now() - interval '1 day'
order by started_at limit $1
"""


@dataclass(slots=True)
class RecordingWatch:
    """`spool`: where Asterisk writes. `root`: where finished ones stay, as YYYY/MM/DD/<name>.opus.

    `grace`: seconds that a file may have no call, since a call's record comes after its recording.
    """

    db: Database
    spool: Path
    root: Path
    grace: float
    _day: int = 0
    _below: int | None = None
    _strays: dict[Path, None] = field(default_factory=dict)
    _gone: dict[int, Path] = field(default_factory=dict)

    async def check(self) -> list[Finding]:
        """One round. Raises OSError, CallctlError("database_unavailable")."""
        await self._look_for_strays()
        await self._look_for_gone()
        never = [row["file"] for row in await self.db.fetch(NEVER_MADE, KEPT)]
        return [
            *_finding("recording_without_call", "", map(str, self._strays)),
            *_finding("recording_missing", "lost", map(str, self._gone.values())),
            *_finding("recording_missing", "never made", never),
        ]

    async def _look_for_strays(self) -> None:
        """Files of the spool and of one day, and those found before, that no record names."""
        day = datetime.now(UTC) - timedelta(days=self._day)
        self._day = (self._day + 1) % DAYS
        directories = (self.spool, self.root / f"{day:%Y/%m/%d}")
        files = await asyncio.to_thread(old_files, directories, time.time() - self.grace)
        seen = dict.fromkeys([*(p for p in self._strays if p.exists()), *files])
        known: set[str] = set()
        names = sorted({record_name(path) for path in seen})
        for start in range(0, len(names), PAGE):
            rows = await self.db.fetch(KNOWN_FILES, names[start : start + PAGE])
            known.update(row["file"] for row in rows)
        strays = [path for path in seen if record_name(path) not in known]
        self._strays = dict.fromkeys(strays[:KEPT])

    async def _look_for_gone(self) -> None:
        """One page of records further back; from the newest again where 30 days end."""
        rows = await self.db.fetch(PAGE_OF_RECORDINGS, self._below, PAGE)
        oldest = datetime.now(UTC) - timedelta(days=DAYS)
        recent = [row for row in rows if row["started_at"] >= oldest]
        self._below = rows[-1]["id"] if rows and len(recent) == PAGE else None
        paths = {
            row["id"]: self.root / row["path"] for row in recent if row["state"] == "available"
        }
        self._gone = await asyncio.to_thread(_without_file, {**self._gone, **paths})


def old_files(directories: Iterable[Path], before: float) -> list[Path]:
    """Files last written before `before` (epoch seconds). A directory may be missing."""
    found = []
    for directory in directories:
        try:
            with os.scandir(directory) as entries:
                found += [
                    Path(entry.path)
                    for entry in entries
                    if not entry.name.startswith(".")
                    and entry.is_file(follow_symlinks=False)
                    and entry.stat().st_mtime < before
                ]
        except FileNotFoundError:
            continue
    return found


def record_name(path: Path) -> str:
    """The name by which a record knows the file: as Asterisk wrote it, before it got its place."""
    stem = stem_of(path.name)
    return path.name if stem == path.name else f"{stem}.raw"


def _without_file(paths: dict[int, Path]) -> dict[int, Path]:
    gone = [(id_, path) for id_, path in paths.items() if not path.is_file()]
    return dict(gone[:KEPT])


def _finding(code: str, subject: str, names: Iterable[Any]) -> Sequence[Finding]:
    listed = list(names)
    if not listed:
        return ()
    count = f"{len(listed)}{' or more' if len(listed) == KEPT else ''}"
    more = ", …" if len(listed) > SHOWN else ""
    return (Finding(code, subject, f"{count}: {', '.join(listed[:SHOWN])}{more}"),)
