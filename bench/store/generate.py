"""Millions of calls made inside PostgreSQL: two years of a house of 500 extensions.

Skewed as life is: office hours and weekdays, a few callers that call all the time among 200,000,
some extensions busier than others, outcomes of which a few are rare. Calls, their extensions and
their clients are made, as the lists read them; legs, attempts and journal rows are not.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import asyncpg

from callctl.features.calls.rollups import ROLLUPS

EXTENSIONS = 500
NUMBERS = 200_000
DIDS = 40
DAYS = 730
UNTIL = datetime(2026, 6, 30, 22, tzinfo=UTC)

MAKE_ACCOUNT = """
insert into accounts (code, name, kind, country, timezone)
values ('bench', 'Bench', 'operator', 'HU', 'Europe/Budapest') returning id
"""

MAKE_NUMBERS = """
insert into numbers (number, grams)
select n, (select array_agg(distinct substr(n, i, 3)) from generate_series(1, length(n) - 2) i)
from (
    select '+36' || (array['20', '30', '70', '1', '52'])[1 + i % 5]
        || lpad(((i * 7919::bigint) % 10000000)::text, 7, '0') as n
    from generate_series(1, $1::int) i
    union select (999 + i)::text from generate_series(1, $2::int) i
    union select '+361777' || lpad(i::text, 4, '0') from generate_series(1, $3::int) i
) made
"""

# Numbers by rank, for the skew: rank 1 calls most.
MAKE_RANKS = """
create unlogged table bench_ranks as
select row_number() over (order by md5(number))::int as rank, id
from numbers where length(number) > 4 and number not like '+361777%'
"""
MAKE_DIDS = """
create unlogged table bench_dids as
select row_number() over (order by number)::int as rank, id, number
from numbers where number like '+361777%'
"""
MAKE_INSIDE = """
create unlogged table bench_inside as
select number::int - 999 as rank, id, number from numbers where length(number) = 4
"""

# How many calls each hour of the two years gets: weekdays from 8 to 18 most, nights a few.
MAKE_HOURS = """
create unlogged table bench_hours as
with h as (
    select at, case when extract(isodow from at) > 5 then 0.25 else 1 end
             * case when extract(hour from at) between 7 and 16 then 1
                    when extract(hour from at) between 5 and 20 then 0.3 else 0.03 end as weight
    from generate_series($2::timestamptz - interval '1 day' * $3::int,
                         $2::timestamptz - interval '1 hour', interval '1 hour') at
), c as (
    select at, sum(weight) over (order by at) / sum(weight) over () as upto,
           (sum(weight) over (order by at) - weight) / sum(weight) over () as begun
    from h
)
select at, round($1::bigint * begun)::bigint as before,
       round($1::bigint * upto)::bigint - round($1::bigint * begun)::bigint as calls,
       upto > 0.5 as later
from c order by at
"""

MAKE_CALLS = """
insert into calls (id, account_id, call_id, linkedids, direction, from_number_id, extension,
    to_number_id, answered_by, destination_number_id, customer_number_id, did, route, trunk,
    started_at, answered_at, ended_at, wait_seconds, talk_seconds, total_seconds, disposition,
    missed, has_recording, tried, completeness, changed_at)
overriding system value
select n, $1, id, array[id], direction,
       case direction when 'inbound' then outside when 'outbound' then own_id else own_id end,
       case direction when 'inbound' then null else own end,
       case direction when 'inbound' then did_id when 'outbound' then outside else other_id end,
       case when disposition <> 'ANSWERED' or direction = 'outbound' then null else other end,
       case direction when 'outbound' then outside else other_id end,
       case direction when 'internal' then null else outside end,
       case direction when 'inbound' then did end,
       case direction when 'inbound' then 'did:' || did else direction || ':national' end,
       case direction when 'internal' then null else 'carrier-a' end,
       started_at,
       case when disposition = 'ANSWERED' then started_at + wait * interval '1 second' end,
       started_at + (wait + talk) * interval '1 second',
       wait, talk, wait + talk, disposition,
       direction = 'inbound' and disposition <> 'ANSWERED' and not blocked,
       disposition = 'ANSWERED' and r_record < 0.25,
       case when blocked then '{}'
            when first <> other and direction = 'inbound'
            then array[first || ' NOANSWER', other || ' ' || result]
            else array[other || ' ' || result] end,
       case when r_complete < 0.0001 then 'truncated'
            when r_complete < 0.0005 then 'repaired' else 'complete' end,
       started_at + (wait + talk + 3) * interval '1 second'
