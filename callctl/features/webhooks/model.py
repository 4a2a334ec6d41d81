"""What the API says of webhooks and deliveries."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.event_kinds import EventKind

Url = Annotated[str, Meta(min_length=1, max_length=2000)]
Kinds = Annotated[list[EventKind], Meta(min_length=1, max_length=50)]
DeliveryState = Literal["waiting", "delivered", "failed"]
Limit = Annotated[int, Meta(ge=1, le=200)]
Cursor = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Instant = Annotated[datetime, Meta(tz=True)]


class NewWebhook(Struct, frozen=True, forbid_unknown_fields=True):
    """Where events of `kinds` are to be sent: an https or http address without a password."""

    url: Url
    kinds: Kinds
    active: bool = True


class WebhookChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is given is changed. `active` true also ends a pause; what waits is sent then."""

    url: Url | None = None
    kinds: Kinds | None = None
    active: bool | None = None


class WebhookView(Struct, frozen=True, forbid_unknown_fields=True):
    """`failing_since`: no delivery arrived since. `paused_at`: when callctl itself made it
    inactive, with `paused_reason`. `old_secret_until`: so long the former secret signs, too."""

    id: int
    url: str
    kinds: list[str]
    active: bool
    created_at: datetime
    created_by: str
    failing_since: datetime | None
    paused_at: datetime | None
    paused_reason: str | None
    old_secret_until: datetime | None
    waiting: int


class WebhookSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook with its secret, which is shown this once."""

    webhook: WebhookView
    secret: str


class WebhookFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Limit = 50
    cursor: Cursor | None = None


class DeliveryView(Struct, frozen=True, forbid_unknown_fields=True):
    """One event on its way. `delivery_id` is what the receiver sees, the same in every attempt and
    every replay. `status` and `response` are the last answer's, cut short."""

    id: int
    delivery_id: str
    event_id: int
    kind: str
    subject: str
    state: DeliveryState
    replayed: bool
    attempts: int
    created_at: datetime
    next_at: datetime | None
    last_at: datetime | None
    status: int | None
    error: str | None
    response: str | None


class DeliveryFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: DeliveryState | None = None
    subject: Annotated[str, Meta(max_length=200)] | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Events to send again: those of a period [since, until), or the one of a delivery."""

    delivery: Cursor | None = None
    since: Instant | None = None
    until: Instant | None = None


class Replayed(Struct, frozen=True, forbid_unknown_fields=True):
    """How many events were put in line."""

    events: int
