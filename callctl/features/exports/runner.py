"""Makes exports: each in one snapshot of the database, a page at a time, into a file.

A file appears under its name only when it is whole and on disk. What a crash leaves is taken away,
and the export begun anew, when the daemon is back.
"""

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.core.tables import TableSource
from callctl.db.pool import Database
from callctl.features.exports import store
from callctl.features.exports.files import hash_file, open_writer
from callctl.features.exports.service import (
    ExportService,
    ExportSettings,
    convert_filters,
    file_of,
)
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import EXPORTS, UNITS_FAILED

log = get_logger("exports")

WORKERS = 2
"""Each holds a connection and reads as fast as it can: more would only slow calls down."""

POLL_SECONDS = 5.0
PROGRESS_SECONDS = 0.5
SWEEP_SECONDS = 60.0
MOST_RUNS = 3

_DATABASE_AWAY = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, TimeoutError)


class _Cancelled(Exception):
    """Somebody has cancelled the export meanwhile."""


class ExportRunner:
    """One per daemon."""

    def __init__(self, db: Database, settings: ExportSettings) -> None:
        self._db = db
        self._settings = settings
        self._wake = asyncio.Event()
        self._active: set[int] = set()
        # So that nobody takes for cut off what is just being claimed.
        self._claiming = asyncio.Lock()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self, service: ExportService) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_house())
            for _ in range(WORKERS):
                group.create_task(self._work(service))

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.sweep(datetime.now(UTC))
            except (CallctlError, OSError, *_DATABASE_AWAY) as error:
                log.warning("exports_not_swept", error=str(error))
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self, now: datetime) -> None:
        """Let exports expire, and take away every file that is none of a finished export.

        Raises OSError.
        """
        await self._db.fetch(store.EXPIRE, self._settings.systemname, now)
        found = await asyncio.to_thread(self._files)
        being_made = {str(id_) for id_ in self._active}
        kept = {
            file_of(self._settings.root, row["id"], row["format"])
            for row in await self._db.fetch(store.KEPT, self._settings.systemname)
        }
        for path in found - kept:
            if path.name.split(".")[0] not in being_made:
                await asyncio.to_thread(_remove, path)

    def _files(self) -> set[Path]:
        root = self._settings.root
        return set(root.iterdir()) if root.is_dir() else set()

    async def _work(self, service: ExportService) -> None:
        while True:
            self._wake.clear()
            try:
                while await self.run_next(service):
                    pass
            except (CallctlError, *_DATABASE_AWAY) as error:
                log.info("exports_wait", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def run_next(self, service: ExportService) -> bool:
        """Make the export that waits longest; whether there was one."""
        systemname = self._settings.systemname
        async with self._claiming:
            await self._db.execute(store.RECOVER, systemname, sorted(self._active), MOST_RUNS)
            job = await self._db.fetchrow(store.CLAIM, systemname)
            if job is None:
                return False
            self._active.add(job["id"])
        try:
            await self._run(service.tables[job["source"]], job)
        finally:
            self._active.discard(job["id"])
        return True

    async def _run(self, table: TableSource, job: Any) -> None:
        place = self._settings.root / f"{job['id']}.part"
        try:
            await asyncio.to_thread(_make_empty, place)
            await self._write(table, job, place)
            EXPORTS.labels("done").inc()
        except _Cancelled:
            EXPORTS.labels("cancelled").inc()
        except CallctlError as error:
            if error.code == "database_unavailable":
                raise
            await self._fail(job["id"], error.message)
        except _DATABASE_AWAY:
            raise
        except OSError as error:
            log.error("export_failed", id=job["id"], error=str(error))
            await self._fail(
                job["id"],
                f"the file cannot be written: {error.strerror}. Whoever runs callctl finds it at "
                "exports_dir; then export again",
            )
        except Exception:
            UNITS_FAILED.labels("export").inc()
            log.exception("export_failed", id=job["id"])
            await self._fail(job["id"], "unexpected error; the log tells more")
        finally:
            await asyncio.to_thread(_try_remove, place)

    async def _write(self, table: TableSource, job: Any, place: Path) -> None:
        """Raises _Cancelled, CallctlError, OSError."""
        part = place / "file"
        scope = CallScope(
            job["account_id"], None if job["extensions"] is None else tuple(job["extensions"])
        )
        filters = convert_filters(table, job["filters"])
        keys = job["keys"] if job["mode"] == "selected" else None
        names = [column.name for column in table.columns]
        rows, told = 0, float("-inf")
        async with self._db.snapshot() as connection:
            zone = await connection.fetchval(store.ACCOUNT_ZONE, scope.account_id)
            writer = await asyncio.to_thread(
                open_writer, job["format"], part, names, zone, bom=job["bom"]
            )
            pages = table.pages(connection, scope, filters, keys, job["mode"] == "page")
            try:
                async for page in pages:
                    await asyncio.to_thread(writer.write, page)
                    rows += len(page)
                    if time.monotonic() - told >= PROGRESS_SECONDS:
                        told = time.monotonic()
                        await self._tell(job["id"], rows)
            except Exception:
                writer.abandon()
                raise
        await asyncio.to_thread(writer.close)
        digest = await asyncio.to_thread(hash_file, part)
        size = (await asyncio.to_thread(part.stat)).st_size
        await asyncio.to_thread(
            part.replace, file_of(self._settings.root, job["id"], job["format"])
        )
        keep = timedelta(hours=self._settings.keep_hours)
        if await self._db.fetchval(store.DONE, job["id"], rows, size, digest, keep) is None:
            target = file_of(self._settings.root, job["id"], job["format"])
            await asyncio.to_thread(_remove, target)
            raise _Cancelled

    async def _tell(self, id_: int, rows: int) -> None:
        if await self._db.fetchval(store.PROGRESS, id_, rows) is None:
            raise _Cancelled

    async def _fail(self, id_: int, reason: str) -> None:
        EXPORTS.labels("failed").inc()
        await self._db.execute(store.FAILED, id_, reason)


def _make_empty(place: Path) -> None:
    _remove(place)
    place.mkdir(parents=True, mode=0o750)


def _try_remove(path: Path) -> None:
    """What cannot be taken away now is taken away by a later `sweep`."""
    with contextlib.suppress(OSError):
        _remove(path)


def _remove(path: Path) -> None:
    """A file, or a directory with the files in it. What is gone already is fine."""
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            inner.unlink(missing_ok=True)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
