"""Queries on the tree of accounts. $1 is always the account of whoever asks: its subtree is all
that there is."""

ACCOUNTS_PAGE = """
with recursive own as (
    select id from accounts where id = $1
    union all
    select a.id from accounts a join own o on a.parent_id = o.id
)
select a.id, case when a.id <> $1 then a.parent_id end as parent_id, a.code, a.name, a.kind,
       a.timezone, a.country, a.currency, a.created_at
from accounts a join own o on o.id = a.id
where ($2::bigint is null or a.parent_id = $2 and a.id <> $1)
  and ($3::text is null or a.kind = $3)
  and ($4::text is null or a.code > $4)
  and ($5::text is null or strpos(lower(a.code || ' ' || a.name), lower($5)) > 0)
order by a.code
limit $6
"""

ACCOUNT = """
with recursive up as (
    select id, parent_id from accounts where id = $2
    union all
    select a.id, a.parent_id from accounts a join up on a.id = up.parent_id where up.id <> $1
)
select a.id, case when a.id <> $1 then a.parent_id end as parent_id, a.code, a.name, a.kind,
       a.timezone, a.country, a.currency, a.created_at
from accounts a where a.id = $2 and exists (select from up where id = $1)
"""

ACCOUNT_INSERT = """
insert into accounts (parent_id, code, name, kind, timezone, country, currency)
values ($1, $2, $3, $4, $5, $6, $7)
returning id
"""

ACCOUNT_LOCK = "select id from accounts where id = $1 for no key update"

ACCOUNT_UPDATE = """
update accounts set name = $2, timezone = $3, country = $4, currency = $5 where id = $1
"""
