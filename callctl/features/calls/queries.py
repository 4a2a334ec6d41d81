"""Reading calls. Whole queries as constants; filters are parameters, orders a closed table.

A page is the first rows of one or more *streams*: index scans in the page's order that stop when
they have enough. So a page costs what its rows cost, not what lies between them.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

COLUMNS = """
c.id, c.call_id, c.direction, c.disposition, c.missed, f.number as from_number, c.from_name,
t.number as to_number, u.number as customer_number, c.extension, c.answered_by,
d.number as destination_number, c.tried, c.started_at, c.answered_at, c.ended_at, c.wait_seconds,
c.talk_seconds, c.total_seconds, c.has_recording, c.completeness, c.trunk, c.did, c.route,
c.too_long_seconds is not null as too_long, c.too_long_seconds, c.changed_at
"""

_NUMBERS = """
left join numbers f on f.id = c.from_number_id
left join numbers t on t.id = c.to_number_id
left join numbers u on u.id = c.customer_number_id
left join numbers d on d.id = c.destination_number_id
"""

_WHERE = """
  and ($2::text[] is null or exists (
        select 1 from call_extensions s where s.account_id = $1 and s.extension = any($2::text[])
           and s.started_at = c.started_at and s.call = c.id))
  and ($3::timestamptz is null or {started} >= $3)
  and ($4::timestamptz is null or {started} < $4)
  and ($5::time is null and $6::time is null or case
        when $5::time is null then (c.started_at at time zone $7)::time < $6
        when $6::time is null then (c.started_at at time zone $7)::time >= $5
        when $5::time <= $6::time then (c.started_at at time zone $7)::time >= $5
                                   and (c.started_at at time zone $7)::time < $6
        else (c.started_at at time zone $7)::time >= $5
          or (c.started_at at time zone $7)::time < $6 end)
  and ($8::timestamptz is null or c.changed_at >= $8)
  and ($9::text is null or c.direction = $9)
  and ($10::text is null or c.disposition = $10)
  and ($11::boolean is null or c.missed = $11)
  and ($12::text is null or c.completeness = $12)
  and ($13::boolean is null or c.has_recording = $13)
  and ($14::float8 is null or c.talk_seconds >= $14)
  and ($15::float8 is null or c.talk_seconds <= $15)
  and ($22::boolean is null or (c.too_long_seconds is not null) = $22)
  and ($23::timestamptz is null or c.changed_at < $23)
  and ($17::text is null or exists (
        select 1 from call_extensions s where s.account_id = $1 and s.extension = $17
           and s.started_at = c.started_at and s.call = c.id))
  and ($21::text is null or (
        select bool_or(strpos(n.number, $21) > 0) from numbers n
        where n.id in (c.from_number_id, c.to_number_id, c.destination_number_id)))
"""
# In the words of the partial indexes (migrations/0003), so that each arm is one of them.
_OF_NUMBERS = """
  and ($16::bigint[] is null or c.customer_number_id = any($16)
       or c.from_number_id = any($16) and c.from_number_id is distinct from c.customer_number_id
       or c.to_number_id = any($16) and c.to_number_id is distinct from c.customer_number_id
       or c.destination_number_id = any($16)
          and c.destination_number_id is distinct from c.to_number_id)
"""
SORTS = ("-started_at", "started_at", "changed_at")

# Both halves of a row comparison go down one index; $18 and $19 are the last row of the page
# before.
_AFTER = {
    "-started_at": "and ($18::timestamptz is null or ({at}, {id}) < ($18, $19::bigint))",
    "started_at": "and ($18::timestamptz is null or ({at}, {id}) > ($18, $19::bigint))",
    "changed_at": "and ($18::timestamptz is null or ({at}, {id}) > ($18, $19::bigint))",
}
_ORDER = {
    "-started_at": "order by {at} desc, {id} desc",
    "started_at": "order by {at}, {id}",
    "changed_at": "order by {at}, {id}",
}


def _stream(
    sort: str, tables: str, conditions: str, started: str = "c.started_at", id_: str = "c.id"
) -> str:
    """The first rows of one index's order that all filters let through."""
    at = "c.changed_at" if sort == "changed_at" else started
    parts = (
        "select c.id, {at} as at from",
        tables,
        "where",
        conditions,
        _WHERE,
        _AFTER[sort],
        _ORDER[sort],
        "limit $20",
    )
    return "\n".join(parts).format(at=at, id=id_, started=started)


def _merged(sort: str, keys: str, *streams: str) -> str:
    """Some rows from each of several streams, the first of them all, each call once."""
    order = _ORDER[sort].format(at="s.at", id="s.id")
    union = "\nunion all\n".join(f"({stream})" for stream in streams)
    of_each = f"cross join lateral (\n{union}\n) s group by 1, 2"
    return "\n".join(("select s.id, s.at from", keys, of_each, order, "limit $20"))


