"""The call list's queries, each made of only what is asked for (docs/adr/0011).

A page is the first rows of one or more *streams*: index scans in the page's order that stop when
they have enough. So a page costs what its rows cost, not what lies between them.

All texts are put together from the constants of this file; what a request says is a parameter.
There are as many texts as ways to combine the filters, and PostgreSQL plans each for what is in it:
a condition that nobody asked for would cost more planning than most pages cost to read.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


def _number(column: str) -> str:
    """A number by its id. A subquery for each row of a page; to join them instead would cost more
    planning than all the rest of the query."""
    return f"(select number from numbers where id = c.{column})"  # noqa: S608


COLUMNS = f"""
c.id, c.call_id, c.direction, c.disposition, c.missed,
{_number("from_number_id")} as from_number, c.from_name, {_number("to_number_id")} as to_number,
{_number("customer_number_id")} as customer_number, c.extension, c.answered_by,
{_number("destination_number_id")} as destination_number, c.tried, c.started_at, c.answered_at,
c.ended_at, c.wait_seconds, c.talk_seconds, c.total_seconds, c.has_recording,
(select min(r.downloaded_at) from recordings r where r.call = c.id) as recording_downloaded_at,
(select r.downloaded_by from recordings r where r.call = c.id and r.downloaded_at is not null
 order by r.downloaded_at limit 1) as recording_downloaded_by, c.completeness, c.trunk, c.did,
c.route, c.too_long_seconds is not null as too_long, c.too_long_seconds,
c.too_long_cost, c.changed_at,
k.id as client_id, k.name as client_name,
(select y.name from call_clients s join client_types y on y.id = s.type_id where s.call = c.id)
    as client_type,
(select y.name from client_types y where y.id = k.type_id) as client_type_now,
w.problem, w.solution, c.cost, c.currency, c.cost_reason
"""  # noqa: S608 - constants of this file

# Only for the rows of a page: the client, and the latest note. Who the client is follows from the
# number, now; the type as it was is kept with the call (migrations/0008).
BESIDE = """
left join lateral (
    select k.id, k.name, k.type_id
    from client_numbers l join clients k on k.id = l.client_id
    where l.account_id = c.account_id and l.number_id = c.customer_number_id
    limit 1
) k on true
left join lateral (
    select n.problem, n.solution from call_notes n where n.call = c.id order by n.id desc limit 1
) w on true
"""

ROWS_OF_PAGE = f"""
select {COLUMNS} from unnest($1::bigint[]) with ordinality p(id, position)
join calls c on c.id = p.id {BESIDE} order by p.position
"""  # noqa: S608 - constants of this file
"""What a page shows of the calls that `page_query` found, in their order. Apart from it, since its
plan is the same for any page and takes longer to make than to run."""

_TIME_OF_DAY = "(c.started_at at time zone :zone::text)::time"


CONDITIONS: Mapping[str, str] = MappingProxyType(
    {
        # By the call: it has few extensions, while those that may be seen may be many.
        "own": """exists (
            select 1 from call_extensions s where s.call = c.id
               and s.extension = any(:own::text[]))""",
        "group": """exists (
            select 1 from call_extensions s where s.call = c.id
               and s.extension = any(:group::text[]))""",
        "since": "{started} >= :since::timestamptz",
        "until": "{started} < :until::timestamptz",
        "time_since": f"{_TIME_OF_DAY} >= :time_since::time",
        "time_until": f"{_TIME_OF_DAY} < :time_until::time",
        "over_midnight": f"({_TIME_OF_DAY} >= :time_since::time"
        f" or {_TIME_OF_DAY} < :time_until::time)",
        "changed_since": "c.changed_at >= :changed_since::timestamptz",
        "direction": "c.direction = :direction::text",
        "disposition": "c.disposition = :disposition::text",
        "missed": "c.missed = :missed::boolean",
        "completeness": "c.completeness = :completeness::text",
        "has_recording": "c.has_recording = :has_recording::boolean",
        "too_long": "(c.too_long_seconds is not null) = :too_long::boolean",
        "changes_until": "c.changed_at < :changes_until::timestamptz",
        "min_talk": "c.talk_seconds >= :min_talk::float8",
        "max_talk": "c.talk_seconds <= :max_talk::float8",
        "min_cost": "c.cost >= :min_cost::bigint",
        "max_cost": "c.cost <= :max_cost::bigint",
        "unrated": "(c.cost is null and c.cost_reason is not null) = :unrated::boolean",
        "extension": """exists (
            select 1 from call_extensions s where s.account_id = :account
               and s.extension = :extension::text and s.started_at = c.started_at
               and s.call = c.id)""",
        "client_type": """exists (
            select 1 from call_clients k where k.call = c.id
               and k.type_id = :client_type::bigint)""",
        # In the words of the partial indexes (migrations/0003), so that each arm is one of them.
        "numbers": """(c.customer_number_id = any(:numbers::bigint[])
            or c.from_number_id = any(:numbers::bigint[])
               and c.from_number_id is distinct from c.customer_number_id
            or c.to_number_id = any(:numbers::bigint[])
               and c.to_number_id is distinct from c.customer_number_id
            or c.destination_number_id = any(:numbers::bigint[])
               and c.destination_number_id is distinct from c.to_number_id)""",
        "number_part": """(
            select bool_or(strpos(n.number, :number_part::text) > 0) from numbers n
            where n.id in (c.from_number_id, c.to_number_id, c.destination_number_id))""",
    }
)
"""What can be asked, and how a call is held against it. ``:name`` is a parameter, ``{started}`` the
time of the call as the stream's index has it."""

