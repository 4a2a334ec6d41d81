"""What the API says of limits: usage, held calls, notices."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.routing.limits import Rule

MAX_HOURS = 24 * 366

HoldState = Literal["waiting", "approved", "refused"]
Action = Literal["warn", "hold", "block"]
Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class HoldView(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls that wait for a person, or waited.

    `extension` is empty for a number that the routing itself names. `destination`: a country
    (``GB``) or a kind (``premium``). `reason` is the sentence of the last of its `calls`.
    `for_extension` and `for_destination` say what was decided for: empty = all of the account, any.
    `until` is when the decision ends.
    """

    id: int
    state: HoldState
    extension: str
    destination: str
    reason: str
    number: str
    calls: int
    asked_at: datetime
    last_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    until: datetime | None
    for_extension: str | None
    for_destination: str | None


class NoticeView(Struct, frozen=True, forbid_unknown_fields=True):
    """A limit that was passed, within a quarter of an hour; `number` is that of the last call."""

    id: int
    action: Action
    limit: str
    extension: str
    destination: str
    reason: str
    number: str
    calls: int
    first_at: datetime
    last_at: datetime


class UsageView(Struct, frozen=True, forbid_unknown_fields=True):
    """What one limit counts now. `name`: the extension or the country, empty for the account.

    A threshold that is null is never passed.
    """

    limit: str
    name: str
    used: int
    warn: int | None
    hold: int | None
    block: int | None


def usage_of(rule: Rule, name: str, used: int) -> UsageView:
    """How much of `rule` the extension, the country or the account `name` has used."""
    threshold = rule.threshold
    return UsageView(rule.name, name, used, threshold.warn, threshold.hold, threshold.block)


class StatusView(Struct, frozen=True, forbid_unknown_fields=True):
    """`usage`: every limit of which anything is used. `calls`: calls outside that go on."""

    calls: int
    usage: list[UsageView]


class HoldFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: HoldState | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class NoticeFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    action: Action | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class Approve(Struct, frozen=True, forbid_unknown_fields=True):
    """Let such calls pass for some hours: of this extension or of the whole account, to this
    destination or to any."""

    hours: Annotated[int, Meta(ge=1, le=MAX_HOURS)] = 24
    whole_account: bool = False
    any_destination: bool = False


class Refuse(Struct, frozen=True, forbid_unknown_fields=True):
    """Keep such calls held without asking again for some hours. Ends an approval, too."""

    hours: Annotated[int, Meta(ge=1, le=MAX_HOURS)] = 24
