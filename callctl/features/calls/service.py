"""The call history: what the API, the console and the demo read."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.routing.encoding import decode_why
from callctl.core.routing.reasons import render_reason
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls import queries
from callctl.features.calls.model import (
    AttemptView,
    CallDetail,
    CallFilters,
    CallSummary,
    LegView,
    NewNote,
    NoteView,
    ReasonView,
    RecordingView,
)
from callctl.features.calls.queries import Source
from callctl.features.calls.store import unpack_rows
from callctl.http.endpoint import Page


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    sort: str
    at: datetime
    id: int


MOST_NUMBERS = 400
"""More numbers than that are met so often in any part of the history that it is just read."""

LONG_TALK_SECONDS = 600
"""From here on there is an index of long calls (migrations/0003)."""


@dataclass(frozen=True, slots=True)
class _Number:
    """A number looked for: the ids of those that fit, or, where they are many, its digits."""

    ids: list[int] | None = None
    part: str | None = None


class CallService:
    """Reads calls. Every method takes a scope; what lies outside it does not exist."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_calls(self, scope: CallScope, filters: CallFilters) -> Page[CallSummary]:
        """One page, keyset-paged: any page costs what the first one costs.

        Raises CallctlError("invalid_field") for a cursor of another list and for empty periods.
        """
        _check_periods(filters)
        cursor = _read_cursor(filters)
        if is_impossible(filters):
            return Page([], None)
        number = await self._find_number(filters.number)
        zone = await self._zone(scope, filters)
        by_change = filters.sort == "changed_at"
        until = await self._db.fetchval(queries.CHANGES_UNTIL) if by_change else None
        rows = await self._db.fetch(
            queries.LIST_CALLS[filters.sort, choose_source(scope, filters, number)],
            scope.account_id,
            list(scope.extensions) if scope.extensions is not None else None,
            filters.since,
            filters.until,
            filters.time_since,
            filters.time_until,
            zone,
            filters.changed_since,
            filters.direction,
            filters.disposition,
            filters.missed,
            filters.completeness,
            filters.has_recording,
            filters.min_talk,
            filters.max_talk,
            number.ids,
            filters.extension,
            cursor.at if cursor else None,
            cursor.id if cursor else None,
            filters.limit + 1,
            number.part,
            filters.too_long,
            until,
        )
        items = [CallSummary(**dict(row)) for row in rows[: filters.limit]]
        more = len(rows) > filters.limit
        return Page(items, _write_cursor(filters.sort, items[-1]) if more else None)

    async def get_call(self, scope: CallScope, id_: int) -> CallDetail:
        """Raises CallctlError("not_found"), also for a call outside the scope."""
        extensions = list(scope.extensions) if scope.extensions is not None else None
        row = await self._db.fetchrow(queries.GET_CALL, scope.account_id, id_, extensions)
        if row is None:
            raise CallctlError("not_found", f"there is no call {id_}")
        fields = dict(row)
        linkedids, plan_id, why = (fields.pop(k) for k in ("linkedids", "plan_id", "why"))
        return CallDetail(
            call=CallSummary(**fields),
            attempts=[AttemptView(**dict(r)) for r in await self._db.fetch(queries.ATTEMPTS, id_)],
            legs=[LegView(**dict(r)) for r in await self._db.fetch(queries.LEGS, id_)],
            recordings=[
                RecordingView(**dict(r)) for r in await self._db.fetch(queries.RECORDINGS, id_)
            ],
            reasons=[
                ReasonView(r.code, r.subject, r.detail, render_reason(r)) for r in decode_why(why)
            ],
            linkedids=list(linkedids),
            plan_id=plan_id,
            notes=[NoteView(**dict(r)) for r in await self._db.fetch(queries.NOTES, id_)],
        )

    async def add_note(self, scope: CallScope, id_: int, note: NewNote, actor: str) -> NoteView:
        """Raises CallctlError: `not_found`, `invalid_field` for a note that says nothing."""
        if not (note.problem.strip() or note.solution.strip()):
            raise CallctlError("invalid_field", "the note says nothing", "body.problem")
        await self.get_call(scope, id_)
        row = await self._db.fetchrow(
            queries.NOTE_INSERT, id_, scope.account_id, note.problem, note.solution, actor
        )
        return NoteView(**dict(row))

    async def get_journal_rows(self, scope: CallScope, id_: int) -> bytes:
        """The rows that the call was built from, as they stood in the journal."""
        await self.get_call(scope, id_)
        return unpack_rows(await self._db.fetchval(queries.ROWS, id_))

    async def _zone(self, scope: CallScope, filters: CallFilters) -> str:
        """The account's zone, where a time of day asks for it."""
        if filters.time_since is None and filters.time_until is None:
            return "UTC"
        return await self._db.fetchval(queries.ACCOUNT_ZONE, scope.account_id) or "UTC"

    async def _find_number(self, part: str | None) -> _Number:
        """The numbers that hold `part` anywhere; separators in it do not count."""
        if part is None:
            return _Number()
        wanted = "".join(c for c in part if c not in " -()./")
        if not wanted:
            raise CallctlError("invalid_field", "no digit to search for", "query.number")
        grams = [wanted[i : i + 3] for i in range(len(wanted) - 2)]
        found = await self._db.fetch(queries.NUMBER_IDS, grams, wanted, MOST_NUMBERS + 1)
        if len(found) > MOST_NUMBERS:
            return _Number(part=wanted)
        return _Number(ids=[row[0] for row in found])


def is_impossible(filters: CallFilters) -> bool:
    """Whether no call can be so, by what the words mean (docs/journal.md).

    Nobody need look through all calls for that.
    """
    answered = filters.disposition == "ANSWERED"
    if filters.missed and (answered or filters.direction not in (None, "inbound")):
        return True
    talked = (filters.min_talk or 0) > 0
    return talked and (bool(filters.missed) or not (answered or filters.disposition is None))


def choose_source(scope: CallScope, filters: CallFilters, number: _Number) -> Source:
    """The index in which the rarest of what is asked for stands together."""
    if filters.sort == "changed_at":
        return Source.EVERYTHING
    if number.ids is not None:
        return Source.NUMBER
    if filters.extension is not None or scope.extensions is not None:
        return Source.EXTENSION
    has_own_index = (
        filters.missed
        or (filters.has_recording and filters.disposition in (None, "ANSWERED"))
        or filters.completeness in ("repaired", "truncated")
        or filters.too_long
        or (filters.min_talk or 0) >= LONG_TALK_SECONDS
    )
    if not has_own_index and (filters.direction or filters.disposition):
        return Source.OUTCOME
    return Source.EVERYTHING


def _check_periods(filters: CallFilters) -> None:
    if filters.since and filters.until and filters.since > filters.until:
        raise CallctlError("invalid_field", "the period ends before it starts", "query.until")
    if (
        filters.min_talk is not None
        and filters.max_talk is not None
        and filters.min_talk > filters.max_talk
    ):
        raise CallctlError("invalid_field", "max_talk is below min_talk", "query.max_talk")


def _write_cursor(sort: str, last: CallSummary) -> str:
    at = last.changed_at if sort == "changed_at" else last.started_at
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(sort, at, last.id))).decode()


def _read_cursor(filters: CallFilters) -> _Cursor | None:
    if filters.cursor is None:
        return None
    try:
        raw: Any = base64.b64decode(filters.cursor.encode(), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError, ValueError):
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor") from None
    if cursor.sort != filters.sort or cursor.at.tzinfo is None or abs(cursor.id) >= 1 << 63:
        raise CallctlError("invalid_field", "a cursor of another list", "query.cursor")
    return cursor
