"""What the API says of an account's money for calls."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.money.currencies import MAX_AMOUNT

Mode = Literal["prepaid", "postpaid"]


class SpendSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`prepaid`: calls last as long as the wallet can pay. `postpaid`: the wallet may go below zero
    by `credit_limit` (minor units), null = any far."""

    mode: Mode = "prepaid"
    credit_limit: Annotated[int, Meta(ge=1, le=MAX_AMOUNT)] | None = None


class SpendView(Struct, frozen=True, forbid_unknown_fields=True):
    """An account's money for calls, in minor units of `currency`.

    `balance` is the wallet's, less what is set aside for other things than calls. `reserved` is
    what the `calls` that go on may still cost, `free` what is left for further ones; null: any
    amount.
    """

    mode: Mode
    credit_limit: int | None
    currency: str
    balance: int
    reserved: int
    free: int | None
    calls: int
