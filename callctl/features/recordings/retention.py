"""How long recordings stay, and what keeps them longer.

A recording is deleted in three steps: its row says so (`deleting`), its files go, its row says that
they are gone (`deleted`). Killed in between, the next round goes on where this one stopped: no file
is ever without a row that names it, and no row that is `available` without its file.
"""

import asyncio
import os
from pathlib import Path
from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.recordings.model import LegalHoldFilters, LegalHoldView
from callctl.features.recordings.places import inside
from callctl.features.recordings.service import CALL_WITHOUT_RECORDING
from callctl.features.recordings.transcripts import DELETE_TRANSCRIPT
from callctl.http.endpoint import Page
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import RECORDINGS, UNITS_FAILED

log = get_logger("recordings")

MOST_PER_ROUND = 200
MOST_ACCESSES = 5000

LOCK_HOLDS = "lock table legal_holds in share mode"
"""No hold comes in between looking for holds and deleting."""

RETIRE = """
update recordings r set state = 'deleting' where r.id in (
    select o.id from recording_settings s cross join lateral (
        select r.id from recordings r join calls c on c.id = r.call
        where r.account_id = s.account_id and r.state = 'available'
          -- No call lasts a day: so little of the index is read that holds what is not due yet.
          and r.started_at < now() + interval '1 day' - make_interval(
                days => least(nullif(s.recording_days, 0), nullif(s.call_days, 0)))
          and (s.recording_days > 0
               and r.started_at < now() - make_interval(days => s.recording_days)
               or s.call_days > 0 and c.started_at < now() - make_interval(days => s.call_days))
          and not exists (
                select 1 from legal_holds h where h.call = r.call and h.released_at is null
                  and (h.recording is null or h.recording = r.id))
        order by r.started_at limit $1
    ) o
    where s.recording_days > 0 or s.call_days > 0
    limit $1)
"""
DELETING = "select id, path, wav_path from recordings where state = 'deleting' order by id limit $1"
MARK_DELETED = """
update recordings
set state = 'deleted', deleted_at = now(), path = null, wav_path = null, bytes = null,
    wav_bytes = null, data_key = null
where id = $1 and state = 'deleting'
"""
DELETE_FAVOURITES = "delete from recording_favourites where recording = $1"

DELETE_ACCESSES = """
delete from recording_accesses where id in (
    select a.id from recording_accesses a
    where a.at < now() - make_interval(days => $1)
      and not exists (select 1 from legal_holds h where h.call = a.call and h.released_at is null)
    limit $2)
"""

_HOLD_COLUMNS = """
h.id, h.call, h.recording, h.reason, h.held_by, h.held_at, h.released_by, h.released_at
"""
_VISIBLE = """
  and ($2::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($2::text[])))
"""
HOLDS_OF_RECORDING = f"""
select {_HOLD_COLUMNS} from legal_holds h
where h.account_id = $1 and h.call = $2 and (h.recording is null or h.recording = $3)
order by h.id
"""  # noqa: S608 - constants of this file
HOLD_CALL = f"""
insert into legal_holds as h (account_id, call, reason, held_by)
select c.account_id, c.id, $4, $5 from calls c where c.account_id = $1 and c.id = $3 {_VISIBLE}
returning {_HOLD_COLUMNS}
"""  # noqa: S608 - constants of this file
HOLD_RECORDING = f"""
insert into legal_holds as h (account_id, call, recording, reason, held_by)
select c.account_id, c.id, r.id, $4, $5 from recordings r join calls c on c.id = r.call
where c.account_id = $1 and r.id = $3 {_VISIBLE}
returning {_HOLD_COLUMNS}
"""  # noqa: S608 - constants of this file
IS_DELETED = "select state in ('deleting', 'deleted') from recordings where id = $1"
RELEASE = f"""
update legal_holds h set released_by = $4, released_at = now() from calls c
where h.account_id = $1 and h.id = $3 and c.id = h.call and h.released_at is null {_VISIBLE}
returning {_HOLD_COLUMNS}
"""  # noqa: S608 - constants of this file
LIST_HOLDS = f"""
select {_HOLD_COLUMNS} from legal_holds h join calls c on c.id = h.call
where h.account_id = $1 {_VISIBLE}
  and ($3::boolean is null or (h.released_at is null) = $3)
  and ($4::bigint is null or h.id < $4)
order by h.id desc limit $5
"""  # noqa: S608 - constants of this file


