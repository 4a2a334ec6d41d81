"""One row per number outside: first and last contact, and whether a callback is owed.

Kept in the transaction that stores calls (docs/adr/0014). The view `contact_sums` says what a row
must be; a number with new calls only is brought there by adding, one with changed calls anew.
"""

from collections.abc import Sequence
from typing import Any

# Rows are locked in the order of their keys, before they are read: what another writer has
# committed by then is counted by the statements that follow.
_TOUCHED = """
select account_id, customer_number_id as number_id from call_facts where call = any($1::bigint[])
union
select account_id, customer_number_id from jsonb_populate_recordset(null::call_facts, $2::jsonb)
"""
CONTACTS_INSERT = f"""
insert into contacts (account_id, number_id)
select account_id, number_id from ({_TOUCHED}) t where number_id is not null
order by account_id, number_id
on conflict do nothing
"""  # noqa: S608 - constants of this file
CONTACTS_LOCK = f"""
select account_id, number_id from contacts
where (account_id, number_id) in ({_TOUCHED})
order by account_id, number_id for update
"""  # noqa: S608

# When the last conversation stays the same, missed calls after it are added; when it moves on, the
# few calls after it are looked at.
CONTACTS_ADD = """
with new as (
    select account_id, customer_number_id as number_id, calls, answered, missed, talk_us, cost,
           started_at
    from call_facts where call = any($1::bigint[]) and customer_number_id is not null
), sums as (
    select account_id, number_id, sum(calls) as calls, sum(answered) as answered,
           sum(missed) as missed, sum(talk_us) as talk_us, sum(cost) as cost,
           min(started_at) as first_at, max(started_at) as last_at,
           max(started_at) filter (where answered = 1) as talked_at,
           max(started_at) filter (where missed = 1) as missed_at
    from new group by account_id, number_id
), bounds as (
    select s.*, coalesce(greatest(k.talked_at, k.settled_at), '-infinity') as was_after,
           coalesce(greatest(k.talked_at, s.talked_at, k.settled_at), '-infinity') as after
    from sums s join contacts k using (account_id, number_id)
), owed as (
    select b.*, m.calls as new_owed, m.since as new_since, a.calls as all_owed, a.since as all_since
    from bounds b
    cross join lateral (
        select count(*) as calls, min(n.started_at) as since from new n
        where n.account_id = b.account_id and n.number_id = b.number_id and n.missed = 1
          and n.started_at > b.after) m
    cross join lateral (
        select count(*) as calls, min(c.started_at) as since from calls c
        where b.after <> b.was_after and c.account_id = b.account_id
          and c.customer_number_id = b.number_id and c.missed and c.started_at > b.after) a
)
update contacts k
set calls = k.calls + o.calls, answered = k.answered + o.answered, missed = k.missed + o.missed,
    talk_us = k.talk_us + o.talk_us, cost = k.cost + o.cost,
    first_at = least(k.first_at, o.first_at),
    last_at = greatest(k.last_at, o.last_at), talked_at = greatest(k.talked_at, o.talked_at),
    missed_at = greatest(k.missed_at, o.missed_at),
    owed_calls = case when o.after = o.was_after then k.owed_calls + o.new_owed else o.all_owed end,
    owed_since = case when o.after = o.was_after then least(k.owed_since, o.new_since)
                      else o.all_since end
from owed o
where k.account_id = o.account_id and k.number_id = o.number_id
  and not (k.account_id, k.number_id) in (
      select * from unnest($2::bigint[], $3::bigint[]))
"""
CONTACTS_CHANGED = """
select distinct account_id, customer_number_id as number_id from (
    select account_id, customer_number_id from call_facts where call = any($1::bigint[])
    union all
    select account_id, customer_number_id from jsonb_populate_recordset(null::call_facts, $2::jsonb)
) t where customer_number_id is not null
"""
CONTACTS_RECOUNT = """
update contacts k
set calls = coalesce(s.calls, 0), answered = coalesce(s.answered, 0),
    missed = coalesce(s.missed, 0), talk_us = coalesce(s.talk_us, 0), cost = coalesce(s.cost, 0),
    first_at = s.first_at,
    last_at = s.last_at, talked_at = s.talked_at, missed_at = s.missed_at,
    owed_since = s.owed_since, owed_calls = coalesce(s.owed_calls, 0)
from unnest($2::bigint[]) n(number_id) left join (
    select * from contact_sums where account_id = $1 and number_id = any($2::bigint[])
) s on s.number_id = n.number_id
where k.account_id = $1 and k.number_id = n.number_id
"""
CONTACTS_KEEP = """
insert into contacts_kept as k (account_id, number_id, calls, answered, missed, talk_us, first_at,
    last_at, talked_at, missed_at, cost)
select account_id, customer_number_id, sum(calls), sum(answered), sum(missed), sum(talk_us),
       min(started_at), max(started_at), max(started_at) filter (where answered = 1),
       max(started_at) filter (where missed = 1), sum(cost)
from call_facts where call = any($1::bigint[]) and customer_number_id is not null
group by account_id, customer_number_id order by account_id, customer_number_id
on conflict (account_id, number_id) do update
set calls = k.calls + excluded.calls, answered = k.answered + excluded.answered,
    missed = k.missed + excluded.missed, talk_us = k.talk_us + excluded.talk_us,
    first_at = least(k.first_at, excluded.first_at),
    last_at = greatest(k.last_at, excluded.last_at),
    talked_at = greatest(k.talked_at, excluded.talked_at),
    missed_at = greatest(k.missed_at, excluded.missed_at), cost = k.cost + excluded.cost
"""
DERIVED = (
    "calls", "answered", "missed", "talk_us", "first_at", "last_at", "talked_at", "missed_at",
    "owed_since", "owed_calls", "cost",
)  # fmt: skip
_DIFFER = " or ".join(
    f"coalesce(k.{name}, 0) <> coalesce(s.{name}, 0)"
    if not name.endswith(("_at", "_since"))
    else f"k.{name} is distinct from s.{name}"
    for name in DERIVED
)
CONTACT_DIFFERENCES = f"""
select account_id, number_id, coalesce(k.calls, 0) as kept, coalesce(s.calls, 0) as counted
from contacts k full join contact_sums s using (account_id, number_id)
where {_DIFFER}
order by account_id, number_id limit $1
"""  # noqa: S608


