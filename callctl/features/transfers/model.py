"""What the API takes and says of transfers."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.money.currencies import MAX_AMOUNT

Time = Annotated[datetime, Meta(tz=True)]
Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$")]
Note = Annotated[str, Meta(max_length=500)]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
StateName = Literal["awaiting_audit", "approved", "rejected"]


class TransferTarget(Struct, frozen=True):
    """Whom the account can pay: its direct superior."""

    id: int
    code: str
    name: str
    currency: str


class TransferTargets(Struct, frozen=True):
    """One, or none for the operator."""

    items: list[TransferTarget]


class NewTransfer(Struct, frozen=True, forbid_unknown_fields=True):
    """`target` is the id of the direct superior; `amount` in minor units of `currency`, which both
    wallets have. Both sides see the note once it is approved."""

    target: Id
    amount: Amount
    currency: Currency
    note: Note = ""


class AuditTransfer(Struct, frozen=True, forbid_unknown_fields=True):
    """The only edit that there is (R000-07)."""

    state: Literal["approved", "rejected"]
    note: Note = ""


class TransferView(Struct, frozen=True):
    """A transfer. The money is set aside while it awaits audit, paid when it is approved, and let
    go when it is rejected. `transaction_id` is that of the ledger."""

    id: int
    target: int
    amount: int
    currency: str
    state: StateName
    note: str
    created_by: str
    created_at: datetime
    audited_by: str | None
    audited_at: datetime | None
    audit_note: str
    transaction_id: int | None


class TransferFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """All that are given must fit. The period, of making, is half open: `since` belongs to it,
    `until` does not; either may be missing. `cursor` is the `next` of the page before."""

    since: Time | None = None
    until: Time | None = None
    state: StateName | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(pattern=r"^[0-9]{1,18}$")] | None = None
