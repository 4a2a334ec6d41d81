"""What the API takes and says of packages, seats and quotes."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.packages import MAX_MONTHS, MAX_PRICE, MAX_SEATS, PackageState, Purchase

MAX_REMINDER_DAYS = 90

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Currency = Annotated[str, Meta(pattern=r"^([A-Z]{3}|COIN)$")]
Limit = Annotated[int, Meta(ge=1, le=500)]
Seats = Annotated[int, Meta(ge=1, le=MAX_SEATS)]
Months = Annotated[int, Meta(ge=1, le=MAX_MONTHS)]


class Price(Struct, frozen=True, forbid_unknown_fields=True):
    """Whole minor units of a currency: 12345 HUF are 123.45 forints, COIN has no parts."""

    amount: Annotated[int, Meta(ge=0, le=MAX_PRICE)]
    currency: Currency


class PackageTerms(Struct, frozen=True, forbid_unknown_fields=True):
    """What one's customers pay for a seat and month, at most once in each currency, and how many
    days before the end of a term they are reminded. In force for quotes made from then on."""

    prices: Annotated[list[Price], Meta(max_length=200)]
    reminder_days: Annotated[
        list[Annotated[int, Meta(ge=1, le=MAX_REMINDER_DAYS)]], Meta(max_length=10)
    ]


class PackageView(Struct, frozen=True):
    """What an account has. `required`: its seller demands an active package. `members` have taken
    so many of the `seats`. The term goes from `since` until `until`, `months` months; all of these
    are null in the state `none`. `price` is what a seat and month costs it now; null where the
    seller has no price in the account's currency, and where nobody sells."""

    account_id: int
    account: str
    name: str
    required: bool
    state: PackageState
    seats: int | None
    members: int
    since: datetime | None
    months: int | None
    until: datetime | None
    price: Price | None


class PackageFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`account_id`: of these accounts only. `cursor` is the `next` of the page before."""

    account_id: Annotated[list[Id], Meta(max_length=500)] | None = None
    state: PackageState | None = None
    required: bool | None = None
    limit: Limit = 50
    cursor: Id | None = None


class PackageChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a customer may use the switchboard with an active package only."""

    required: bool


class NewQuote(Struct, frozen=True, forbid_unknown_fields=True):
    """What to buy. `activate` needs `seats` and `months`; `extra_seats` needs `seats`, whose term
    is that of the package; `renew` needs `months`, and its `seats` follow: all in term, those of
    the members afterwards (at least 1). Any other number is refused."""

    purchase: Purchase
    seats: Seats | None = None
    months: Months | None = None


class QuoteLine(Struct, frozen=True):
    """`seats` for `months`, or for `days` of a month that has `of_days`; each at `price` a month.
    Only a part of a month is rounded: half a unit upwards."""

    seats: int
    price: int
    months: int
    days: int
    of_days: int
    amount: int


class QuoteView(Struct, frozen=True):
    """A price that holds until `expires_at`, for the package as it is. Amounts are whole minor
    units of `currency`; `amount` is the sum of the lines. `until` is when the term ends if it is
    paid now. Once paid it is the order: `transaction_id` is in the ledger (null if it was free)."""

    id: int
    state: Literal["open", "expired", "paid"]
    purchase: Purchase
    seats: int
    months: int
    price: int
    currency: str
    lines: list[QuoteLine]
    amount: int
    until: datetime
    created_at: datetime
    created_by: str
    expires_at: datetime
    paid_at: datetime | None
    paid_by: str | None
    transaction_id: int | None


class QuoteFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """The newest first. `paid` alone: the orders. `cursor` is the `next` of the page before."""

    paid: bool | None = None
    limit: Limit = 50
    cursor: Id | None = None


class PaidQuote(Struct, frozen=True):
    """The quote, and the package that it made."""

    quote: QuoteView
    package: PackageView


class NewSeat(Struct, frozen=True, forbid_unknown_fields=True):
    """The user who takes it."""

    user_id: Id


class SeatView(Struct, frozen=True):
    """A taken seat. The member's `extension` may call outside while the user is `active`."""

    user_id: int
    login: str
    name: str
    extension: str | None
    active: bool
    added_at: datetime
    added_by: str


class SeatFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """By user. `cursor` is the `next` of the page before."""

    limit: Limit = 50
    cursor: Id | None = None
