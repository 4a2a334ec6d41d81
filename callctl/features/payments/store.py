"""Queries on payments and invoice requests."""

_PAYMENT = """
p.id, p.provider, p.amount, p.currency, p.state,
case when p.state = 'waiting' then p.pay_url end as pay_url, p.created_by, p.created_at,
p.changed_at, p.transaction_id
"""

PAYMENT_INSERT = f"""
insert into payments as p (account_id, provider, amount, currency, created_by_id, created_by)
values ($1, $2, $3, $4, $5, $6)
returning {_PAYMENT}
"""  # noqa: S608 - constants of this file

PAYMENTS = f"""
select {_PAYMENT} from payments p
where p.account_id = $1 and ($2::text is null or p.state = $2) and ($3::bigint is null or p.id < $3)
order by p.id desc
limit $4
"""  # noqa: S608

PAYMENT = f"select {_PAYMENT} from payments p where p.account_id = $1 and p.id = $2"  # noqa: S608

# A callback may have come before the provider's answer: it stays what it has become.
PAYMENT_TAKEN = f"""
update payments p set provider_ref = $3, pay_url = $4, changed_at = clock_timestamp(),
    state = case when p.state = 'started' then 'waiting' else p.state end
where p.account_id = $1 and p.id = $2
returning {_PAYMENT}
"""  # noqa: S608

PAYMENT_NAMED_LOCK = """
select id, account_id, provider, provider_ref, amount, currency, state, transaction_id
from payments where id = $1 and provider = $2
for update
"""

PAYMENT_NEWS = """
update payments set state = $2, transaction_id = $3, provider_ref = coalesce(provider_ref, $4),
    changed_at = clock_timestamp()
where id = $1
"""

_REQUEST = """
r.id, r.account_id, r.seller_id, r.amount, r.currency, r.legal_name, r.tax_number, r.address,
r.note, r.state, r.invoice_number, r.reason, r.created_by, r.created_at, r.changed_at,
r.transaction_id
"""

REQUEST_INSERT = f"""
insert into invoice_requests as r
    (account_id, seller_id, amount, currency, legal_name, tax_number, address, note, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning {_REQUEST}
"""  # noqa: S608

REQUESTS = f"""
select {_REQUEST} from invoice_requests r
where r.account_id = $1 and ($2::text is null or r.state = $2) and ($3::bigint is null or r.id < $3)
order by r.id desc
limit $4
"""  # noqa: S608

REQUESTS_TO_ANSWER = f"""
select {_REQUEST} from invoice_requests r
where r.seller_id = $1 and ($2::text is null or r.state = $2) and ($3::bigint is null or r.id < $3)
order by r.id desc
limit $4
"""  # noqa: S608

REQUEST_LOCK = f"""
select {_REQUEST} from invoice_requests r where r.seller_id = $1 and r.id = $2 for update
"""  # noqa: S608

REQUEST_ANSWERED = f"""
update invoice_requests r set state = $3, invoice_number = $4, reason = $5, transaction_id = $6,
    changed_at = clock_timestamp()
where r.seller_id = $1 and r.id = $2
returning {_REQUEST}
"""  # noqa: S608
