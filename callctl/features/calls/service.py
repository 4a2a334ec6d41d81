"""The call history: what the API, the console and the demo read."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from callctl.core.author import Author
from callctl.core.calls.interventions import SUPERVISION
from callctl.core.errors import CallctlError
from callctl.core.routing.encoding import decode_why
from callctl.core.routing.reasons import render_reason
from callctl.core.scope import CallScope
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.calls import queries
from callctl.features.calls.listing import CONDITIONS, ROWS_OF_PAGE, Source, page_query
from callctl.features.calls.model import (
    AttemptView,
    CallDetail,
    CallFilters,
    CallSummary,
    CostView,
    InterventionView,
    LegView,
    NewNote,
    NoteView,
    PauseView,
    ReasonView,
    RecordingView,
)
from callctl.features.calls.store import unpack_rows
from callctl.http.endpoint import Page


class _Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    sort: str
    at: datetime | int
    id: int


MOST_NUMBERS = 400
"""More numbers than that are met so often in any part of the history that it is just read."""

_MOST_GRAMS = 3

MANY_EXTENSIONS = 8
"""Of the calls of so many or more (a scope's, a group's), rare ones are found by reading all that
are so rare: fewer than there are of each extension's until enough of them are so."""

LONG_TALK_SECONDS = 600
"""From here on there is an index of long calls (migrations/0003)."""


@dataclass(frozen=True, slots=True)
class _Number:
    """Numbers looked for: the ids of those that fit, or, where they are many, digits in them.

    With both, a call has one of the numbers, and one with the digits.
    """

    ids: list[int] | None = None
    part: str | None = None


