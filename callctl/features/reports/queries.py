"""What reports read. Each query of `BY_SCOPE` comes twice: from sums, for who sees all of an
account's calls, and counted from the calls of some extensions, for who sees only theirs.

Sums cost what their rows cost; counting costs what those extensions' calls in the period cost.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Names in the statements below are constants of this file. Every statement takes the account as $1
# and days [$2, $3) of its zone; the extensions of a scope are its last parameter. A day is 26 hours
# away from UTC's at most, so that two days more on each side hold all of it.
_IN_SCOPE = """(
    select f.* from {facts} f where f.account_id = $1 and f.call in (
        select e.call from call_extensions e
        where e.account_id = $1 and e.extension = any(${last}::text[])
          and ($2::date is null or e.started_at >= $2::date - 2)
          and ($3::date is null or e.started_at < $3::date + 2)))"""
_PERIOD = """
r.account_id = $1 and ($2::date is null or r.day >= $2) and ($3::date is null or r.day < $3)"""
_NO_KEY = "($4::bigint is null or (r.calls, r.number_id) < ($4, $5::bigint))"

# A client counts once, with all its numbers, under the first of them (position 0); a number that is
# nobody's, or all that its client has, for itself. Clients with several are added up apart, since
# they are few: all others are read in the order of an index.
_SHARED = """exists (
    select from client_numbers l
    join client_numbers o on o.client_id = l.client_id and o.position > 0
    where l.account_id = $1 and l.number_id = r.number_id)"""
_SEVERAL = """(
    select l.number_id, l.client_id,
           first_value(l.number_id) over (partition by l.client_id order by l.position) as main
    from client_numbers l where l.client_id in (
        select o.client_id from client_numbers o where o.account_id = $1 and o.position > 0))"""
_MAIN = """lateral (select coalesce(
    (select o.number_id from client_numbers l join client_numbers o on o.client_id = l.client_id
     where l.account_id = $1 and l.number_id = r.number_id order by o.position limit 1),
    r.number_id) as main)"""


@dataclass(frozen=True, slots=True)
class ByScope:
    """One question, asked of the sums (`all`) or of the calls of some extensions (`some`)."""

    all: str
    some: str


def _both(query: str, table: str, facts: str, last: int) -> ByScope:
    scoped = _IN_SCOPE.format(facts=facts, last=last)
    return ByScope(query.replace("{source}", table), query.replace("{source}", scoped))


CALLS_BY_PERIOD = _both(
    f"""
select case $4::text when 'day' then r.day
            when 'week' then r.day - (extract(isodow from r.day)::int + $5::int) % 7
            else date_trunc($4, r.day::timestamp)::date end as starts_on,
       r.direction, sum(r.calls)::bigint as calls, sum(r.answered)::bigint as answered,
       sum(r.cancelled)::bigint as cancelled, sum(r.no_answer)::bigint as no_answer,
       sum(r.busy)::bigint as busy, sum(r.rejected)::bigint as rejected,
       sum(r.failed)::bigint as failed, sum(r.unknown)::bigint as unknown,
       sum(r.missed)::bigint as missed, sum(r.talk_us)::float8 / 1e6 as talk_seconds,
       sum(r.wait_us)::float8 / 1e6 as wait_seconds, sum(r.cost)::bigint as cost
from {{source}} r where {_PERIOD} and ($6::text is null or r.direction = $6)
group by 1, 2 having sum(r.calls) > 0 order by 1, 2
""",  # noqa: S608
    "rollup_days",
    "call_facts",
    7,
)

TARGETS = _both(
    f"""
select r.target as name, sum(r.calls)::bigint as calls, sum(r.answered)::bigint as answered,
       sum(r.missed)::bigint as missed, sum(r.talk_us)::float8 / 1e6 as talk_seconds,
       sum(r.wait_us)::float8 / 1e6 as wait_seconds, sum(r.cost)::bigint as cost
from {{source}} r where {_PERIOD} and r.kind = $4 and ($5::text is null or r.direction = $5)
  and ($6::text is null or r.target = $6)
group by 1 having sum(r.calls) > 0 order by 1
""",  # noqa: S608
    "rollup_target_days",
    "target_facts",
    7,
)

# Extensions' sums are theirs as well as anyone's: a scope bounds which rows are read, no more. Two
# queries, since adding up what nobody looks at takes longer than reading the rows.
EMPLOYEE_SHARES = f"""
select r.extension, sum(r.calls)::bigint as calls, sum(r.placed)::bigint as placed,
       sum(r.answered)::bigint as answered,
       sum(r.placed_talk_us + r.answered_talk_us)::float8 / 1e6 as talk_seconds,
       sum(r.cost)::bigint as cost