SORTS = ("-started_at", "started_at", "changed_at", "-cost")

# Both halves of a row comparison go down one index; the cursor is the last row of the page before.
_AFTER = {
    "-started_at": "({at}, {id}) < (:cursor_at::timestamptz, :cursor_id::bigint)",
    "started_at": "({at}, {id}) > (:cursor_at::timestamptz, :cursor_id::bigint)",
    "changed_at": "({at}, {id}) > (:cursor_at::timestamptz, :cursor_id::bigint)",
    "-cost": "({at}, {id}) < (:cursor_cost::bigint, :cursor_id::bigint)",
}
_ORDER = {
    "-started_at": "order by {at} desc, {id} desc",
    "started_at": "order by {at}, {id}",
    "changed_at": "order by {at}, {id}",
    "-cost": "order by {at} desc, {id} desc",
}


_OWN_COLUMN = {"changed_at": "c.changed_at", "-cost": "c.cost"}
"""Sorts that do not go by the time of the call."""


class Source(StrEnum):
    """Which index a page is read from, and so what a rare filter costs."""

    EVERYTHING = "everything"
    """By time (or change, or cost), or one of the partial indexes by time: PostgreSQL chooses."""
    EXTENSION = "extension"
    OUTCOME = "outcome"
    NUMBER = "number"
    CLIENT_TYPE = "client_type"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """A query's text and the names of its parameters, in their order."""

    sql: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a page is asked for: `given` are names of `CONDITIONS`, and ``cursor``."""

    sort: str
    given: frozenset[str]

    def without(self, *names: str) -> "_Asked":
        return _Asked(self.sort, self.given - set(names))


def _stream(
    asked: _Asked,
    tables: str,
    conditions: Sequence[str],
    started: str = "c.started_at",
    id_: str = "c.id",
) -> str:
    """The first rows of one index's order that all filters let through."""
    at = _OWN_COLUMN.get(asked.sort, started)
    if asked.sort == "-cost":
        conditions = [*conditions, "c.cost is not null"]
    every = [*conditions, *(sql for name, sql in CONDITIONS.items() if name in asked.given)]
    if "cursor" in asked.given:
        every.append(_AFTER[asked.sort])
    text = "\n".join(
        (
            f"select c.id, {at} as at from {tables} where",  # noqa: S608 - constants of this file
            "\n  and ".join(every),
            _ORDER[asked.sort],
            "limit :limit::bigint",
        )
    )
    return text.replace("{at}", at).replace("{id}", id_).replace("{started}", started)


