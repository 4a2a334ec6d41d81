"""Queries on transfers. $1 is always the account that pays."""

_COLUMNS = """
t.id, t.target_id as target, t.amount, t.currency, t.state, t.note, t.created_by, t.created_at,
t.audited_by, t.audited_at, t.audit_note, t.transaction_id
"""

NEXT_ID = "select nextval(pg_get_serial_sequence('transfers', 'id'))"

TRANSFER_INSERT = f"""
insert into transfers as t
    (account_id, id, target_id, amount, currency, note, hold_id, created_by_id, created_by)
overriding system value
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning {_COLUMNS}
"""  # noqa: S608 - constants of this file

TRANSFERS = f"""
select {_COLUMNS} from transfers t
where t.account_id = $1
  and ($2::timestamptz is null or t.created_at >= $2)
  and ($3::timestamptz is null or t.created_at < $3)
  and ($4::text is null or t.state = $4)
  and ($5::bigint is null or t.id < $5)
order by t.id desc
limit $6
"""  # noqa: S608

SELECTED_TRANSFERS = f"""
select {_COLUMNS} from transfers t
where t.account_id = $1 and t.id = any($2::bigint[])
order by t.id desc
"""  # noqa: S608

TRANSFER = f"select {_COLUMNS} from transfers t where t.account_id = $1 and t.id = $2"  # noqa: S608

TRANSFER_LOCK = f"""
select {_COLUMNS}, t.hold_id, t.created_by_id
from transfers t where t.account_id = $1 and t.id = $2
for update
"""  # noqa: S608

TRANSFER_AUDITED = f"""
update transfers t set state = $3, audited_by_id = $4, audited_by = $5, audit_note = $6,
    transaction_id = $7, audited_at = clock_timestamp()
where t.account_id = $1 and t.id = $2
returning {_COLUMNS}
"""  # noqa: S608

TRANSFER_DELETE = "delete from transfers where account_id = $1 and id = $2"

PEOPLE_WITH_MAIL = """
select u.id, u.email, u.role, u.granted, u.withdrawn, a.kind
from users u join accounts a on a.id = u.account_id
where u.account_id = $1 and u.active and u.email is not null
order by u.id
"""
