"""Whose a number is, from when until when, and what has been paid for it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from callctl.core.author import Author
from callctl.core.numbers.charges import first_charge, month_of
from callctl.core.numbers.states import NumberEvent
from callctl.core.periods import local_day
from callctl.db.audit import record_change
from callctl.db.ledger import charge
from callctl.features.numbers import store

LEASE_INSERT = """
insert into number_leases (number_id, account_id, seller_id, currency, setup_price, monthly_price,
                           paid_month)
values ($1, $2, $3, $4, $5, $6, $7) returning id
"""

LEASE_SETUP = "update number_leases set setup_transaction_id = $2 where id = $1"

CHARGE_INSERT = """
insert into number_charges (lease_id, month, amount, transaction_id) values ($1, $2, $3, $4)
"""

LEASE_COLUMNS = """
l.id, l.number_id, l.account_id, l.seller_id, l.currency, l.setup_price, l.monthly_price, l.since,
l.paid_month, l.unpaid_since, l.cut_at, l.setup_transaction_id, a.timezone, now() as at
"""

OPEN_LEASE = f"""
select {LEASE_COLUMNS} from number_leases l join accounts a on a.id = l.account_id
where l.number_id = $1 and l.until is null for no key update of l
"""  # noqa: S608 - a constant of this file

LEASE_END = "update number_leases set until = now(), ended_by = $2 where id = $1"


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of number_leases that is open; `timezone` is the account's, `at` is now."""

    id: int
    number_id: int
    account_id: int
    seller_id: int
    currency: str
    setup_price: int
    monthly_price: int
    since: datetime
    paid_month: date
    unpaid_since: datetime | None
    cut_at: datetime | None
    setup_transaction_id: int | None
    timezone: str
    at: datetime

    @property
    def today(self) -> date:
        return local_day(self.at, self.timezone)


async def open_lease(connection: Any, number_id: int) -> Lease | None:
    """The number's, locked; None when nobody has it."""
    row = await connection.fetchrow(OPEN_LEASE, number_id)
    return Lease(**row) if row else None


async def sell(
    connection: Any, buyer: store.Buyer, number: store.StockNumber, author: Author
) -> int:
    """Give a locked number to `buyer` and have it paid; the lease's id.

    It is routed by the caller, in the same transaction. Raises CallctlError: `conflict` (it is
    somebody else's by now, or priced in another currency), `insufficient_funds`.
    """
    if not number.free_for(buyer.id):
        raise store.taken(number.number)
    own = number.seller_id == buyer.id
    setup, monthly = (0, 0) if own else (number.setup_price, number.monthly_price)
    today = local_day(number.at, buyer.timezone)
    first = first_charge(setup, monthly, today)
    event = NumberEvent.ORDER if number.provider else NumberEvent.BUY
    await store.move(connection, number, event, account_id=buyer.id)
    lease_id: int = await connection.fetchval(
        LEASE_INSERT, number.id, buyer.id, number.seller_id, number.currency, setup, monthly,
        month_of(today),
    )  # fmt: skip
    paid = f"{number.number}: {first.days} of {first.days_of_month} days"
    setup_id = await pay(
        connection, buyer.id, lease_id, "number_setup", "setup", number.currency, setup, author,
        number.number,
    )  # fmt: skip
    await connection.execute(LEASE_SETUP, lease_id, setup_id)
    await pay_month(
        connection, buyer.id, lease_id, month_of(today), number.currency, first.month, author, paid
    )
    await record_change(
        connection, buyer.id, author, "number.bought", f"number:{number.id}", None,
        {"number": number.number, "setup": setup, "monthly": monthly, "first_month": first.month,
         "currency": number.currency},
    )  # fmt: skip
    return lease_id


async def pay_month(
    connection: Any,
    account_id: int,
    lease_id: int,
    month: date,
    currency: str,
    amount: int,
    author: Author,
    note: str,
) -> None:
    """Once per lease and month. Raises CallctlError("insufficient_funds")."""
    transaction_id = await pay(
        connection, account_id, lease_id, "number_month", month.strftime("%Y-%m"), currency,
        amount, author, note,
    )  # fmt: skip
    await connection.execute(CHARGE_INSERT, lease_id, month, amount, transaction_id)


async def pay(
    connection: Any,
    account_id: int,
    lease_id: int,
    kind: str,
    what: str,
    currency: str,
    amount: int,
    author: Author,
    note: str,
) -> int | None:
    """The transaction's id; None where nothing is to be paid."""
    if amount == 0:
        return None
    posted = await charge(
        connection,
        account_id=account_id,
        amount=amount,
        kind=kind,
        reference=f"number-lease:{lease_id}",
        author=author,
        note=note,
        once=f"number-lease:{lease_id}:{what}",
        currency=currency,
    )
    return posted.transaction_id if posted else None


async def give_back(
    connection: Any,
    number: store.StockNumber,
    lease: Lease,
    author: Author,
    *,
    why: str,
    quarantine_days: int,
) -> None:
    """End a lease: the number rests before anybody else can have it, or goes to its provider."""
    if number.provider:
        await store.move(connection, number, NumberEvent.RETURN)
    else:
        until = number.at + timedelta(days=quarantine_days)
        await store.move(connection, number, NumberEvent.RELEASE, until=until)
    await end_lease(connection, number, lease, author, why)


async def end_lease(
    connection: Any, number: store.StockNumber, lease: Lease, author: Author, why: str
) -> None:
    await connection.execute(LEASE_END, lease.id, why)
    await record_change(
        connection, lease.account_id, author, "number.released", f"number:{number.id}",
        {"number": number.number, "state": number.state}, {"why": why},
    )  # fmt: skip
