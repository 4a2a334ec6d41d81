"""Finished recordings put into their place, in the form that their account wants (R001-20)."""

import asyncio
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.recordings import file_name, stem_of
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.recordings.job import (
    Format,
    Job,
    Outcome,
)
from callctl.features.recordings.keys import Keyring
from callctl.features.recordings.places import RecordingPlaces, day_of, inside, is_file_inside
from callctl.features.recordings.worker import WorkerGone, open_worker
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import RECORDINGS, UNITS_FAILED

log = get_logger("recordings")

POLL_SECONDS = 1.0
MISSING_AFTER = timedelta(seconds=60)
"""MixMonitor closes its file within moments of the call's end; after this it will not come."""
WAV_AFTER_FAILURES = 3
"""So often Opus is tried; a conversation is not lost because it cannot be compressed."""
UNREADABLE_AFTER_FAILURES = 6
"""So often a file that was found is tried, the last time a minute after the first; it stays."""
FORMATS: tuple[Format, ...] = ("opus", "wav")

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,199}", re.ASCII)
"""What the dialplan names its recordings (dialplan/40-attempt.conf)."""

PENDING = """
select r.id, r.account_id, r.call, r.file, r.started_at, r.failures, c.call_id, c.ended_at,
       s.format, coalesce(s.encrypt, false) as encrypt
from recordings r join calls c on c.id = r.call
left join recording_settings s on s.account_id = r.account_id
where r.state = 'pending' and (r.retry_at is null or r.retry_at <= now())
order by r.id limit 50
"""
MARK_AVAILABLE = """
update recordings
set state = 'available', format = $2, path = $3, bytes = $4, wav_path = $5, wav_bytes = $6,
    data_key = $7, seconds = $8, available_at = now(), retry_at = null
where id = $1 and state = 'pending' returning id
"""
ADD_FIGURES = """
insert into recording_figures (
    recording, seconds, caller_talk_share, called_talk_share, both_share, silence_share,
    caller_interruptions, called_interruptions, longest_monologue_seconds, longest_monologue_side,
    caller_first_word_seconds, called_first_word_seconds)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (recording) do nothing
"""
ADD_OUTLINES = """
insert into recording_outlines (recording, caller, called) values ($1, $2, $3)
on conflict (recording) do nothing
"""
MARK_MISSING = """
update recordings set state = 'missing' where id = $1 and state = 'pending' returning id
"""
MARK_FAILURE = """
update recordings
set failures = failures + 1,
    retry_at = now() + make_interval(secs => least(3600, power(2, least(failures, 12))))
where id = $1
"""
CALL_WITHOUT_RECORDING = """
update calls c set has_recording = exists (
    select 1 from recordings r where r.call = c.id and r.state in ('pending', 'available')),
    changed_at = clock_timestamp()
where c.id = (select call from recordings where id = $1)
"""


