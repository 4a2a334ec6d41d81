"""What is posted: lines in books that sum to zero (R000-10 to R000-12).

A wallet is what an account has and what its ledger shows. Every other book is a contra book: the
other end of the money's way. An amount is positive where a book gains it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from callctl.core.money.currencies import MAX_AMOUNT, exponent_of


class BookKind(StrEnum):
    """WALLET: one per account. INCOME: what an account has sold. ISSUANCE: the source of money
    that an operator hands out. CLEARING: money of a payment provider."""

    WALLET = "wallet"
    INCOME = "income"
    ISSUANCE = "issuance"
    CLEARING = "clearing"


class EntryClass(StrEnum):
    """The ledger's In and Out."""

    IN = "in"
    OUT = "out"


class Source(StrEnum):
    """Whether a person did it, or the business."""

    MANUAL = "manual"
    SYSTEM = "system"


TRANSACTION_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "call": "a call was rated",
        "correction": "an earlier transaction was taken back, or a part of it",
        "issue": "an account gave funds to one directly below it",
        "number_month": "a number for a month",
        "number_setup": "a number was bought",
        "package": "a package of seats was activated or renewed",
        "seat": "seats were added to a package",
        "top_up": "money came in from outside",
        "transfer": "an account paid to the one directly above it",
    }
)
"""What a transaction was made for. A kind that is not here cannot be posted."""


@dataclass(frozen=True, slots=True, order=True)
class BookKey:
    """A book of an account; its currency is that of what is posted."""

    account_id: int
    kind: BookKind = BookKind.WALLET


@dataclass(frozen=True, slots=True)
class Line:
    """One entry to be. Lines of wallets have a class and a source, lines of contra books none.

    `corrects` is the number (`seq`) of the entry of the same wallet that this one takes back.
    """

    book: BookKey
    amount: int
    entry_class: EntryClass | None = None
    source: Source | None = None
    corrects: int | None = None

    def __post_init__(self) -> None:
        in_wallet = self.book.kind is BookKind.WALLET
        if in_wallet != (self.entry_class is not None) or in_wallet != (self.source is not None):
            raise ValueError("wallet lines have class and source, contra lines have neither")
        if not 0 < abs(self.amount) <= MAX_AMOUNT:
            raise ValueError(f"not an amount that can be posted: {self.amount}")
        if self.corrects is not None:
            if (self.entry_class, self.source) != (EntryClass.OUT, Source.SYSTEM):
                raise ValueError("a correction is of class out, source system")
        elif self.entry_class is EntryClass.IN and (
            self.source is Source.SYSTEM or self.amount < 0
        ):
            raise ValueError("In is always manual, and a gain")
        elif self.entry_class is EntryClass.OUT and self.amount > 0:
            raise ValueError("Out is a loss, but for corrections")


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to be: two lines or more, in different books, that sum to zero.

    `account_id` is the account that it is for. `reference` says what for, like ``call:12``. Of
    several with the same `once` (per account) only the first is posted. `overdraw`: wallets may
    go below zero. `uses_hold` is the hold whose money this spends; it is released with it.
    Raises ValueError for lines that do not fit.
    """

    account_id: int
    currency: str
    kind: str
    reference: str
    lines: tuple[Line, ...]
    note: str = ""
    once: str | None = None
    overdraw: bool = False
    uses_hold: int | None = None

    def __post_init__(self) -> None:
        exponent_of(self.currency)
        if self.kind not in TRANSACTION_KINDS:
            raise ValueError(f"TRANSACTION_KINDS does not say what {self.kind!r} is")
        if len(self.lines) < 2 or len({line.book for line in self.lines}) != len(self.lines):
            raise ValueError("a transaction has two lines or more, in different books")
        if sum(line.amount for line in self.lines) != 0:
            raise ValueError("the lines do not sum to zero")
        if not any(line.book == BookKey(self.account_id) for line in self.lines):
            raise ValueError("the wallet of the account that it is for has no line")

    @property
    def size(self) -> int:
        """What changes hands, in minor units."""
        return sum(line.amount for line in self.lines if line.amount > 0)

    @property
    def wallet_line(self) -> Line:
        """The line in the wallet of the account that it is for."""
        return next(line for line in self.lines if line.book == BookKey(self.account_id))
