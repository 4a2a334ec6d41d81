"""What the console's pages need of the services behind them."""

from typing import Protocol

from callctl.core.author import Author
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary
from callctl.features.limits.model import (
    Approve,
    HoldFilters,
    HoldView,
    NoticeFilters,
    NoticeView,
    Refuse,
)
from callctl.features.originate.model import PlaceCall, PlacedCall
from callctl.features.people.model import AcceptedInvitation, AcceptInvitation
from callctl.http.endpoint import Actor, Page


class CallHistory(Protocol):
    """The calls' service."""

    @property
    def db(self) -> Database: ...

    async def list_calls(self, scope: CallScope, filters: CallFilters, /) -> Page[CallSummary]: ...

    async def get_call(self, scope: CallScope, call: int, /) -> CallDetail: ...


class PlacesCalls(Protocol):
    """The service that places calls."""

    async def place(self, actor: Actor, order: PlaceCall, key: str | None, /) -> PlacedCall: ...


class HeldCalls(Protocol):
    """The limits' service."""

    async def list_holds(self, scope: CallScope, filters: HoldFilters, /) -> Page[HoldView]: ...

    async def list_notices(
        self, scope: CallScope, filters: NoticeFilters, /
    ) -> Page[NoticeView]: ...

    async def approve(
        self, scope: CallScope, hold: int, body: Approve, who: Author, /
    ) -> HoldView: ...

    async def refuse(
        self, scope: CallScope, hold: int, body: Refuse, who: Author, /
    ) -> HoldView: ...


class Invitations(Protocol):
    """The invitations' service."""

    async def accept(self, order: AcceptInvitation, /) -> AcceptedInvitation: ...