class RecordingService:
    """Moves recordings to their place when their call is over.

    `format_`: what accounts have that did not choose (wav, opus, both). `workers`: how many are
    made at a time.
    """

    def __init__(
        self,
        db: Database,
        places: RecordingPlaces,
        keys: Keyring,
        *,
        format_: str = "opus",
        workers: int = 1,
    ) -> None:
        self._db = db
        self._places = places
        self._keys = keys
        self._format = format_
        self._workers = workers

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
        work: list[tuple[Any, Job, int | None]] = []
        done = 0
        for row in await self._db.fetch(PENDING):
            try:
                if job := await self._job(row):
                    work.append((row, *job))
            except (OSError, CallctlError) as error:
                if isinstance(error, CallctlError) and error.code == "database_unavailable":
                    raise
                await self._failed(row, str(error))
        shares = [work[i :: self._workers] for i in range(self._workers)]
        for made in await asyncio.gather(
            *(self._make(share) for share in shares if share), return_exceptions=True
        ):
            if isinstance(made, BaseException):
                raise made
            done += made
        return done

    async def _job(self, row: Any) -> tuple[Job, int | None] | None:
        """What is to be made of a row, and the id of the key for it; None: not now, or never."""
        raw = self._places.spool / row["file"]
        directory = self._places.root / day_of(row["started_at"])
        found, sealed = self._found(row, directory)
        if found and row["failures"] >= UNREADABLE_AFTER_FAILURES:
            await self._missing(row, f"its file is in {directory} and cannot be read")
            return None
        if not found:
            if why := self._why_not(row, raw, directory):
                await self._missing(row, why)
                return None
            if not raw.exists():
                return None
        key_id, key = None, b""
        if sealed:
            key_id, key = await self._keys.existing_key(row["account_id"])
        elif row["encrypt"] and not found:
            key_id, key = await self._keys.key_for_writing(row["account_id"])
        formats = found or self._formats(row)
        stem = stem_of(row["file"])
        return Job(str(raw), str(directory), stem, formats, key, found=bool(found)), key_id

    def _why_not(self, row: Any, raw: Path, directory: Path) -> str | None:
        """Why there will never be a recording."""
        if not _NAME.fullmatch(row["file"]):
            return "a name that is none of callctl's"
        if raw.is_symlink():
            return "a link, which Asterisk does not make"
        if not inside(self._places.root, directory):
            return "a place outside the recordings' root"
        if not raw.exists() and datetime.now(UTC) - row["ended_at"] >= MISSING_AFTER:
            return "Asterisk left no file"
        return None

    def _formats(self, row: Any) -> list[Format]:
        wanted = row["format"] or self._format
        if wanted == "wav" or row["failures"] >= WAV_AFTER_FAILURES:
            return ["wav"]
        return ["opus", "wav"] if wanted == "both" else ["opus"]

    def _found(self, row: Any, directory: Path) -> tuple[list[Format], bool]:
        """The formats that there are of a recording already, Opus first, and whether encrypted.

        Its row is new, since the database is an older backup's; or somebody put the files back.
        """
        if not _NAME.fullmatch(row["file"]) or (self._places.spool / row["file"]).exists():
            return [], False
        stem = stem_of(row["file"])
        for sealed in (True, False):
            places = {f: directory / file_name(stem, f, sealed=sealed) for f in FORMATS}
            found = [f for f, path in places.items() if is_file_inside(self._places.root, path)]
            if found:
                return found, sealed
        return [], False

    async def _make(self, work: list[tuple[Any, Job, int | None]]) -> int:
        """By one process. If it dies, the rest waits for the next round."""
        done = 0
        async with open_worker() as make:
            for row, job, key_id in work:
                try:
                    outcome = await make(job)
                except WorkerGone as gone:
                    await self._failed(row, str(gone))
                    break
                if outcome.error:
                    await self._failed(row, outcome.error)
                    continue
                await self._store(row, outcome, key_id)
                (self._places.spool / row["file"]).unlink(missing_ok=True)
                done += 1
        return done

    async def _failed(self, row: Any, why: str) -> None:
        """A full disk, a file we may not read: the raw file stays, and is tried again later."""
        UNITS_FAILED.labels("recordings").inc()
        log.error("recording_not_finished", file=row["file"], error=why)
        await self._db.execute(MARK_FAILURE, row["id"])

    async def _store(self, row: Any, outcome: Outcome, key_id: int | None) -> None:
        main, *kept = outcome.files
        day = day_of(row["started_at"])
        async with self._db.transaction() as connection:
            marked = await connection.fetchval(
                MARK_AVAILABLE,
                row["id"],
                main.format,
                str(day / main.name),
                main.bytes,
                str(day / kept[0].name) if kept else None,
                kept[0].bytes if kept else None,
                key_id,
                outcome.seconds,
            )
            if marked is None:
                return
            if outcome.figures is not None:
                await connection.execute(ADD_FIGURES, row["id"], *asdict(outcome.figures).values())
            if outcome.outlines is not None:
                await connection.execute(ADD_OUTLINES, row["id"], *outcome.outlines)
            event = _event(row, EventKind.RECORDING_READY, seconds=outcome.seconds)
            await append_events(connection, [event])
        RECORDINGS.labels("available").inc()

    async def _missing(self, row: Any, why: str) -> None:
        log.warning("recording_missing", file=row["file"], reason=why)
        async with self._db.transaction() as connection:
            if await connection.fetchval(MARK_MISSING, row["id"]) is None:
                return
            await connection.execute(CALL_WITHOUT_RECORDING, row["id"])
            event = _event(row, EventKind.RECORDING_FAILED, reason=why)
            await append_events(connection, [event])
        RECORDINGS.labels("missing").inc()


def _event(row: Any, kind: EventKind, **more: Any) -> OutboxEvent:
    data = {"recording": row["id"], "call": row["call"], "call_id": row["call_id"], **more}
    return OutboxEvent(row["account_id"], kind, f"recording:{row['id']}", data)
