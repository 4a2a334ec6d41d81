"""Queries on an account's own wallet."""

_COLUMNS = """
e.seq, e.posted_at, e.class as entry_class, e.source, t.kind, t.reference, t.note, e.amount,
e.balance, t.currency, e.corrects, t.author, e.transaction_id, encode(e.hash, 'hex') as sha256
"""
_WALLET = "(select b.id from books b where b.account_id = $1 and b.kind = 'wallet')"

# The index books, time, number gives the order; a cursor is the number of the last entry seen.
STATEMENT = f"""
select {_COLUMNS}
from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
where e.book_id = {_WALLET}
  and ($2::timestamptz is null or e.posted_at >= $2)
  and ($3::timestamptz is null or e.posted_at < $3)
  and ($4::text is null or e.class = $4)
  and ($5::text is null or e.source = $5)
  and ($6::text is null or t.kind = $6)
  and ($7::bigint is null or (e.posted_at, e.seq) < (
        (select c.posted_at from ledger_entries c where c.book_id = {_WALLET} and c.seq = $7), $7))
order by e.posted_at desc, e.seq desc
limit $8
"""  # noqa: S608 - constants of this file

WALLETS_BELOW = """
select b.account_id, b.currency, b.balance, b.held, b.balance - b.held as available
from accounts a join books b on b.account_id = a.id and b.kind = 'wallet'
where a.parent_id = $1
  and ($2::bigint[] is null or a.id = any($2))
  and ($3::bigint is null or a.id > $3)
order by a.id
limit $4
"""

SELECTED_ENTRIES = f"""
select {_COLUMNS}
from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
where e.book_id = {_WALLET} and e.seq = any($2::bigint[])
order by e.posted_at desc, e.seq desc
"""  # noqa: S608

IS_BELOW = """
with recursive up as (
    select id, parent_id from accounts where id = $2
    union all
    select a.id, a.parent_id from accounts a join up on a.id = up.parent_id where up.id <> $1
)
select exists (select from up where id = $1)
"""

BOOKS = """
select b.id, b.account_id, b.kind, b.currency, b.balance, b.held, b.last_seq, b.last_hash, a.code,
       (select coalesce(sum(h.amount), 0)::bigint from ledger_holds h
        where h.book_id = b.id and h.released_at is null) as open_holds
from books b join accounts a on a.id = b.account_id
where ($1::bigint is null or b.account_id = $1) and b.id > $2
order by b.id
limit $3
"""

BOOK_ENTRIES = """
select e.seq, e.transaction_id, t.kind, t.reference, t.note, t.author_id, t.author, e.posted_at,
       e.amount, e.balance, e.class, e.source, e.corrects, e.hash
from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
where e.book_id = $1
order by e.seq
"""

CHUNK_END = """
select max(id) from (select id from ledger_transactions where id > $1 order by id limit $2) c
"""

UNBALANCED = """
select t.id, coalesce(sum(e.amount), 0)::bigint as total, count(e.amount) as lines
from ledger_transactions t left join ledger_entries e on e.transaction_id = t.id
where t.id > $1 and t.id <= $2
  and ($3::bigint is null or t.account_id = $3 or exists (
        select from ledger_entries o join books b on b.id = o.book_id
        where o.transaction_id = t.id and b.account_id = $3))
group by t.id
having count(e.amount) < 2 or sum(e.amount) <> 0
order by t.id
"""

CURRENCY_SUMS = """
select currency, sum(balance)::bigint as total from books group by currency
having sum(balance) <> 0 order by currency
"""

ACCOUNT_BY_CODE = "select id from accounts where code = $1"