class CallService:
    """Reads calls. Every method takes a scope; what lies outside it does not exist."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def db(self) -> Database:
        """For what goes with the list (`list_api.py`)."""
        return self._db

    async def list_calls(self, scope: CallScope, filters: CallFilters) -> Page[CallSummary]:
        """As `list_page`."""
        async with self._db.connection() as connection:
            found = await _find_page(connection, scope, filters)
        return await _read_page(self._db.fetch_planned_once, found)

    async def get_call(
        self, scope: CallScope, id_: int, *, supervision: bool = False
    ) -> CallDetail:
        """`supervision`: tell who listened, too. Raises CallctlError("not_found"), also for a call
        outside the scope."""
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
                msgspec.convert(dict(r), RecordingView)
                for r in await self._db.fetch(queries.RECORDINGS, id_)
            ],
            recording_pauses=[
                PauseView(**dict(r))
                for r in await self._db.fetch(queries.PAUSES, scope.account_id, linkedids)
            ],
            reasons=[
                ReasonView(r.code, r.subject, r.detail, render_reason(r)) for r in decode_why(why)
            ],
            linkedids=list(linkedids),
            plan_id=plan_id,
            notes=[NoteView(**dict(r)) for r in await self._db.fetch(queries.NOTES, id_)],
            costs=[
                CostView(**dict(r))
                for r in await self._db.fetch(queries.COSTS, id_, scope.account_id)
            ],
            interventions=[
                msgspec.convert(dict(r), InterventionView)
                for r in await self._db.fetch(
                    queries.INTERVENTIONS,
                    scope.account_id,
                    [fields["call_id"], *linkedids],
                    supervision,
                    sorted(SUPERVISION),
                )
            ],
        )

    async def add_note(self, scope: CallScope, id_: int, note: NewNote, author: Author) -> NoteView:
        """Raises CallctlError: `not_found`, `invalid_field` for a note that says nothing."""
        if not (note.problem.strip() or note.solution.strip()):
            raise CallctlError("invalid_field", "the note says nothing", "body.problem")
        await self.get_call(scope, id_)
        account_id = scope.account_id
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(
                queries.NOTE_INSERT, id_, account_id, note.problem, note.solution, author.name
            )
            fields = dict(row)
            after = {"note": fields.pop("id")}
            await record_change(
                connection, account_id, author, "call.noted", f"call:{id_}", None, after
            )
        return NoteView(**fields)

    async def get_journal_rows(self, scope: CallScope, id_: int) -> bytes:
        """The rows that the call was built from, as they stood in the journal."""
        await self.get_call(scope, id_)
        return unpack_rows(await self._db.fetchval(queries.ROWS, id_))


@dataclass(frozen=True, slots=True)
class _Found:
    """The calls of a page in their order, and the cursor of the page after it."""

    ids: list[int]
    next: str | None


async def list_page(connection: Any, scope: CallScope, filters: CallFilters) -> Page[CallSummary]:
    """One page of the history, keyset-paged: any page costs what the first one costs.

    Raises CallctlError("invalid_field") for a cursor of another list and for empty periods.
    """
    return await _read_page(connection.fetch, await _find_page(connection, scope, filters))


async def _find_page(connection: Any, scope: CallScope, filters: CallFilters) -> _Found:
    cursor = check_filters(filters)
    if is_impossible(filters):
        return _Found([], None)
    values = await list_values(connection, scope, filters, cursor)
    if values is None:
        return _Found([], None)
    source = choose_source(scope, filters, values)
    query = page_query(filters.sort, source, conditions_of(filters, values))
    found = await connection.fetch(query.sql, *(values[name] for name in query.parameters))
    page = found[: filters.limit]
    more = len(found) > filters.limit
    return _Found(
        [row["id"] for row in page], _write_cursor(filters.sort, page[-1]) if more else None
    )


async def _read_page(
    fetch: Callable[..., Awaitable[list[Any]]], found: _Found
) -> Page[CallSummary]:
    """A call that was purged since it was found is not on the page."""
    rows = await fetch(ROWS_OF_PAGE, found.ids) if found.ids else []
    return Page([CallSummary(**dict(row)) for row in rows], found.next)


_ASKED = (
    *("since", "until", "time_since", "time_until", "changed_since", "direction", "disposition"),
    *("missed", "completeness", "has_recording", "too_long", "min_talk", "max_talk", "extension"),
    *("min_cost", "max_cost", "unrated"),
)
"""Filters that are conditions of the same name, with themselves as the parameter."""


async def list_values(
    connection: Any, scope: CallScope, filters: CallFilters, cursor: _Cursor | None = None
) -> dict[str, Any] | None:
    """The parameters of a list by name; what is not asked for is not among them.

    None when no call can be so: of a client without numbers, of people without an extension, of a
    type or a group that there is not.
    """
    number = await _find_numbers(connection, scope, filters)
    if filters.client is not None and not number.ids:
        return None
    values = {name: getattr(filters, name) for name in _ASKED}
    if filters.group is not None:
        account_id, group = scope.account_id, filters.group
        values["group"] = await connection.fetchval(queries.GROUP_EXTENSIONS, account_id, group)
        if not values["group"]:
            return None
    values["own"] = None if scope.extensions is None else list(scope.extensions)
    values |= {"numbers": number.ids, "number_part": number.part}
    if filters.client_type is not None:
        type_id = await connection.fetchval(
            queries.CLIENT_TYPE, scope.account_id, filters.client_type
        )
        if type_id is None:
            return None
        values["client_type"] = type_id
    if filters.sort == "changed_at":
        values["changes_until"] = await connection.fetchval(queries.CHANGES_UNTIL)
    if cursor is not None:
        name = "cursor_cost" if filters.sort == "-cost" else "cursor_at"
        values |= {name: cursor.at, "cursor_id": cursor.id}
    if filters.time_since is not None or filters.time_until is not None:
        zone = await connection.fetchval(queries.ACCOUNT_ZONE, scope.account_id)
        values["zone"] = zone or "UTC"
    given = {name: value for name, value in values.items() if value is not None}
    return given | {"account": scope.account_id, "limit": filters.limit + 1}


async def _find_numbers(connection: Any, scope: CallScope, filters: CallFilters) -> _Number:
    """A client's numbers, and those that hold the part asked for anywhere; separators in it do not
    count."""
    wanted = _bare(filters.number) or None
    if filters.client is not None:
        found = await connection.fetch(queries.CLIENT_NUMBERS, scope.account_id, filters.client)
        return _Number([row[0] for row in found], wanted)
    if wanted is None:
        return _Number()
    found = await connection.fetch(
        queries.NUMBER_IDS, telling_grams(wanted), wanted, MOST_NUMBERS + 1
    )
    if len(found) > MOST_NUMBERS:
        return _Number(part=wanted)
    return _Number(ids=[row[0] for row in found])


def _bare(number: str | None) -> str:
    return "".join(c for c in number or "" if c not in " -()./")


def telling_grams(wanted: str) -> list[str]:
    """Pieces of three that few numbers have together: the last ones, side by side.

    How a number begins, it shares with too many others for the index to gain by it; what the pieces
    let through is looked at whole.
    """
    ends = range(len(wanted), 2, -3)[:_MOST_GRAMS]
    pieces = [wanted[end - 3 : end] for end in ends]
    if len(wanted) % 3 and 0 < len(pieces) < _MOST_GRAMS:
        pieces.append(wanted[:3])
    return pieces


def conditions_of(filters: CallFilters, values: Mapping[str, Any]) -> frozenset[str]:
    """Which conditions and cursor a list has."""
    names = set(values) & set(CONDITIONS)
    since, until = filters.time_since, filters.time_until
    if since is not None and until is not None and since > until:
        names = names - {"time_since", "time_until"} | {"over_midnight"}
    if "cursor_id" in values:
        names.add("cursor")
    return frozenset(names)


def is_impossible(filters: CallFilters) -> bool:
    """Whether no call can be so, by what the words mean (docs/journal.md).

    Nobody need look through all calls for that.
    """
    answered = filters.disposition == "ANSWERED"
    if filters.missed and (answered or filters.direction not in (None, "inbound")):
        return True
    talked = (filters.min_talk or 0) > 0
    return talked and (bool(filters.missed) or not (answered or filters.disposition is None))


def choose_source(scope: CallScope, filters: CallFilters, values: Mapping[str, Any]) -> Source:
    """The index in which the rarest of what is asked for stands together."""
    if filters.sort in ("changed_at", "-cost"):
        return Source.EVERYTHING
    if "numbers" in values:
        return Source.NUMBER
    has_own_index = (
        filters.missed
        or (filters.has_recording and filters.disposition in (None, "ANSWERED"))
        or filters.completeness in ("repaired", "truncated")
        or filters.too_long
        or filters.unrated
        or (filters.min_cost or 0) > 0
        or (filters.min_talk or 0) >= LONG_TALK_SECONDS
    )
    wanted = values.get("group") if scope.extensions is None else scope.extensions
    many = len(wanted or ()) >= MANY_EXTENSIONS
    by_each = wanted is not None and not (many and has_own_index)
    if filters.extension is not None or by_each:
        return Source.EXTENSION
    if filters.client_type is not None:
        return Source.CLIENT_TYPE
    if not has_own_index and (filters.direction or filters.disposition):
        return Source.OUTCOME
    return Source.EVERYTHING


def check_filters(filters: CallFilters) -> _Cursor | None:
    """The cursor, if there is one. Raises CallctlError("invalid_field")."""
    _check_periods(filters)
    if filters.number is not None and not _bare(filters.number):
        raise CallctlError("invalid_field", "no digit to search for", "query.number")
    return _read_cursor(filters)


def _check_periods(filters: CallFilters) -> None:
    if filters.since and filters.until and filters.since > filters.until:
        raise CallctlError("invalid_field", "the period ends before it starts", "query.until")
    if (
        filters.min_talk is not None
        and filters.max_talk is not None
        and filters.min_talk > filters.max_talk
    ):
        raise CallctlError("invalid_field", "max_talk is below min_talk", "query.max_talk")
    if (
        filters.min_cost is not None
        and filters.max_cost is not None
        and filters.min_cost > filters.max_cost
    ):
        raise CallctlError("invalid_field", "max_cost is below min_cost", "query.max_cost")


def _write_cursor(sort: str, last: Any) -> str:
    """Of the last row as it was found: a call may change before it is read."""
    return base64.urlsafe_b64encode(
        msgspec.json.encode(_Cursor(sort, last["at"], last["id"]))
    ).decode()


def _read_cursor(filters: CallFilters) -> _Cursor | None:
    if filters.cursor is None:
        return None
    try:
        raw: Any = base64.b64decode(filters.cursor.encode(), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except (binascii.Error, UnicodeEncodeError, msgspec.MsgspecError, ValueError):
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor") from None
    at = cursor.at
    if isinstance(at, int):
        fits = filters.sort == "-cost" and abs(at) < 1 << 63
    else:
        fits = filters.sort != "-cost" and at.tzinfo is not None
    if cursor.sort != filters.sort or not fits or abs(cursor.id) >= 1 << 63:
        raise CallctlError("invalid_field", "a cursor of another list", "query.cursor")
    return cursor