class RetentionService:
    """Deletes what is over its time below `root`, and holds what must stay.

    `access_days`: how long it is kept who listened to what; 0 = for ever.
    """

    def __init__(self, db: Database, root: Path, access_days: int = 0) -> None:
        self._db = db
        self._root = root
        self._access_days = access_days

    async def delete_due(self, most: int = MOST_PER_ROUND) -> int:
        """One round: at most `most` recordings; returns how many are gone."""
        async with self._db.transaction() as connection:
            await connection.execute(LOCK_HOLDS)
            await connection.execute(RETIRE, most)
        done = 0
        for row in await self._db.fetch(DELETING, most):
            try:
                await self._delete(row)
                done += 1
            except OSError as error:
                # The row stays `deleting`: the next round tries again.
                UNITS_FAILED.labels("retention").inc()
                log.error("recording_not_deleted", recording=row["id"], error=str(error))
        return done

    async def delete_due_accesses(self, most: int = MOST_ACCESSES) -> int:
        """One round of the log of accesses; returns how many are gone. What tells of a call that
        is held stays."""
        if not self._access_days:
            return 0
        done: str = await self._db.execute(DELETE_ACCESSES, self._access_days, most)
        return int(done.rpartition(" ")[2])

    async def _delete(self, row: Any) -> None:
        for place in filter(None, (row["path"], row["wav_path"])):
            await asyncio.to_thread(remove_file, self._root, self._root / place)
        async with self._db.transaction() as connection:
            await connection.execute(MARK_DELETED, row["id"])
            await connection.execute(DELETE_FAVOURITES, row["id"])
            await connection.execute(DELETE_TRANSCRIPT, row["id"])
            await connection.execute(CALL_WITHOUT_RECORDING, row["id"])
        RECORDINGS.labels("deleted").inc()

    async def hold_call(
        self, scope: CallScope, call: int, reason: str, author: Author
    ) -> LegalHoldView:
        """Neither the call nor its recordings are deleted. Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(HOLD_CALL, *_who(scope), call, reason, author.name)
            if row is None:
                raise CallctlError("not_found", f"there is no call {call}")
            await _record(connection, scope, author, "created", row)
            return LegalHoldView(**dict(row))

    async def hold_recording(
        self, scope: CallScope, id_: int, reason: str, author: Author
    ) -> LegalHoldView:
        """Neither it nor its call is deleted.

        Raises CallctlError: `not_found`, `conflict` when it is deleted already.
        """
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(HOLD_RECORDING, *_who(scope), id_, reason, author.name)
            if row is None:
                raise CallctlError("not_found", f"there is no recording {id_}")
            # Asked after the hold is written: a round of deleting has ended before, or sees it.
            if await connection.fetchval(IS_DELETED, id_):
                raise CallctlError("conflict", f"recording {id_} is deleted")
            await _record(connection, scope, author, "created", row)
            return LegalHoldView(**dict(row))

    async def release(self, scope: CallScope, hold: int, author: Author) -> LegalHoldView:
        """Raises CallctlError("not_found"), also for one that is released."""
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(RELEASE, *_who(scope), hold, author.name)
            if row is None:
                raise CallctlError("not_found", f"there is no hold {hold} in force")
            await _record(connection, scope, author, "released", row)
            return LegalHoldView(**dict(row))

    async def list_holds(self, scope: CallScope, filters: LegalHoldFilters) -> Page[LegalHoldView]:
        """The newest first."""
        rows = await self._db.fetch(
            LIST_HOLDS, *_who(scope), filters.in_force, filters.cursor, filters.limit + 1
        )
        items = [LegalHoldView(**dict(row)) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)


def remove_file(root: Path, path: Path) -> None:
    """Away for good, also after a power cut. A place outside `root` is not touched.

    Raises OSError; a file that is not there is no error.
    """
    if not inside(root, path.parent):
        raise PermissionError(f"{path} lies outside {root}")
    try:
        path.unlink()
    except FileNotFoundError:
        return
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


async def _record(connection: Any, scope: CallScope, author: Author, verb: str, row: Any) -> None:
    hold = {name: row[name] for name in ("call", "recording", "reason")}
    before, after = (None, hold) if verb == "created" else (hold, None)
    await record_change(
        connection, scope.account_id, author, f"legal_hold.{verb}", f"legal_hold:{row['id']}",
        before, after,
    )  # fmt: skip


def _who(scope: CallScope) -> tuple[int, list[str] | None]:
    return scope.account_id, None if scope.extensions is None else list(scope.extensions)
