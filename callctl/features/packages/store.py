"""Queries on packages, their quotes and members; and rows as the values they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from callctl.core.money.currencies import COIN
from callctl.core.packages import (
    DEFAULT_PRICE,
    Costs,
    Line,
    Package,
    PackageState,
    Purchase,
    Term,
)
from callctl.features.packages.model import PackageTerms, PackageView, Price, QuoteView, SeatView

DEFAULT_PRICES: Mapping[str, int] = {COIN: DEFAULT_PRICE}
DEFAULT_REMINDER_DAYS = (14, 3, 1)

# One change of an account's package at a time; whoever only refers to the account is left alone.
ACCOUNT_LOCK = "select id from accounts where id = $1 for no key update"

# $1 is whoever asks: the own account, and with $2 its customers.
PACKAGES_PAGE = """
select a.id as account_id, a.code as account, a.name, a.package_required as required, p.seats,
       p.since, p.months, p.until, a.parent_id, a.currency, t.prices,
       (select count(*) from package_members m where m.account_id = a.id) as members
from accounts a
    left join packages p on p.account_id = a.id
    left join package_terms t on t.seller_id = a.parent_id
where (a.id = $1 or $2 and a.parent_id = $1)
  and ($3::text is null or $3 = case when p.until is null then 'none'
                                     when p.until > $4 then 'active' else 'expired' end)
  and ($5::boolean is null or a.package_required = $5)
  and ($6::bigint is null or a.id > $6)
  and ($7::bigint[] is null or a.id = any($7))
order by a.id
limit $8
"""

PACKAGE_OF = """
select a.id as account_id, a.code as account, a.name, a.package_required as required, p.seats,
       p.since, p.months, p.until, a.parent_id, a.currency, t.prices,
       (select count(*) from package_members m where m.account_id = a.id) as members
from accounts a
    left join packages p on p.account_id = a.id
    left join package_terms t on t.seller_id = a.parent_id
where a.id = $3 and (a.id = $1 or $2 and a.parent_id = $1)
"""

REQUIRE = "update accounts set package_required = $3 where id = $2 and parent_id = $1"

PACKAGE_SAVE = """
insert into packages (account_id, seats, since, months, until) values ($1, $2, $3, $4, $5)
on conflict (account_id) do update
set seats = $2, since = $3, months = $4, until = $5, changed_at = now(),
    over = case when packages.until = $5 then packages.over else false end,
    reminded_days = case when packages.until = $5 then packages.reminded_days end
"""

TERMS = "select prices, reminder_days from package_terms where seller_id = $1"

TERMS_SAVE = """
insert into package_terms (seller_id, prices, reminder_days, changed_by) values ($1, $2, $3, $4)
on conflict (seller_id) do update
set prices = $2, reminder_days = $3, changed_by = $4, changed_at = now()
"""

QUOTE_INSERT = """
insert into package_quotes (account_id, seller_id, purchase, seats, months, price, currency, lines,
                            amount, until, basis, created_at, created_by, expires_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
returning *
"""

QUOTE = "select * from package_quotes where account_id = $1 and id = $2"

QUOTE_LOCK = "select * from package_quotes where account_id = $1 and id = $2 for update"

QUOTES_PAGE = """
select * from package_quotes
where account_id = $1 and ($2::boolean is null or (paid_at is not null) = $2)
  and ($3::bigint is null or id < $3)
order by id desc
limit $4
"""

QUOTE_PAID = """
update package_quotes set paid_at = $3, paid_by = $4, transaction_id = $5, until = $6
where account_id = $1 and id = $2
returning *
"""

MEMBERS_PAGE = """
select m.user_id, u.login, u.name, u.extension, u.active, m.added_at, m.added_by
from package_members m join users u on u.id = m.user_id
where m.account_id = $1 and ($2::bigint is null or m.user_id > $2)
order by m.user_id
limit $3
"""

MEMBER = """
select m.user_id, u.login, u.name, u.extension, u.active, m.added_at, m.added_by
from package_members m join users u on u.id = m.user_id
where m.account_id = $1 and m.user_id = $2
"""

USER_ACTIVE = "select active from users where account_id = $1 and id = $2"

IS_MEMBER = "select exists (select from package_members where account_id = $1 and user_id = $2)"

MEMBER_INSERT = """
insert into package_members (account_id, user_id, added_by) values ($1, $2, $3)
"""

MEMBER_DELETE = "delete from package_members where account_id = $1 and user_id = $2"

NOTIFY_ROUTING = "select pg_notify('callctl_routing', $1)"


@dataclass(frozen=True, slots=True)
class Customer:
    """An account as its seller sees it. `seller_id` None: the operator, who buys of nobody."""

    account_id: int
    seller_id: int | None
    currency: str
    price: int | None
    package: Package | None


def prices_of(terms: Any) -> Mapping[str, int]:
    """By currency, of a row's `prices`; the default where a seller has set none."""
    return DEFAULT_PRICES if terms is None else dict(terms)


def terms_of(row: Any) -> PackageTerms:
    if row is None:
        prices, days = DEFAULT_PRICES, DEFAULT_REMINDER_DAYS
    else:
        prices, days = row["prices"], row["reminder_days"]
    return PackageTerms([Price(prices[name], name) for name in sorted(prices)], sorted(days))


def package_of(row: Any) -> Package | None:
    """Of a row of `PACKAGE_OF`."""
    if row["seats"] is None:
        return None
    return Package(row["seats"], Term(row["since"], row["months"]), row["members"])


def customer_of(row: Any) -> Customer:
    price = None if row["parent_id"] is None else prices_of(row["prices"]).get(row["currency"])
    return Customer(
        row["account_id"], row["parent_id"], row["currency"], price, package_of(row)
    )  # fmt: skip


def package_view(row: Any, now: datetime) -> PackageView:
    customer = customer_of(row)
    package = customer.package
    return PackageView(
        account_id=row["account_id"],
        account=row["account"],
        name=row["name"],
        required=row["required"],
        state=package.state(now) if package else PackageState.NONE,
        seats=row["seats"],
        members=row["members"],
        since=row["since"],
        months=row["months"],
        until=row["until"],
        price=None if customer.price is None else Price(customer.price, customer.currency),
    )


def basis_of(package: Package | None, now: datetime) -> dict[str, Any]:
    """What a quote was made for, as JSON: when it differs, the price may. Members count only where
    a renewal goes by them."""
    if package is None:
        return {"state": PackageState.NONE.value}
    return {
        "state": package.state(now).value,
        "seats": package.renewal_seats(now),
        "since": package.term.since.isoformat(),
        "months": package.term.months,
    }


def costs_of(row: Any) -> Costs:
    """Of a quote's row."""
    lines = tuple(Line(**line) for line in row["lines"])
    return Costs(Purchase(row["purchase"]), row["seats"], row["months"], lines)


def lines_of(costs: Costs) -> list[dict[str, int]]:
    lines: list[dict[str, int]] = msgspec.to_builtins(costs.lines)
    return lines


def quote_view(row: Any, now: datetime) -> QuoteView:
    state = "paid" if row["paid_at"] else "open" if now < row["expires_at"] else "expired"
    values = {name: row[name] for name in QuoteView.__struct_fields__ if name != "state"}
    return msgspec.convert({**values, "state": state}, QuoteView)


def seat_view(row: Any) -> SeatView:
    return SeatView(**dict(row))
