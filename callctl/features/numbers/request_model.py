"""What the API takes and says of wanted numbers (004-13)."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.numbers.kinds import NumberType
from callctl.core.numbers.requests import RequestState
from callctl.features.numbers.model import Area, Country, Id, Limit, Number, Pattern, Target

Note = Annotated[str, Meta(max_length=1000)]


class NewRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """A wish: a certain `number`, or any that fits the rest. At least one of them is given."""

    number: Number | None = None
    country: Country | None = None
    area: Area | None = None
    pattern: Pattern | None = None
    type: NumberType | None = None
    note: Note = ""


class RequestFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`side`: wishes of one's own (``own``), or of the accounts that buy here (``customers``)."""

    side: Literal["own", "customers"] | None = None
    state: RequestState | None = None
    limit: Limit = 50
    cursor: Id | None = None


class RequestItem(Struct, frozen=True):
    """`offered` is the number that is offered until `offer_until`, or was bought. `answer_by` is
    when the seller should have answered, `overdue` that it has not."""

    id: int
    account_id: int
    account: str
    state: RequestState
    number: str | None
    country: str | None
    area: str | None
    pattern: str | None
    type: NumberType | None
    note: str
    requested_by: str
    requested_at: datetime
    answer_by: datetime
    overdue: bool
    offered: str | None
    offer_until: datetime | None
    answer: str
    answered_at: datetime | None
    settled_at: datetime | None


class NewOffer(Struct, frozen=True, forbid_unknown_fields=True):
    """A number of one's stock, kept for the account so many hours."""

    number: Number
    hours: Annotated[int, Meta(ge=1, le=720)] = 72
    answer: Note = ""


class Declination(Struct, frozen=True, forbid_unknown_fields=True):
    """Why it cannot be had."""

    reason: Annotated[str, Meta(min_length=1, max_length=1000)]


class Acceptance(Struct, frozen=True, forbid_unknown_fields=True):
    """Buy what is offered, and let its calls go `to`."""

    to: Target
    label: Annotated[str, Meta(max_length=80)] = ""