def _merged(asked: _Asked, keys: str, *streams: str) -> str:
    """Some rows from each of several streams, the first of them all, each call once."""
    order = _ORDER[asked.sort].replace("{at}", "s.at").replace("{id}", "s.id")
    union = "\nunion all\n".join(f"({stream})" for stream in streams)
    of_each = f"cross join lateral (\n{union}\n) s group by 1, 2"
    return "\n".join(("select s.id, s.at from", keys, of_each, order, "limit :limit::bigint"))


def _everything(asked: _Asked) -> str:
    return _stream(asked, "calls c", ["c.account_id = :account"])


def _by_extension(asked: _Asked) -> str:
    """One stream for each extension asked for, or else that may be seen, or else of the group."""
    name = next(name for name in ("extension", "own", "group") if name in asked.given)
    keys = "array[:extension::text]" if name == "extension" else f":{name}::text[]"
    conditions = ["e.account_id = :account", "e.extension = k.extension"]
    stream = _stream(
        asked.without(name),
        "call_extensions e join calls c on c.id = e.call",
        conditions,
        "e.started_at",
        "e.call",
    )
    return _merged(asked, f"unnest({keys}) k(extension)", stream)


def _by_outcome(asked: _Asked) -> str:
    directions = "array['inbound', 'outbound', 'internal']"
    if "direction" in asked.given:
        directions = "array[:direction::text]"
    dispositions = """array['ANSWERED', 'CANCELLED', 'NO_ANSWER', 'BUSY', 'REJECTED', 'FAILED',
        'UNKNOWN']"""
    if "disposition" in asked.given:
        dispositions = "array[:disposition::text]"
    keys = f"unnest({directions}) k(direction) cross join unnest({dispositions}) m(disposition)"
    conditions = [
        "c.account_id = :account",
        "c.direction = k.direction",
        "c.disposition = m.disposition",
    ]
    rest = asked.without("direction", "disposition")
    return _merged(asked, keys, _stream(rest, "calls c", conditions))


def _by_number(asked: _Asked) -> str:
    # One condition per index, so that no call comes from two of them more often than needed.
    roles = (
        "c.customer_number_id = k.number",
        "c.from_number_id = k.number and c.from_number_id is distinct from c.customer_number_id",
        "c.to_number_id = k.number and c.to_number_id is distinct from c.customer_number_id",
        "c.destination_number_id = k.number"
        " and c.destination_number_id is distinct from c.to_number_id",
    )
    rest = asked.without("numbers")
    streams = [_stream(rest, "calls c", ["c.account_id = :account", role]) for role in roles]
    return _merged(asked, "unnest(:numbers::bigint[]) k(number)", *streams)


def _by_client_type(asked: _Asked) -> str:
    tables = "call_clients e join calls c on c.id = e.call"
    conditions = ["e.account_id = :account", "e.type_id = :client_type::bigint"]
    return _stream(asked.without("client_type"), tables, conditions, "e.started_at", "e.call")


_SOURCES = {
    Source.EVERYTHING: _everything,
    Source.EXTENSION: _by_extension,
    Source.OUTCOME: _by_outcome,
    Source.NUMBER: _by_number,
    Source.CLIENT_TYPE: _by_client_type,
}


@lru_cache(maxsize=4096)
def page_query(sort: str, source: Source, given: frozenset[str]) -> ListQuery:
    """Finds a page of the call list: (id, at) of its calls, `at` being what it is sorted by.

    `given`: names of `CONDITIONS`, and ``cursor``.
    """
    return _numbered(_SOURCES[source](_Asked(sort, given)))


_PARAMETER = re.compile(r"(?<!:):([a-z_]+)")


def _numbered(text: str) -> ListQuery:
    """``:name`` as ``$1``, ``$2``, … in the order of first use."""
    names: dict[str, int] = {}

    def number(match: re.Match[str]) -> str:
        return f"${names.setdefault(match[1], len(names) + 1)}"

    return ListQuery(_PARAMETER.sub(number, text), tuple(names))
