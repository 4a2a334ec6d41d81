"""Every list and search of the call API against the full scan of the same run.

Ours is `CallService.list_calls` as the API calls it. The scan is the same question with the same
parameters, PostgreSQL's use of indexes switched off.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bench.store.generate import UNTIL
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls.listing import Source, page_query
from callctl.features.calls.model import CallFilters
from callctl.features.calls.service import CallService, conditions_of, list_values

NO_INDEXES = (
    "set local enable_indexscan = off; set local enable_indexonlyscan = off; "
    "set local enable_bitmapscan = off; set local work_mem = '256MB'"
)

MATCHING = "select id from numbers where strpos(number, $1) > 0"


@dataclass(frozen=True, slots=True)
class Question:
    """One list as a client asks for it. `kind`: which target it is held against."""

    name: str
    kind: str
    filters: dict[str, Any]
    own: tuple[str, ...] | None = None
    pages: int = 1
    """Which page is measured: the deep ones are reached by cursor."""


DAY = timedelta(days=1)
PAGES, HISTORY, DIGITS = "page", "number history", "any 5 digits"


def questions(frequent: str, rare: str, five_digits: str) -> list[Question]:
    """All filters of the list, alone and combined, both directions of time, first and deep pages.

    `frequent` and `rare` are numbers that call much and hardly ever.
    """
    last_month = {"since": UNTIL - 31 * DAY, "until": UNTIL - DAY}
    old_month = {"since": UNTIL - 600 * DAY, "until": UNTIL - 570 * DAY}
    return [
        Question("newest", PAGES, {}),
        Question("newest, page 40", PAGES, {}, pages=40),
        Question("oldest first", PAGES, {"sort": "started_at"}),
        Question("a month long ago", PAGES, old_month),
        Question("a month, page 40", PAGES, last_month, pages=40),
        Question("by change", PAGES, {"sort": "changed_at"}),
        Question(
            "changed since yesterday, by change",
            PAGES,
            {"sort": "changed_at", "changed_since": UNTIL - DAY},
        ),
        Question("changed in the last hour, by start", PAGES, {"changed_since": UNTIL - DAY / 24}),
        Question("office hours", PAGES, {"time_since": _at(9), "time_until": _at(10)}),
        Question("at night, over midnight", PAGES, {"time_since": _at(23), "time_until": _at(1)}),
        Question("inbound", PAGES, {"direction": "inbound"}),
        Question("internal", PAGES, {"direction": "internal"}),
        Question("answered", PAGES, {"disposition": "ANSWERED"}),
        Question("busy", PAGES, {"disposition": "BUSY"}),
        Question("unknown outcome, in 1 of 10,000", PAGES, {"disposition": "UNKNOWN"}),
        Question("internal and failed", PAGES, {"direction": "internal", "disposition": "FAILED"}),
        Question(
            "internal and failed, a month long ago",
            PAGES,
            {"direction": "internal", "disposition": "FAILED", **old_month},
        ),
        Question("missed", PAGES, {"missed": True}),
        Question("missed, page 40", PAGES, {"missed": True}, pages=40),
        Question("not missed", PAGES, {"missed": False}),
        Question("missed since a week", PAGES, {"missed": True, "since": UNTIL - 7 * DAY}),
        Question("repaired", PAGES, {"completeness": "repaired"}),
        Question("truncated", PAGES, {"completeness": "truncated"}),
        Question("with a recording", PAGES, {"has_recording": True}),
        Question("without a recording", PAGES, {"has_recording": False}),
        Question("talk of 5 minutes or more", PAGES, {"min_talk": 300.0}),
        Question("talk of 30 minutes or more", PAGES, {"min_talk": 1800.0}),
        Question("talk of 3 hours or more", PAGES, {"min_talk": 10_800.0}),
        Question("talk of 20 to 21 seconds", PAGES, {"min_talk": 20.0, "max_talk": 21.0}),
        Question("talk of 1 second at most", PAGES, {"max_talk": 1.0}),
        Question("an extension", PAGES, {"extension": "1010"}),
        Question("an extension, page 40", PAGES, {"extension": "1010"}, pages=40),
        Question("a quiet extension", PAGES, {"extension": "1498"}),
        Question("an extension, missed", PAGES, {"extension": "1010", "missed": True}),
        Question(
            "an extension, a month, busy",
            PAGES,
            {"extension": "1010", "disposition": "BUSY", **last_month},
        ),
        Question(
            "an extension, recorded, 5 minutes or more",
            PAGES,
            {"extension": "1010", "has_recording": True, "min_talk": 300.0},
        ),
        Question("an agent's own calls", PAGES, {}, own=("1200",)),
        Question("a group of 20", PAGES, {}, own=tuple(str(1000 + 25 * i) for i in range(20))),
        Question(
            "a group of 20, missed",
            PAGES,
            {"missed": True},
            own=tuple(str(1000 + 25 * i) for i in range(20)),
        ),
        Question(
            "inbound, answered, recorded, a month",
            PAGES,
            {
                "direction": "inbound",
                "disposition": "ANSWERED",
                "has_recording": True,
                **last_month,
            },
        ),
        Question(
            "outbound, busy, office hours",
            PAGES,
            {
                "direction": "outbound",
                "disposition": "BUSY",
                "time_since": _at(9),
                "time_until": _at(10),
            },
        ),
        Question("a number that calls much", HISTORY, {"number": frequent}),
        Question("a number that calls much, page 5", HISTORY, {"number": frequent}, pages=5),
        Question("a number that hardly calls", HISTORY, {"number": rare}),
        Question("a number, missed", HISTORY, {"number": frequent, "missed": True}),
        Question("a DID", HISTORY, {"number": "+3617770001"}),
        Question("a client that calls much", HISTORY, {"client": 5}),
        Question("a client, page 5", HISTORY, {"client": 5}, pages=5),
        Question("a client, missed", HISTORY, {"client": 5, "missed": True}),
        Question("a client type", PAGES, {"client_type": "VIP"}),
        Question("a client type, page 40", PAGES, {"client_type": "VIP"}, pages=40),
        Question("a rare client type", PAGES, {"client_type": "problem"}),
        Question("a client type, a month long ago", PAGES, {"client_type": "VIP", **old_month}),
        Question("any 5 digits", DIGITS, {"number": five_digits}),
        Question("any 5 digits, a month", DIGITS, {"number": five_digits, **last_month}),
        Question("any 5 digits, missed", DIGITS, {"number": five_digits, "missed": True}),
        Question("any 3 digits", "any 3 digits", {"number": five_digits[:3]}),
    ]


def _at(hour: int) -> Any:
    return datetime(2026, 1, 1, hour, tzinfo=UTC).time()


@dataclass(frozen=True, slots=True)
class Asked:
    """A question with its cursor found."""

    question: Question
    filters: CallFilters
    scope: CallScope


async def prepare(db: Database, account: int, question: Question) -> Asked:
    """Go to the page that is to be measured. Warms the caches on its way."""
    service = CallService(db)
    scope = CallScope(account, question.own)
    filters = CallFilters(**question.filters)
    cursor = None
    for _ in range(question.pages - 1):
        page = await service.list_calls(scope, CallFilters(**question.filters, cursor=cursor))
        if page.next is None:
            break
        cursor = page.next
    filters = CallFilters(**question.filters, cursor=cursor)
    await service.list_calls(scope, filters)
    return Asked(question, filters, scope)


async def ours_ms(db: Database, asked: Asked, times: int = 5) -> float:
    """The best of `times`, in milliseconds: what it costs, not what else the machine does."""
    service = CallService(db)
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        await service.list_calls(asked.scope, asked.filters)
        best = min(best, time.perf_counter() - began)
    return best * 1000


async def scan_ms(db: Database, asked: Asked) -> float:
    """Milliseconds of finding the same page by reading everything.

    Only finding it: names and numbers of its calls, which ours gives too, are not counted against
    the scan. The numbers looked for are given, and an extension is asked for as a scope of one,
    which PostgreSQL answers with one pass over each table.
    """
    filters, scope = asked.filters, asked.scope
    if filters.extension is not None:
        scope = CallScope(scope.account_id, (filters.extension,))
        filters = msgspec.structs.replace(filters, extension=None)
    async with db.transaction() as connection:
        values = await list_values(connection, scope, filters)
        assert values is not None, "all that is asked for is there"
        if part := values.pop("number_part", None):
            found = await connection.fetch(MATCHING, part)
            values["numbers"] = [row[0] for row in found]
        query = page_query(filters.sort, Source.EVERYTHING, conditions_of(filters, values))
        await connection.execute(NO_INDEXES)
        began = time.perf_counter()
        await connection.fetch(query.sql, *(values[n] for n in query.parameters), timeout=120)
        return (time.perf_counter() - began) * 1000
