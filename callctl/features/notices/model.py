"""What the API says of notices."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class ReviewNotice(Struct, frozen=True, forbid_unknown_fields=True):
    """A notice: raised once, acknowledged by one person. `call` is the call's id in the history,
    null while it goes on. `mails`: how many were sent, `mails_failed`: how many never will be."""

    id: int
    kind: str
    subject: str
    text: str
    data: dict[str, Any]
    call: int | None
    raised_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str | None
    mails: int
    mails_failed: int


class ReviewFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`open`: those that nobody has acknowledged yet. `cursor` is the `next` of the page before."""

    open: bool | None = None
    kind: Annotated[str, Meta(max_length=40)] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class Acknowledge(Struct, frozen=True, forbid_unknown_fields=True):
    """What whoever looked at it has to say; may be empty."""

    note: Annotated[str, Meta(max_length=2000)] = ""