from rollup_extension_days r where {_PERIOD}
  and ($4::text is null or r.direction = $4) and ($5::text[] is null or r.extension = any($5))
group by 1 having sum(r.calls) > 0 order by 2 desc, 1
"""  # noqa: S608


def _employees(source: str) -> str:
    return f"""
select r.extension, sum(r.answered)::bigint as answered,
       sum(r.attempts_answered)::bigint as rings_answered,
       sum(r.attempts_missed)::bigint as missed, sum(r.attempts_refused)::bigint as refused,
       sum(r.attempts_elsewhere)::bigint as elsewhere,
       sum(r.attempts_unreachable)::bigint as unreachable,
       sum(r.placed_talk_us + r.answered_talk_us)::float8 / 1e6 as talk_seconds,
       sum(r.cost)::bigint as cost
from {source} r where {_PERIOD}
  and ($4::text is null or r.direction = $4) and ($5::text[] is null or r.extension = any($5))
group by 1 having sum(r.calls) > 0 or sum(r.attempts) > 0 order by 1
"""  # noqa: S608


EMPLOYEES = _employees("rollup_extension_days")
# Of calls to one number there are no sums: they are counted.
EMPLOYEES_OF_DID = _employees(
    """(
    select f.* from extension_facts f where f.account_id = $1 and f.call in (
        select c.id from calls c where c.account_id = $1 and c.did = $6
          and ($2::date is null or c.started_at >= $2::date - 2)
          and ($3::date is null or c.started_at < $3::date + 2)))"""
)


def _clients(source: str) -> str:
    return f"""
select r.number_id, n.number, r.calls, r.answered, r.missed,
       r.talk_us / 1e6::float8 as talk_seconds, r.cost
from ({source}) r join numbers n on n.id = r.number_id
order by r.calls desc, r.number_id desc
"""  # noqa: S608


_SUMS = """sum(r.calls)::bigint as calls, sum(r.answered)::bigint as answered,
               sum(r.missed)::bigint as missed, sum(r.talk_us)::bigint as talk_us,
               sum(r.cost)::bigint as cost"""
_EVER_AFTER = "($2::bigint is null or (r.calls, r.number_id) < ($2, $3::bigint))"
CLIENTS_EVER = _clients(
    f"""
    select * from (
        (select r.number_id, r.calls, r.answered, r.missed, r.talk_us, r.cost from contacts r
         where r.account_id = $1 and r.calls > 0 and not {_SHARED} and {_EVER_AFTER}
         order by r.calls desc, r.number_id desc limit $4)
        union all
        (select * from (
            select s.main as number_id, {_SUMS} from {_SEVERAL} s
            join contacts r on r.account_id = $1 and r.number_id = s.number_id
            group by s.main having sum(r.calls) > 0) r
         where {_EVER_AFTER})) r
    order by r.calls desc, r.number_id desc limit $4""",  # noqa: S608
)
CLIENTS = _both(
    _clients(
        f"""
    select * from (
        select m.main as number_id, {_SUMS} from (
            select r.customer_number_id as number_id, {_SUMS}
            from {{source}} r where {_PERIOD} and r.customer_number_id is not null
            group by 1) r cross join {_MAIN} m
        group by 1) r
    where {_NO_KEY} order by r.calls desc, r.number_id desc limit $6""",  # noqa: S608
    ),
    """(
        select * from call_facts f where f.account_id = $1
          and ($2::date is null or f.started_at >= $2::date - 2)
          and ($3::date is null or f.started_at < $3::date + 2))""",
    "call_facts",
    7,
)


def _contact(column: str, aggregate: str, order: str) -> ByScope:
    """First or last calls, newest first: of all calls, or of those in which $7 had a part."""
    outer = f"""
select k.number_id, n.number, k.at, c.id as call, c.direction, c.disposition, c.extension
from ({{source}}) k join numbers n on n.id = k.number_id
cross join lateral (
    select c.id, c.direction, c.disposition, coalesce(c.answered_by, c.extension) as extension
    from calls c where c.account_id = $1 and c.customer_number_id = any(k.numbers)
      and c.started_at = k.at {{part}} order by c.id {order} limit 1) c
