"""A wanted number: what may become of the wish (004-13). Asking costs nothing."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

ANSWER_DAYS = 3
"""A seller should have answered by then."""


class RequestState(StrEnum):
    REQUESTED = "requested"
    OFFERED = "offered"
    DECLINED = "declined"
    FULFILLED = "fulfilled"
    WITHDRAWN = "withdrawn"


class RequestEvent(StrEnum):
    """`LAPSE`: the offer's deadline passed; the seller may offer another number then."""

    OFFER = "offer"
    DECLINE = "decline"
    ACCEPT = "accept"
    WITHDRAW = "withdraw"
    LAPSE = "lapse"


_S, _E = RequestState, RequestEvent

REQUEST_TRANSITIONS: Mapping[tuple[RequestState, RequestEvent], RequestState] = MappingProxyType(
    {
        (_S.REQUESTED, _E.OFFER): _S.OFFERED,
        (_S.REQUESTED, _E.DECLINE): _S.DECLINED,
        (_S.REQUESTED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.OFFERED, _E.ACCEPT): _S.FULFILLED,
        (_S.OFFERED, _E.DECLINE): _S.DECLINED,
        (_S.OFFERED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.OFFERED, _E.LAPSE): _S.REQUESTED,
    }
)


def next_request_state(state: RequestState, event: RequestEvent) -> RequestState | None:
    """None = `event` cannot happen to a request in `state`."""
    return REQUEST_TRANSITIONS.get((state, event))


def request_state_at(
    state: RequestState, offer_until: datetime | None, now: datetime
) -> RequestState:
    """An offer whose deadline has passed is none any more."""
    if state is RequestState.OFFERED and offer_until is not None and offer_until <= now:
        return REQUEST_TRANSITIONS[state, RequestEvent.LAPSE]
    return state
