"""What the API takes and says of an account's money."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from callctl.core.money.currencies import MAX_AMOUNT

Time = Annotated[datetime, Meta(tz=True)]
Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$")]
Note = Annotated[str, Meta(max_length=500)]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
ClassName = Literal["in", "out"]
SourceName = Literal["manual", "system"]


class WalletView(Struct, frozen=True):
    """In minor units of `currency`: `held` of the balance is set aside, `available` is the rest."""

    account_id: int
    currency: str
    balance: int
    held: int
    available: int


class WalletFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`account_id`: of these accounts only. `cursor` is the `next` of the page before."""

    account_id: Annotated[list[Id], Meta(max_length=500)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Id | None = None


class LedgerEntry(Struct, frozen=True):
    """One entry of a wallet: `amount` is what it gained (negative: lost), `balance` the wallet's
    after it, both in minor units.

    `seq` counts an account's entries from 1 without a gap. `reference` says what for, as
    ``call:12``. `corrects` is the `seq` of the entry that this one takes back. `sha256` covers the
    entry and the one before it (docs/money.md).
    """

    seq: int
    posted_at: datetime
    entry_class: ClassName = field(name="class")
    source: SourceName
    kind: str
    reference: str
    note: str
    amount: int
    balance: int
    currency: str
    corrects: int | None
    author: str
    transaction_id: int
    sha256: str


class LedgerFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """All that are given must fit. The period is half open: `since` belongs to it, `until` does
    not; either may be missing.

    `class`: `in` or `out`; `source`: `manual` or `system`; `kind` as the entries have it, like
    `call`. `cursor` is the `next` of the page before.
    """

    since: Time | None = None
    until: Time | None = None
    entry_class: ClassName | None = field(name="class", default=None)
    source: SourceName | None = None
    kind: Annotated[str, Meta(max_length=40)] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(pattern=r"^[0-9]{1,18}$")] | None = None


class IssueFunds(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of `currency`, which both wallets have. Both sides see the note."""

    account_id: Id
    amount: Amount
    currency: Currency
    note: Note = ""


class TopUp(Struct, frozen=True, forbid_unknown_fields=True):
    """Money from outside, for an account or, left out, one's own. Both sides see the note."""

    amount: Amount
    currency: Currency
    account_id: Id | None = None
    note: Note = ""


class IssuedFunds(Struct, frozen=True):
    """What was credited; `wallet` is one's own after it."""

    transaction_id: int
    account_id: int
    amount: int
    currency: str
    posted_at: datetime
    wallet: WalletView
