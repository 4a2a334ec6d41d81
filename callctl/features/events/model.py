"""What the API says of calls that go on, and the data of call events."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from callctl.core.calls.not_live import Missing
from callctl.core.event_kinds import EventKind

DirectionName = Literal["inbound", "outbound", "internal"]


class LiveCallView(Struct, frozen=True, forbid_unknown_fields=True):
    """A call that goes on. `ringing`: the extensions (or the trunk) that ring now; `talking`: the
    extensions that are joined with somebody now; `extensions`: all that had a part in it so far.
    `talk_seconds` counts until now, 0 before the answer. `cost`: what the account pays for it up to
    now, in minor units of `currency`; null for what does not go outside, and where there is no
    price: then `cost_reason` says why (docs/rates.md).
    `feature`: of what is no call to anybody, what it is: `echo`, `listen`, `whisper`, `barge`, …
    `emergency`: it has been led to an emergency number; nobody ends or transfers it from here."""

    call_id: str
    direction: DirectionName
    from_number: str | None
    from_name: str | None
    to_number: str | None
    customer_number: str | None
    extension: str | None
    did: str | None
    started_at: datetime
    answered_at: datetime | None
    answered_by: str | None
    ringing: list[str]
    talking: list[str]
    extensions: list[str]
    talk_seconds: float
    cost: int | None = None
    currency: str | None = None
    cost_reason: str | None = None
    feature: str | None = None
    emergency: bool = False


class LiveView(Struct, frozen=True, forbid_unknown_fields=True):
    """Calls of the Asterisk beside this daemon. `live` is false while callctl does not see what
    goes on; `missing` then says what it lacks, `reason` why, `since` from when on (null where it
    has not seen anything yet), and `items` are what it saw last."""

    live: bool
    reason: str | None
    at: datetime
    items: list[LiveCallView]
    missing: Missing | None = None
    since: datetime | None = None


class EventFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`kind` may be given several times. `last_event_id` counts where there is no header
    ``Last-Event-ID``; without either the stream begins now, with ``0`` at the oldest event kept."""

    kind: list[EventKind] = []
    last_event_id: Annotated[str, Meta(max_length=41, pattern=r"^\d{1,18}(-\d{1,18})?$")] | None = (
        None
    )


class EventView(Struct, frozen=True, forbid_unknown_fields=True):
    """One event, in the stream and in a webhook alike. Of events with the same `subject` the order
    holds. `data` is explained in docs/events.md."""

    id: int
    kind: str
    subject: str
    created_at: datetime
    data: dict[str, Any]