from (
    select 'bench-' || floor(extract(epoch from m.started_at))::bigint || '.' || m.n as id,
           m.n, m.started_at, m.direction, m.r_record, m.r_complete,
           d.disposition, d.disposition = 'REJECTED' and m.r_record < 0.5 as blocked,
           case d.disposition when 'ANSWERED' then 'ANSWER' when 'BUSY' then 'BUSY'
                              when 'REJECTED' then 'REJECTED' else 'NOANSWER' end as result,
           floor(1e6 * (2 + 25 * m.r_wait)) / 1e6 as wait,
           case when d.disposition = 'ANSWERED'
                then floor(1e6 * least(14400, exp(m.length))) / 1e6 else 0 end as talk,
           o.id as outside, a.id as own_id, a.number as own, b.id as other_id, b.number as other,
           f.number as first, t.id as did_id, t.number as did
    from (
        select h.at + (i - random()) / h.calls * interval '1 hour' as started_at,
               h.before + i as n,
               case when random() < 0.55 then 'inbound'
                    when random() < 0.78 then 'outbound' else 'internal' end as direction,
               random() as r_outcome, random() as r_record, random() as r_complete,
               random() as r_wait, random_normal(4.5, 1.1) as length,
               1 + floor($2::int * power(random(), 3))::int as outside,
               1 + floor($3::int * power(random(), 1.4))::int as own,
               1 + floor($3::int * power(random(), 1.4))::int as other,
               1 + floor($3::int * power(random(), 1.4))::int as first,
               1 + floor($4::int * power(random(), 2))::int as did
        from bench_hours h cross join lateral generate_series(1, h.calls) i
        where h.later = $5
    ) m
    cross join lateral (select case
        when m.r_outcome < 0.0001 then 'UNKNOWN' when m.r_outcome < 0.004 then 'FAILED'
        when m.r_outcome < 0.02 then 'REJECTED' when m.r_outcome < 0.045 then 'BUSY'
        when m.r_outcome < 0.12 then 'CANCELLED' when m.r_outcome < 0.25 then 'NO_ANSWER'
        else 'ANSWERED' end as disposition) d
    join bench_ranks o on o.rank = m.outside
    join bench_inside a on a.rank = m.own
    join bench_inside b on b.rank = m.other
    join bench_inside f on f.rank = m.first
    join bench_dids t on t.rank = m.did
) made
"""

# Once per call and extension: the caller's, the one that answered or rang last, the first tried.
MAKE_EXTENSIONS = """
insert into call_extensions (account_id, extension, started_at, call)
select account_id, extension, started_at, id from calls
where id between $1 and $2 and extension is not null
union all
select account_id, split_part(tried[cardinality(tried)], ' ', 1), started_at, id from calls
where id between $1 and $2 and direction <> 'outbound' and cardinality(tried) > 0
  and split_part(tried[cardinality(tried)], ' ', 1) is distinct from extension
union all
select account_id, split_part(tried[1], ' ', 1), started_at, id from calls
where id between $1 and $2 and cardinality(tried) = 2
  and split_part(tried[1], ' ', 1) is distinct from extension
"""

# Every fifth number is a client's; some types are common, one in 1,000 is rare.
MAKE_CLIENTS = """
insert into clients (id, account_id, kind, name, type_id, sort_key, search)
overriding system value
select r.rank, $1, 'person', 'Client ' || r.rank, t.id, 'client ' || r.rank, 'client ' || r.rank
from bench_ranks r
join client_types t on t.account_id = $1 and t.name = case
    when r.rank % 1000 = 500 then 'problem' when r.rank % 3 = 0 then 'VIP' else 'potential' end
