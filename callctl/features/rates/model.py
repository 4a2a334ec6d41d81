"""What the API takes and says of tariffs. Prices are micros: millionths of the minor unit."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.money.hours import parse_hours, write_hours
from callctl.core.money.rating import Rate

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=100)]
Zone = Annotated[str, Meta(max_length=64)]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$", description="ISO 4217, or COIN")]
Prefix = Annotated[str, Meta(max_length=19, pattern=r"^(in:)?\+?[0-9]*$")]
Cursor = Annotated[str, Meta(max_length=300)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Instant = Annotated[
    datetime, Meta(tz=True, description="RFC 3339 with an offset, as 2026-11-22T08:00:00+01:00")
]


class TariffItem(Struct, frozen=True):
    """A price list. `version` is the number of the one in force, null before the first import."""

    id: int
    name: str
    currency: str
    timezone: str
    created_at: datetime
    version: int | None
    rates: int


class NewTariff(Struct, frozen=True, forbid_unknown_fields=True):
    """`timezone` (IANA): on whose clocks the hours of its rates are read."""

    name: Name
    currency: Currency
    timezone: Zone = "UTC"


class TariffChange(Struct, frozen=True, forbid_unknown_fields=True):
    """Currency and zone stay: prices would mean something else."""

    name: Name


class TariffFilters(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Limit = 50
    cursor: Cursor | None = None


class VersionItem(Struct, frozen=True):
    """A version that was applied: in force from `valid_from` until the next one is."""

    id: int
    number: int
    valid_from: datetime
    rates: int
    applied_at: datetime
    applied_by: str


class RateItem(Struct, frozen=True):
    """One rate (docs/rates.md). `price` and `connect_fee` are micros; `hours` are as
    ``mon-fri 08:00-20:00``, "" for all others; a `prefix` after ``in:`` is of the own number that
    is called."""

    prefix: str
    hours: str
    destination: str
    price: int
    unit_seconds: int
    connect_fee: int
    minimum_seconds: int
    increment_seconds: int
    free_seconds: int

    @classmethod
    def of(cls, rate: Rate) -> "RateItem":
        return cls(
            rate.prefix,
            write_hours(rate.hours),
            rate.destination,
            rate.price,
            rate.unit_seconds,
            rate.connect_fee,
            rate.minimum_seconds,
            rate.increment_seconds,
            rate.free_seconds,
        )

    def rate(self) -> Rate:
        return Rate(
            self.prefix,
            self.price,
            self.destination,
            self.unit_seconds,
            self.connect_fee,
            self.minimum_seconds,
            self.increment_seconds,
            self.free_seconds,
            parse_hours(self.hours),
        )


class RateFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`prefix`: rates whose prefix begins so. `version`: a number; left out, the latest."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    prefix: Prefix = ""
    limit: Limit = 100
    cursor: Cursor | None = None


class VersionChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """`version`: a number; left out, the latest."""

    version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class OwnRateFilters(Struct, frozen=True, forbid_unknown_fields=True):
    prefix: Prefix = ""
    limit: Limit = 100
    cursor: Cursor | None = None


# Imports


class ImportOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`missing`: what becomes of rates that are there and not in the file."""

    missing: Literal["remove", "keep"] = "remove"


class RateDifference(Struct, frozen=True):
    change: Literal["new", "changed", "gone"]
    prefix: str
    hours: str
    before: RateItem | None
    after: RateItem | None


class ImportPreview(Struct, frozen=True):
    """What applying the import with this `id` would do, and nothing else. `base` is the version
    that it was compared with, null where there was none; `next` goes on with `changes`."""

    id: int
    tariff_id: int
    base: int | None
    created_at: datetime
    created_by: str
    new: int
    changed: int
    gone: int
    same: int
    changes: list[RateDifference]
    next: str | None


class PreviewFilters(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Limit = 100
    cursor: Cursor | None = None


class ApplyImport(Struct, frozen=True, forbid_unknown_fields=True):
    """`valid_from`: not in the past; left out, at once."""

    valid_from: Instant | None = None


class LineError(Struct, frozen=True):
    """What is wrong with a line of a file. `column` null: with the line as a whole."""

    line: int
    column: str | None
    message: str


# Who pays by which


class AssignmentItem(Struct, frozen=True):
    """From `since` on, `account_id` pays its seller by `tariff_id`; with a `trunk`, whoever set it
    pays by it to that trunk's carrier. `tariff_id` null: by none."""

    id: int
    account_id: int
    account: str
    trunk: str | None
    tariff_id: int | None
    tariff: str | None
    since: datetime
    set_by: str
    set_at: datetime


class NewAssignment(Struct, frozen=True, forbid_unknown_fields=True):
    """`account_id`: the account directly below that is to pay by the tariff; with a `trunk`, the
    account (one's own or one below) that has it. `since`: not in the past; left out, at once."""

    account_id: Id
    tariff_id: Id | None
    trunk: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    since: Instant | None = None


class AssignmentFilters(Struct, frozen=True, forbid_unknown_fields=True):
    account_id: Id | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


# What would it cost


class QuoteQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """A call to `number` (as people of the account's country dial) of `seconds`, answered `at`
    (left out: now), placed by `account_id` (left out: one's own; else one below). `incoming`: a
    call that comes in on `number`, which is the account's."""

    number: Annotated[str, Meta(min_length=1, max_length=32)]
    seconds: Annotated[int, Meta(ge=0, le=86_400)] = 60
    at: Instant | None = None
    account_id: Id | None = None
    incoming: bool = False


class QuoteLine(Struct, frozen=True):
    """What one account pays. `amount` null: `reason` says why; `why` tells it in words."""

    side: Literal["price", "carrier"]
    payer_id: int
    trunk: str | None
    tariff: str | None
    version: int
    rate: RateItem | None
    talk_seconds: int
    free_seconds: int
    billed_seconds: int
    amount: int | None
    currency: str
    reason: str | None
    why: str


class QuoteView(Struct, frozen=True):
    """`lines` hold what one's own account pays, to its seller and to its carriers, and what the
    accounts directly below pay to it. None: nothing is paid for the call."""

    number: str | None
    seconds: int
    at: datetime
    lines: list[QuoteLine]
