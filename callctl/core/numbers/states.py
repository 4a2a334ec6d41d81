"""Where a number of the stock is, and what may happen to it there: one table."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType


class NumberState(StrEnum):
    """`HELD` and `QUARANTINED` end by themselves; whose a number is, is another column."""

    AVAILABLE = "available"
    HELD = "held"
    ORDERING = "ordering"
    ASSIGNED = "assigned"
    TESTING = "testing"
    LIVE = "live"
    FAILED = "failed"
    RETURNING = "returning"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"


STATE_MEANINGS: Mapping[NumberState, str] = MappingProxyType(
    {
        NumberState.AVAILABLE: "Nobody's: it can be held and bought.",
        NumberState.HELD: "Set aside for one account until a moment; then it is available.",
        NumberState.ORDERING: "Bought and paid, and being ordered of its provider.",
        NumberState.ASSIGNED: "An account's and routed, but no call has proved yet that it rings.",
        NumberState.TESTING: "A test call is on its way.",
        NumberState.LIVE: "A call has come in on it and rung somebody.",
        NumberState.FAILED: "The last test call rang nobody; the reason stands beside it.",
        NumberState.RETURNING: "Given up, and being given back to its provider.",
        NumberState.QUARANTINED: "Given up; nobody can have it until a moment.",
        NumberState.WITHDRAWN: "Not for sale.",
    }
)

OWNED_STATES = frozenset(
    {NumberState.ORDERING, NumberState.ASSIGNED, NumberState.TESTING, NumberState.LIVE,
     NumberState.FAILED}
)  # fmt: skip
"""States in which a number has been bought and is somebody's."""


class NumberEvent(StrEnum):
    """`RANG` and `SILENT` are what a call proved; `LAPSE` is a moment that has passed."""

    HOLD = "hold"
    DROP = "drop"
    BUY = "buy"
    ORDER = "order"
    DELIVER = "deliver"
    REFUSE = "refuse"
    TEST = "test"
    RANG = "rang"
    SILENT = "silent"
    RELEASE = "release"
    RETURN = "return"
    RETURNED = "returned"
    LAPSE = "lapse"
    WITHDRAW = "withdraw"
    RESTORE = "restore"


_S, _E = NumberState, NumberEvent
_OWNED = (_S.ASSIGNED, _S.TESTING, _S.LIVE, _S.FAILED)

TRANSITIONS: Mapping[tuple[NumberState, NumberEvent], NumberState] = MappingProxyType(
    {
        (_S.AVAILABLE, _E.HOLD): _S.HELD,
        (_S.HELD, _E.DROP): _S.AVAILABLE,
        (_S.HELD, _E.LAPSE): _S.AVAILABLE,
        (_S.AVAILABLE, _E.BUY): _S.ASSIGNED,
        (_S.HELD, _E.BUY): _S.ASSIGNED,
        (_S.AVAILABLE, _E.ORDER): _S.ORDERING,
        (_S.HELD, _E.ORDER): _S.ORDERING,
        (_S.ORDERING, _E.DELIVER): _S.ASSIGNED,
        (_S.ORDERING, _E.REFUSE): _S.WITHDRAWN,
        (_S.ASSIGNED, _E.TEST): _S.TESTING,
        (_S.LIVE, _E.TEST): _S.TESTING,
        (_S.FAILED, _E.TEST): _S.TESTING,
        # Any call that rings proves as much as ours; only a test that was asked for can fail.
        **{(state, _E.RANG): _S.LIVE for state in _OWNED},
        (_S.TESTING, _E.SILENT): _S.FAILED,
        **{(state, _E.RELEASE): _S.QUARANTINED for state in _OWNED},
        **{(state, _E.RETURN): _S.RETURNING for state in _OWNED},
        (_S.RETURNING, _E.RETURNED): _S.WITHDRAWN,
        (_S.QUARANTINED, _E.LAPSE): _S.AVAILABLE,
        (_S.AVAILABLE, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.QUARANTINED, _E.WITHDRAW): _S.WITHDRAWN,
        (_S.WITHDRAWN, _E.RESTORE): _S.AVAILABLE,
    }
)


def next_state(state: NumberState, event: NumberEvent) -> NumberState | None:
    """None = `event` cannot happen to a number in `state`."""
    return TRANSITIONS.get((state, event))


def state_at(state: NumberState, until: datetime | None, now: datetime) -> NumberState:
    """What `state`, good until a moment, is `now`: holds and quarantines end by themselves."""
    if until is None or until > now:
        return state
    return next_state(state, NumberEvent.LAPSE) or state
