"""What the API takes and says of numbers for sale and numbers that one has."""

from datetime import date, datetime
from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, field

from callctl.core.numbers.kinds import Capability, NumberType
from callctl.core.numbers.states import NumberState

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Price = Annotated[int, Meta(ge=0, le=10**12)]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$")]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Number = Annotated[str, Meta(min_length=3, max_length=32)]
Area = Annotated[str, Meta(min_length=1, max_length=100)]
Pattern = Annotated[str, Meta(min_length=1, max_length=32)]
Cursor = Annotated[str, Meta(pattern=r"^\+[0-9]{1,15}$")]
Target = Annotated[str, Meta(pattern="^(extension|hunt_group):.{1,80}$")]
Limit = Annotated[int, Meta(ge=1, le=500)]


class PriceView(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` is in the currency's smallest unit."""

    amount: Price
    currency: Currency


# For sale


class OfferFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`area` is an area code, or the beginning of an area's name. `pattern`: digits anywhere in the
    number, or with ``*`` and ``?``, as ``*7777``. `provider`: of a provider, not of the stock."""

    country: Country | None = None
    area: Area | None = None
    type: NumberType | None = None
    capability: Capability | None = None
    pattern: Pattern | None = None
    provider: Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$")] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class OfferItem(Struct, frozen=True):
    """A number that can be had. `first` is what buying it today costs in all; `days` of the month
    are left. `provider` is null for the seller's own stock. `own`: of the account's own stock, for
    which it pays nobody."""

    number: str
    country: str
    area_code: str
    area: str
    type: NumberType
    capabilities: list[str]
    setup: PriceView
    monthly: PriceView
    first: PriceView
    days: int
    provider: str | None
    own: bool


class NewHold(Struct, frozen=True, forbid_unknown_fields=True):
    """Set a number aside; it is free again after `minutes` by itself."""

    number: Number
    minutes: Annotated[int, Meta(ge=1, le=60)] = 10
    provider: Annotated[str, Meta(pattern="^[a-z0-9-]{1,40}$")] | None = None


class HoldItem(Struct, frozen=True):
    """A number that is set aside; `offer` is what it would cost now."""

    id: int
    number: str
    until: datetime
    offer: OfferItem


# One's own


class NewNumber(Struct, frozen=True, forbid_unknown_fields=True):
    """Buy `number`, and let its calls go `to`, as ``extension:101`` or ``hunt_group:sales``."""

    number: Number
    to: Target
    label: Annotated[str, Meta(max_length=80)] = ""


class NumberFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Limit = 50
    cursor: Cursor | None = None


class NumberItem(Struct, frozen=True):
    """A number that the account has. `test` says why a test failed, or what a live one showed.

    `proven_by` is ``test`` or ``call``: what rang first. `default`: shown by calls to the outside
    that no other rule gives a number. `unpaid_since` and `cut_at`: its month could not be paid, and
    then it goes.
    """

    id: int
    number: str
    state: NumberState
    country: str
    area_code: str
    area: str
    type: NumberType
    capabilities: list[str]
    setup: PriceView
    monthly: PriceView
    since: datetime
    paid_month: date
    unpaid_since: datetime | None
    cut_at: datetime | None
    test: str
    tested_at: datetime | None
    proven_at: datetime | None
    proven_by: str | None
    default: bool


class NumberChange(Struct, frozen=True, forbid_unknown_fields=True):
    """`default`: make it the account's default number; false: the account has none any more."""

    default: bool


# The seller's stock


class NewBlock(Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers from `first` to `last` (only `first` if left out), all alike.

    `type` is told by the number itself if left out. `account_id`: whose stock, one's own or that of
    a reseller below.
    """

    first: Number
    setup: PriceView
    monthly: PriceView
    last: Number | None = None
    area: Annotated[str, Meta(max_length=100)] = ""
    type: NumberType | None = None
    capabilities: Annotated[list[Capability], Meta(min_length=1, max_length=3)] = field(
        default_factory=lambda: [Capability.VOICE]
    )
    account_id: Id | None = None
    dry_run: bool = False


class BlockOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`account_id`: whose stock. `dry_run`: only say what would be."""

    account_id: Id | None = None
    dry_run: bool = False


class BlockReport(Struct, frozen=True):
    """How many numbers were loaded or, with `dry_run`, would be."""

    dry_run: bool
    loaded: int


class LineError(Struct, frozen=True):
    """`line` is the row's place in the file, the heading being 1; in a block, the number's."""

    line: int
    column: str | None
    message: str


class StockFilters(Struct, frozen=True, forbid_unknown_fields=True):
    state: NumberState | None = None
    country: Country | None = None
    pattern: Pattern | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class StockItem(Struct, frozen=True):
    """A number of the stock. `account_id` is whose it is, or for whom it is held until `until`."""

    id: int
    number: str
    state: NumberState
    until: datetime | None
    account_id: int | None
    country: str
    area_code: str
    area: str
    type: NumberType
    capabilities: list[str]
    setup: PriceView
    monthly: PriceView
    provider: str | None


class StockChange(Struct, frozen=True, forbid_unknown_fields=True):
    """New prices are for whoever buys it next. `for_sale` false takes it from sale."""

    setup: PriceView | UnsetType = UNSET
    monthly: PriceView | UnsetType = UNSET
    for_sale: bool | UnsetType = UNSET