order by k.at desc, k.number_id desc
"""  # noqa: S608
    within = """($2::timestamptz is null or r.at >= $2) and ($3::timestamptz is null or r.at < $3)
      and ($4::timestamptz is null or (r.at, r.number_id) < ($4, $5::bigint))"""
    some_calls = f"""
    select * from (
        select m.main as number_id, {aggregate}(r.at) as at, array_agg(r.number_id) as numbers
        from (
            select c.customer_number_id as number_id, {aggregate}(c.started_at) as at from (
                select distinct e.call from call_extensions e
                where e.account_id = $1 and e.extension = any($7::text[])) e
            join calls c on c.id = e.call where c.customer_number_id is not null group by 1) r
        cross join {_MAIN} m group by 1) r
    where {within} order by r.at desc, r.number_id desc limit $6"""  # noqa: S608
    all_calls = f"""
    select * from (
        (select r.number_id, r.{column} as at, array[r.number_id] as numbers
         from contacts r where r.account_id = $1 and r.calls > 0 and not {_SHARED}
           and {within.replace("r.at", f"r.{column}")}
         order by r.{column} desc, r.number_id desc limit $6)
        union all
        (select * from (
            select s.main as number_id, {aggregate}(r.{column}) as at,
                   array_agg(r.number_id) as numbers
            from {_SEVERAL} s join contacts r on r.account_id = $1 and r.number_id = s.number_id
            where r.calls > 0 group by s.main) r
         where {within})) r
    order by r.at desc, r.number_id desc limit $6"""  # noqa: S608
    part = """and exists (select from call_extensions s
        where s.call = c.id and s.extension = any($7::text[]))"""
    return ByScope(
        outer.replace("{source}", all_calls).replace("{part}", ""),
        outer.replace("{source}", some_calls).replace("{part}", part),
    )


FIRST_CONTACT = _contact("first_at", "min", "")
LAST_CONTACT = _contact("last_at", "max", "desc")


# $2 = [owed since this, $3), $4/$5 the last row of the page before, $6 the limit, $7 an owner,
# $8 one number, $9 the extensions of a scope: callbacks of calls that they had a part in, or that
# were given to one of them. Who is responsible is looked up for the page alone, unless it is asked
# by that.
_PAGE = """
  ($2::timestamptz is null or {k}.owed_since >= $2)
  and ($3::timestamptz is null or {k}.owed_since < $3)
  and ($4::timestamptz is null or ({k}.owed_since, {k}.number_id) > ($4, $5::bigint))
  and ($8::bigint is null or $8 = any({numbers}))
order by {k}.owed_since, {k}.number_id limit case when $7::text is null then $6::bigint end
"""


def _callbacks(source: str, owner: str) -> str:
    page = _PAGE.format(k="k", numbers="k.numbers")
    return f"""
select k.number_id, n.number, k.owed_since, k.missed_at, k.owed_calls as missed_calls, o.owner
from (select k.* from {source} k where {page}) k join numbers n on n.id = k.number_id
cross join lateral (select coalesce(
    k.assigned_to,
    (select coalesce(c.answered_by, c.extension) from calls c
     where c.account_id = $1 and c.customer_number_id = any(k.numbers)
       and c.started_at = k.talked_at
       and c.disposition = 'ANSWERED' order by c.id desc limit 1),
    (select a.extension from calls c join attempts a on a.call = c.id
     where c.account_id = $1 and c.customer_number_id = any(k.numbers)
       and c.started_at = k.missed_at
       and a.extension is not null order by c.id desc, a.position limit 1)) as owner) w