async def apply(
    connection: Any, new: Sequence[int], changed: Sequence[int], before: Sequence[Any]
) -> None:
    """Bring contacts to what the calls are now.

    `new` are ids of calls that were stored for the first time, `changed` of those rebuilt, merged
    or deleted; `before` is what `call_facts` said of the latter.
    """
    ids = [*new, *changed]
    await connection.execute(CONTACTS_INSERT, ids, before)
    await connection.fetch(CONTACTS_LOCK, ids, before)
    touched = await connection.fetch(CONTACTS_CHANGED, changed, before) if changed else []
    accounts = [row["account_id"] for row in touched]
    numbers = [row["number_id"] for row in touched]
    if new:
        await connection.execute(CONTACTS_ADD, new, accounts, numbers)
    await recount(connection, accounts, numbers)


async def keep(connection: Any, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """Before calls are deleted for their age: what reports tell of their numbers is written down.

    Returns the accounts and numbers to `recount` once the calls are gone.
    """
    await connection.fetch(CONTACTS_LOCK, ids, [])
    touched = await connection.fetch(CONTACTS_CHANGED, ids, [])
    await connection.execute(CONTACTS_KEEP, ids)
    return [row["account_id"] for row in touched], [row["number_id"] for row in touched]


async def recount(connection: Any, accounts: Sequence[int], numbers: Sequence[int]) -> None:
    """Rows of locked contacts, side by side, as the calls are now."""
    for account_id in sorted(set(accounts)):
        of_account = [n for a, n in zip(accounts, numbers, strict=True) if a == account_id]
        await connection.execute(CONTACTS_RECOUNT, account_id, of_account)
