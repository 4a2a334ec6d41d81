"""What may be done to a call that goes on, and to whom."""

import pytest

from callctl.core.calls.interventions import ENDING, SUPERVISION, InterventionKind
from callctl.core.calls.ongoing import OngoingCall, OngoingChannel

CHANNELS = (
    OngoingChannel("PJSIP/101-00000001", "101", talking=True),
    OngoingChannel("PJSIP/trunk-00000002", None, talking=True),
    OngoingChannel("PJSIP/102-00000003", "102", talking=False),
)


@pytest.mark.parametrize("kind", InterventionKind)
def test_whoever_sees_all_may_do_all_to_an_ordinary_call(kind: InterventionKind) -> None:
    assert OngoingCall("a-1.1", CHANNELS, None).why_not(kind) is None


@pytest.mark.parametrize("seen", [None, ("101",)])
def test_nobody_ends_or_transfers_a_call_for_help(seen: tuple[str, ...] | None) -> None:
    call = OngoingCall("a-1.1", CHANNELS, seen, emergency=True)
    refused = {kind for kind in InterventionKind if call.why_not(kind)}
    assert refused == ENDING
    assert not refused & SUPERVISION


def test_to_have_rung_gives_no_right_to_end_it() -> None:
    call = OngoingCall("a-1.1", CHANNELS, ("102",))
    assert call.why_not(InterventionKind.HANG_UP)
    assert call.why_not(InterventionKind.TRANSFER) is None, "asked for by its own rule"