cross join lateral (select {owner} as owner) o
where $7::text is null or o.owner = $7
order by k.owed_since, k.number_id limit $6
"""  # noqa: S608


def _owed(alone: str, seen: str, also: str) -> str:
    """Owed callbacks, a row for each customer: `alone` are those of a single number; then clients
    with several, missed after the last conversation by any of these. `seen`: which calls count;
    `also`: what counts although none of them does."""
    return f"""(
    select k.*, array[k.number_id] as numbers from ({alone}) k
    union all
    select r.* from (
        select s.main as number_id, coalesce(min(m.seen_since), min(m.since)) as owed_since,
               coalesce(max(m.seen_last), max(m.last)) as missed_at,
               (case when sum(m.seen) > 0 then sum(m.seen) else sum(m.calls) end)::bigint
                   as owed_calls,
               t.talked_at, max(r.assigned_to) as assigned_to, t.numbers
        from {_SEVERAL} s
        join contacts r on r.account_id = $1 and r.number_id = s.number_id and r.owed_calls > 0
        cross join lateral (
            select max(o.talked_at) as talked_at, array_agg(l.number_id) as numbers
            from client_numbers l
            left join contacts o on o.account_id = $1 and o.number_id = l.number_id
            where l.client_id = s.client_id) t
        cross join lateral (
            select count(*) as calls, min(c.started_at) as since, max(c.started_at) as last,
                   count(*) filter (where {seen}) as seen,
                   min(c.started_at) filter (where {seen}) as seen_since,
                   max(c.started_at) filter (where {seen}) as seen_last
            from calls c where c.account_id = $1 and c.customer_number_id = r.number_id
              and c.missed and c.started_at >= r.owed_since
              and (t.talked_at is null or c.started_at > t.talked_at)) m
        where m.calls > 0 group by s.main, t.talked_at, t.numbers
        having sum(m.seen) > 0 or bool_or({also})) r)"""  # noqa: S608


_SEEN = """exists (
                select from call_extensions e
                where e.call = c.id and e.extension = any($9::text[]))"""
CALLBACKS = ByScope(
    _callbacks(
        _owed(
            f"""
    select r.number_id, r.owed_since, r.missed_at, r.owed_calls, r.talked_at, r.assigned_to
    from contacts r where r.account_id = $1 and r.owed_calls > 0 and not {_SHARED}
      and {_PAGE.format(k="r", numbers="array[r.number_id]")}""",  # noqa: S608
            "true",
            "false",
        ),
        "w.owner",
    ),
    _callbacks(
        _owed(
            f"""
    select r.number_id, coalesce(m.since, r.owed_since) as owed_since,
           coalesce(m.last, r.missed_at) as missed_at,
           case when m.calls > 0 then m.calls else r.owed_calls end as owed_calls,
           r.talked_at, r.assigned_to
    from contacts r cross join lateral (
        select count(*) as calls, min(c.started_at) as since, max(c.started_at) as last
        from calls c where c.account_id = $1 and c.customer_number_id = r.number_id and c.missed
          and c.started_at >= r.owed_since and {_SEEN}
    ) m where r.account_id = $1 and r.owed_calls > 0 and not {_SHARED}
      and (m.calls > 0 or r.assigned_to = any($9::text[]))""",  # noqa: S608
            _SEEN,
            "r.assigned_to = any($9::text[])",
        ),
        "case when w.owner = any($9::text[]) then w.owner end",
    ),
)

VOLUME_HOURS = _both(
    """
select r.quarter - extract(minute from r.quarter at time zone $6)::int * interval '1 minute'
           as starts_at, r.direction, sum(r.calls)::bigint as calls, sum(r.missed)::bigint as missed
from {source} r where r.account_id = $1 and r.quarter >= $4::timestamptz
  and r.quarter < $5::timestamptz and $2::date < $3::date
group by 1, 2
""",
    "rollup_quarters",
    "call_facts",
    7,
)
VOLUME_DAYS = _both(
    f"""
select r.day, r.direction, sum(r.calls)::bigint as calls, sum(r.missed)::bigint as missed
from {{source}} r where {_PERIOD} group by 1, 2
""",  # noqa: S608
    "rollup_days",
    "call_facts",
    4,
)


def _recent(column: str, what: str) -> ByScope:
    """The numbers with the latest calls of a kind since $2, up to $3 of them."""
    all_calls = f"""
select k.number_id, n.number, c.calls, k.{column} as last_at
from (
    select number_id, {column} from contacts
    where account_id = $1 and {column} >= $2::timestamptz
    order by {column} desc, number_id desc limit $3) k
join numbers n on n.id = k.number_id
cross join lateral (
    select count(*) as calls from calls c where c.account_id = $1
      and c.customer_number_id = k.number_id and c.started_at >= $2 and {what}) c
order by k.{column} desc, k.number_id desc
"""  # noqa: S608
    some_calls = f"""
select k.number_id, n.number, k.calls, k.last_at from (
    select c.customer_number_id as number_id, count(*) as calls, max(c.started_at) as last_at
    from (select distinct e.call from call_extensions e where e.account_id = $1
            and e.extension = any($4::text[]) and e.started_at >= $2::timestamptz) e
    join calls c on c.id = e.call where c.customer_number_id is not null and {what}
    group by 1 order by last_at desc, number_id desc limit $3) k
