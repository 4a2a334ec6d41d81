"""Reading calls. Whole queries as constants; filters are parameters, orders a closed table."""

from collections.abc import Mapping
from types import MappingProxyType

COLUMNS = """
c.id, c.call_id, c.direction, c.disposition, c.missed, f.number as from_number, c.from_name,
t.number as to_number, u.number as customer_number, c.extension, c.answered_by,
d.number as destination_number, c.tried, c.started_at, c.answered_at, c.ended_at, c.wait_seconds,
c.talk_seconds, c.total_seconds, c.has_recording, c.completeness, c.trunk, c.did, c.route,
c.changed_at
"""

_NUMBERS = """
left join numbers f on f.id = c.from_number_id
left join numbers t on t.id = c.to_number_id
left join numbers u on u.id = c.customer_number_id
left join numbers d on d.id = c.destination_number_id
"""

_WHERE = """
where c.account_id = $1
  and ($2::text[] is null or exists (
        select 1 from call_extensions s where s.call = c.id and s.extension = any($2::text[])))
  and ($3::timestamptz is null or c.started_at >= $3)
  and ($4::timestamptz is null or c.started_at < $4)
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
  and ($16::bigint[] is null or c.from_number_id = any($16::bigint[])
       or c.to_number_id = any($16::bigint[]) or c.destination_number_id = any($16::bigint[]))
"""

_OF_EXTENSION = (
    "join call_extensions e on e.call = c.id and e.account_id = $1 and e.extension = $17"
)
_ALL = "cross join (select $17::text) e"

_PAGES = {
    # Both halves of a row comparison go down one index; $18 and $19 are the last row of the page
    # before.
    "-started_at": (
        "and ($18::timestamptz is null or ({0}, c.id) < ($18, $19::bigint))",
        "order by {0} desc, c.id desc limit $20",
    ),
    "started_at": (
        "and ($18::timestamptz is null or ({0}, c.id) > ($18, $19::bigint))",
        "order by {0}, c.id limit $20",
    ),
    "changed_at": (
        "and ($18::timestamptz is null or (c.changed_at, c.id) > ($18, $19::bigint))",
        "order by c.changed_at, c.id limit $20",
    ),
}


def _list_query(sort: str, of_extension: bool) -> str:
    page, order = _PAGES[sort]
    time = "e.started_at" if of_extension else "c.started_at"
    join = _OF_EXTENSION if of_extension else _ALL
    parts = ("select", COLUMNS, "from calls c", join, _NUMBERS, _WHERE, page, order)
    return "\n".join(parts).format(time)


LIST_CALLS: Mapping[tuple[str, bool], str] = MappingProxyType(
    {(sort, own): _list_query(sort, own) for sort in _PAGES for own in (False, True)}
)
"""(sort, by extension) → query. Constants all: nothing of a request is in their text."""

NUMBER_IDS = """
select id from numbers
where grams @> $1::text[] and strpos(number, $2) > 0
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
ROWS = "select rows from call_rows where call = $1"
ACCOUNT_ZONE = "select timezone from accounts where id = $1"