where r.rank % 5 = 0
"""
MAKE_CLIENT_NUMBERS = """
insert into client_numbers (account_id, number_id, client_id, position)
select $1, id, rank, 0 from bench_ranks where rank % 5 = 0
"""
MAKE_CALL_CLIENTS = """
insert into call_clients (call, account_id, number_id, type_id, started_at)
select c.id, c.account_id, c.customer_number_id, k.type_id, c.started_at
from calls c
join client_numbers n on n.account_id = c.account_id and n.number_id = c.customer_number_id
join clients k on k.id = n.client_id
"""

INDEXES = """
select indexname, indexdef from pg_indexes i
where schemaname = 'public' and tablename in ('calls', 'call_extensions', 'call_clients')
  and not exists (select from pg_constraint where conname = indexname)
"""
DROP_CONSTRAINTS = """
alter table call_extensions drop constraint call_extensions_pkey;
alter table calls drop constraint calls_call_id_key
"""

HALF = "select min(before) + 1, max(before + calls) from bench_hours where later = $1"
FINISH = """
drop table bench_ranks, bench_dids, bench_inside, bench_hours;
select setval(pg_get_serial_sequence('calls', 'id'), (select max(id) from calls));
alter table call_extensions add primary key (account_id, extension, started_at, call);
alter table calls add unique (call_id)
"""
SETTINGS = """
set session_replication_role = replica; set synchronous_commit = off; set jit = off;
set maintenance_work_mem = '1GB'; set work_mem = '512MB'; select setseed(0.5)
"""

# While rows are made nothing need survive a power cut, and no page is written twice.
CARELESS = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "8GB"}


async def generate(url: str, calls: int, *, sums: bool) -> int:
    """Fill a migrated, empty database; returns the account. Indexes are made after the rows.

    Two connections share the work, half of the time each. `sums`: make those of reports, too.
    """
    first, second = [await asyncpg.connect(url) for _ in range(2)]
    for connection in (first, second):
        await connection.execute(SETTINGS)
    for name, value in CARELESS.items():
        await first.execute(f"alter system set {name} = '{value}'")
    await first.execute("select pg_reload_conf()")
    account: int = await first.fetchval(MAKE_ACCOUNT)
    await first.execute(MAKE_NUMBERS, NUMBERS, EXTENSIONS, DIDS)
    for statement in (MAKE_RANKS, MAKE_DIDS, MAKE_INSIDE):
        await first.execute(statement)
    await first.execute(MAKE_HOURS, calls, UNTIL, DAYS)
    await first.execute("analyze bench_ranks, bench_dids, bench_inside, bench_hours")
    outside = await first.fetchval("select count(*) from bench_ranks")
    indexes = [row["indexdef"] for row in await first.fetch(INDEXES)]
    for name in [row["indexname"] for row in await first.fetch(INDEXES)]:
        await first.execute(f"drop index {name}")
    await first.execute(DROP_CONSTRAINTS)

    async def make_calls(connection: Any, later: bool) -> None:
        await connection.execute(MAKE_CALLS, account, outside, EXTENSIONS, DIDS, later)
        ids = await connection.fetchrow(HALF, later)
        await connection.execute(MAKE_EXTENSIONS, *ids)

    async def make_indexes(connection: Any) -> None:
        while indexes:
            await connection.execute(indexes.pop())

    await asyncio.gather(make_calls(first, False), make_calls(second, True))
    await first.execute("select make_client_types($1)", account)
    await first.execute(MAKE_CLIENTS, account)
    await first.execute(MAKE_CLIENT_NUMBERS, account)
    await first.execute("analyze clients, client_numbers")
    await first.execute(MAKE_CALL_CLIENTS)
    await asyncio.gather(make_indexes(first), make_indexes(second))
    await first.execute(FINISH)
    if sums:
        await first.execute("select rebuild_rollups()")
    filled = (
        "calls",
        "call_extensions",
        "call_clients",
        "numbers",
        "client_numbers",
        "clients",
        "contacts",
    )
    for table in (*filled, *(r.table for r in ROLLUPS)):
        await first.execute(f"vacuum analyze {table}")
    for name in CARELESS:
        await first.execute(f"alter system reset {name}")
    await first.execute("select pg_reload_conf()")
    await first.execute("checkpoint")
    await first.close()
    await second.close()
    return account