join numbers n on n.id = k.number_id order by k.last_at desc, k.number_id desc
"""  # noqa: S608
    return ByScope(all_calls, some_calls)


RECENT_SUCCESSFUL = _recent("talked_at", "c.disposition = 'ANSWERED'")
RECENT_MISSED = _recent("missed_at", "c.missed")

ACCOUNT = "select timezone, currency from accounts where id = $1"

_SAME_CLIENT = """
account_id = $1 and owed_calls > 0 and number_id in (
    select o.number_id from client_numbers l join client_numbers o on o.client_id = l.client_id
    where l.account_id = $1 and l.number_id = $2 union select $2::bigint)
"""
CALLBACK_SETTLE = f"""
with settled as (
    update contacts set settled_at = missed_at, owed_since = null, owed_calls = 0
    where {_SAME_CLIENT} returning settled_at)
select max(settled_at) from settled
"""  # noqa: S608
CALLBACK_NOTE = """
insert into callback_notes (account_id, number_id, settled_at, note, marked_by)
values ($1, $2, $3, $4, $5)
returning number_id, note, marked_by, marked_at
"""
CALLBACK_LOCK = f"""
select assigned_to from contacts where {_SAME_CLIENT} order by number_id for no key update
"""  # noqa: S608
CALLBACK_ASSIGN = f"update contacts set assigned_to = $3 where {_SAME_CLIENT}"  # noqa: S608

# What the account itself pays: to its seller, or, for a part without such a price, to its carrier.
_OWN_COSTS = """
select k.* from call_costs k where k.payer_id = $1
  and ($2::timestamptz is null or k.answered_at >= $2)
  and ($3::timestamptz is null or k.answered_at < $3)
  and (k.side = 'price' or not exists (
        select from call_costs p
        where p.call = k.call and p.payer_id = $1 and p.side = 'price'))
"""


def _destinations(scope: str) -> str:
    return f"""
select k.destination, k.prefix, k.reason, k.currency, count(distinct k.call)::bigint as calls,
       sum(k.talk_seconds)::bigint as talk_seconds,
       sum(k.billed_seconds)::bigint as billed_seconds, coalesce(sum(k.amount), 0)::bigint as cost
from ({_OWN_COSTS}) k join calls c on c.id = k.call and c.account_id = $1 {scope}
group by k.destination, k.prefix, k.reason, k.currency
order by cost desc, k.destination, k.prefix, k.reason
limit 1000
"""  # noqa: S608


DESTINATIONS = ByScope(
    _destinations(""),
    _destinations(
        """and exists (select from call_extensions s
        where s.call = c.id and s.extension = any($4::text[]))"""
    ),
)

# Revenue is what accounts directly below pay for a part of a call; cost is what the seller itself
# pays for the same part, to its own seller and to its carrier.
MARGINS = """
select a.id as account_id, a.code as account, p.currency, count(distinct p.call)::bigint as calls,
       count(*) filter (where p.amount is null or o.unrated)::bigint as unrated,
       coalesce(sum(p.amount), 0)::bigint as revenue, coalesce(sum(o.amount), 0)::bigint as cost,
       bool_and(o.currency is null or o.currency = p.currency) as comparable
from call_costs p join accounts a on a.id = p.payer_id
cross join lateral (
    select sum(amount)::bigint as amount, min(currency) as currency,
           coalesce(bool_or(amount is null), false) as unrated
    from call_costs o where o.call = p.call and o.leg = p.leg and o.payer_id = $1
) o
where a.parent_id = $1 and p.side = 'price'
  and ($2::timestamptz is null or p.answered_at >= $2)
  and ($3::timestamptz is null or p.answered_at < $3)
group by a.id, a.code, p.currency
order by a.code, p.currency
limit 1000
"""

_BY_SCOPE = {
    "destinations": DESTINATIONS,
    "calls_by_period": CALLS_BY_PERIOD,
    "targets": TARGETS,
    "clients": CLIENTS,
    "first_contact": FIRST_CONTACT,
    "last_contact": LAST_CONTACT,
    "callbacks": CALLBACKS,
    "volume_hours": VOLUME_HOURS,
    "volume_days": VOLUME_DAYS,
    "recent_successful": RECENT_SUCCESSFUL,
    "recent_missed": RECENT_MISSED,
}
BY_SCOPE: Mapping[str, str] = MappingProxyType(
    {f"{name}.all": pair.all for name, pair in _BY_SCOPE.items()}
    | {f"{name}.some": pair.some for name, pair in _BY_SCOPE.items()}
)
"""All of the pairs, for the test that prepares every statement."""
