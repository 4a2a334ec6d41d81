"""Recordings: finished files put into their place, found, and served (R001-20)."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.recordings.audio import raw_to_wav
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import RECORDINGS, UNITS_FAILED

log = get_logger("recordings")

POLL_SECONDS = 0.5
MISSING_AFTER = timedelta(seconds=60)
"""MixMonitor closes its file within moments of the call's end; after this it will not come."""

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}", re.ASCII)
"""What the dialplan names its recordings (dialplan/40-attempt.conf)."""

PENDING = """
select r.id, r.file, r.started_at, c.ended_at
from recordings r join calls c on c.id = r.call
where r.state = 'pending' order by r.id limit 50
"""
MARK_AVAILABLE = """
update recordings set state = 'available', path = $2, seconds = $3, bytes = $4, available_at = now()
where id = $1
"""
MARK_MISSING = "update recordings set state = 'missing' where id = $1"
CALL_WITHOUT_RECORDING = """
update calls c set has_recording = exists (
    select 1 from recordings r where r.call = c.id and r.state <> 'missing'),
    changed_at = clock_timestamp()
where c.id = (select call from recordings where id = $1)
"""
GET_RECORDING = """
select r.path, r.state from recordings r
where r.account_id = $1 and r.id = $2
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = r.call and s.extension = any($3::text[])))
"""


@dataclass(frozen=True, slots=True)
class RecordingPlaces:
    """`spool`: where Asterisk writes. `root`: where finished recordings stay."""

    spool: Path
    root: Path


class RecordingService:
    """Moves recordings to their place when their call is over, and finds them again."""

    def __init__(self, db: Database, places: RecordingPlaces) -> None:
        self._db = db
        self._places = places

    async def run(self) -> None:
        """Until cancelled: one recording that fails does not hold up the others."""
        while True:
            try:
                await self.finish_pending()
            except CallctlError as error:
                log.info("recordings_wait", error=error.message)
            except Exception:
                UNITS_FAILED.labels("recordings").inc()
                log.exception("recordings_failed")
            await asyncio.sleep(POLL_SECONDS)

    async def finish_pending(self) -> int:
        """Put finished files into ``YYYY/MM/DD/`` (UTC, of the start); returns how many."""
        done = 0
        for row in await self._db.fetch(PENDING):
            try:
                done += await self._finish(row)
            except OSError as error:
                # A full disk, a file we may not read: the raw file stays, and is tried again.
                UNITS_FAILED.labels("recordings").inc()
                log.error("recording_not_finished", file=row["file"], error=str(error))
        return done

    async def _finish(self, row: Any) -> bool:
        if not _NAME.fullmatch(row["file"]):
            return await self._missing(row, "a name that is none of callctl's")
        raw = self._places.spool / row["file"]
        target = self._places.root / relative_path(row["file"], row["started_at"])
        if raw.is_symlink():
            return await self._missing(row, "a link, which Asterisk does not make")
        if not inside(self._places.root, target):
            return await self._missing(row, "a place outside the recordings' root")
        if not raw.exists() and not target.exists():
            if datetime.now(UTC) - row["ended_at"] < MISSING_AFTER:
                return False
            return await self._missing(row, "Asterisk left no file")
        if raw.exists():
            wav = await asyncio.to_thread(raw_to_wav, raw, target)
            seconds, size = wav.seconds, wav.bytes
        else:
            # Killed between the rename and the commit: the file is whole, only its row is not.
            size = target.stat().st_size
            seconds = max(0, size - 44) / 32000
        await self._db.execute(
            MARK_AVAILABLE, row["id"], str(target.relative_to(self._places.root)), seconds, size
        )
        raw.unlink(missing_ok=True)
        RECORDINGS.labels("available").inc()
        return True

    async def _missing(self, row: Any, why: str) -> bool:
        log.warning("recording_missing", file=row["file"], reason=why)
        async with self._db.transaction() as connection:
            await connection.execute(MARK_MISSING, row["id"])
            await connection.execute(CALL_WITHOUT_RECORDING, row["id"])
        RECORDINGS.labels("missing").inc()
        return False

    async def find_file(self, scope: CallScope, id_: int) -> Path:
        """The file of a recording. Raises CallctlError("not_found"), also outside the scope."""
        only = list(scope.extensions) if scope.extensions is not None else None
        row = await self._db.fetchrow(GET_RECORDING, scope.account_id, id_, only)
        if row is None or row["state"] != "available":
            raise CallctlError("not_found", f"there is no recording {id_}")
        path: Path = self._places.root / row["path"]
        if not await asyncio.to_thread(is_file_inside, self._places.root, path):
            raise CallctlError("not_found", f"the file of recording {id_} is gone")
        return path


def relative_path(file: str, started_at: datetime) -> Path:
    """``1700000000.5-2.raw`` → ``2023/11/14/1700000000.5-2.wav``."""
    day = started_at.astimezone(UTC)
    return Path(f"{day:%Y/%m/%d}", f"{Path(file).stem}.wav")


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
