"""What the API takes and says of accounts."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Name = Annotated[str, Meta(max_length=100)]
Code = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,39}$")]
Zone = Annotated[str, Meta(max_length=64)]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$")]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$")]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$")]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class AccountItem(Struct, frozen=True):
    """`parent_id` is null for the operator, and for the account of whoever asks."""

    id: int
    parent_id: int | None
    code: str
    name: str
    kind: str
    timezone: str
    country: str
    currency: str
    created_at: datetime


class FirstAdministrator(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to invite to run the account."""

    name: Name = ""
    email: Email | None = None


class NewAccount(Struct, frozen=True, forbid_unknown_fields=True):
    """An account below `parent_id` (one's own if left out). `timezone` is an IANA name, `currency`
    a code of ISO 4217 or COIN, the parent's if left out."""

    code: Code
    name: Name
    kind: Literal["reseller", "enterprise"]
    parent_id: Id | None = None
    timezone: Zone = "UTC"
    country: Country = "US"
    currency: Currency | None = None
    administrator: FirstAdministrator = FirstAdministrator()


class CreatedAccount(Struct, frozen=True):
    """The account, and the invitation of its first administrator: shown this once."""

    account: AccountItem
    secret: str
    link: str
    expires_at: datetime


class IssuedInvitation(Struct, frozen=True):
    """Shown this once."""

    secret: str
    link: str
    expires_at: datetime


class AccountChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is. The currency stays once there was money in the wallet;
    it is all that an operator changes of its own account."""

    name: Name | UnsetType = UNSET
    timezone: Zone | UnsetType = UNSET
    country: Country | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET


class AccountFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`q`: any part of the code or name. `cursor` is the `next` of the page before."""

    q: Annotated[str, Meta(max_length=100)] | None = None
    parent_id: Id | None = None
    kind: Literal["operator", "reseller", "enterprise"] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=40)] | None = None