def _everything(sort: str) -> str:
    return _stream(sort, "calls c", "c.account_id = $1" + _OF_NUMBERS)


def _by_extension(sort: str) -> str:
    tables = "call_extensions e join calls c on c.id = e.call"
    conditions = "e.account_id = $1 and e.extension = k.extension" + _OF_NUMBERS
    keys = "unnest(case when $17::text is null then $2::text[] else array[$17] end) k(extension)"
    return _merged(sort, keys, _stream(sort, tables, conditions, "e.started_at", "e.call"))


def _by_outcome(sort: str) -> str:
    conditions = (
        "c.account_id = $1 and c.direction = k.direction and c.disposition = m.disposition"
        + _OF_NUMBERS
    )
    keys = """(
        select d from unnest(array['inbound', 'outbound', 'internal']) d
        where $9::text is null or d = $9
    ) k(direction) cross join (
        select d from unnest(array['ANSWERED', 'CANCELLED', 'NO_ANSWER', 'BUSY', 'REJECTED',
                                   'FAILED', 'UNKNOWN']) d
        where $10::text is null or d = $10
    ) m(disposition)"""
    return _merged(sort, keys, _stream(sort, "calls c", conditions))


def _by_number(sort: str) -> str:
    # One condition per index, so that no call comes from two of them more often than needed.
    roles = (
        "c.customer_number_id = k.number",
        "c.from_number_id = k.number and c.from_number_id is distinct from c.customer_number_id",
        "c.to_number_id = k.number and c.to_number_id is distinct from c.customer_number_id",
        "c.destination_number_id = k.number"
        " and c.destination_number_id is distinct from c.to_number_id",
    )
    streams = [_stream(sort, "calls c", f"c.account_id = $1 and {role}") for role in roles]
    return _merged(sort, "unnest($16::bigint[]) k(number)", *streams)


class Source(StrEnum):
    """Which index a page is read from, and so what a rare filter costs."""

    EVERYTHING = "everything"
    """By time (or change), or one of the partial indexes by time: PostgreSQL chooses."""
    EXTENSION = "extension"
    OUTCOME = "outcome"
    NUMBER = "number"


_SOURCES = {
    Source.EVERYTHING: _everything,
    Source.EXTENSION: _by_extension,
    Source.OUTCOME: _by_outcome,
    Source.NUMBER: _by_number,
}


def page_query(sort: str, source: Source) -> str:
    """The part of a list's query that finds the page: (id, at) of its calls."""
    return _SOURCES[source](sort)


def _list_query(sort: str, source: Source) -> str:
    order = _ORDER[sort].format(at="p.at", id="p.id")
    page = f"with p as (\n{page_query(sort, source)}\n)"
    return "\n".join(
        (page, "select", COLUMNS, "from p join calls c on c.id = p.id", _NUMBERS, order)
    )


LIST_CALLS: Mapping[tuple[str, Source], str] = MappingProxyType(
    {
        (sort, source): _list_query(sort, source)
        for sort in SORTS
        for source in Source
        if source is Source.EVERYTHING or sort != "changed_at"
    }
)
"""(sort, source) → query. Constants all: nothing of a request is in their text."""

CHANGES_UNTIL = """
select least(statement_timestamp(), min(case when backend_xid is not null then xact_start
                                             when state = 'active' then query_start end))
from pg_stat_activity
where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""
"""Before this moment no call changes any more: whoever is writing now began later. A transaction
commits after the moment that it wrote into `changed_at`, so that a pull which went up to the newest
row would pass over one that is yet to appear before it. To be asked before the page is read.
Sessions of other roles cannot be seen: every daemon uses the same one."""

NUMBER_IDS = """
select id from numbers
where grams @> $1::text[] and strpos(number, $2) > 0
limit $3
"""

GET_CALL = f"""
select {COLUMNS}, c.linkedids, c.plan_id, c.why
from calls c {_NUMBERS}
where c.account_id = $1 and c.id = $2
  and ($3::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($3::text[])))
"""  # noqa: S608 - constants of this file

ATTEMPTS = """
select extension, number, endpoint, started_at, seconds, result, cause
from attempts where call = $1 order by position
"""
LEGS = """
select channel, uniqueid, endpoint, extension, number, started_at, answered_at, ended_at, cause
from legs where call = $1 order by position
"""
RECORDINGS = """
select id, file, state, started_at, seconds, bytes
from recordings where call = $1 order by started_at, id
"""
NOTES = """
select problem, solution, written_by, written_at from call_notes where call = $1 order by id desc
"""
NOTE_INSERT = """
insert into call_notes (call, account_id, problem, solution, written_by)
values ($1, $2, $3, $4, $5) returning problem, solution, written_by, written_at
"""
ROWS = "select rows from call_rows where call = $1"
ACCOUNT_ZONE = "select timezone from accounts where id = $1"
