"""The one table of what an attempt's end means, row by row."""

import itertools

import pytest

from callctl.core.outcomes import CALLEE_CAUSES, AttemptResult, Next, classify_attempt

R = AttemptResult
GO, SKIP, DONE = Next.NEXT_STEP, Next.SKIP_TRUNKS, Next.DONE

# DIALSTATUS, cause, rang -> result, what follows for an extension, what follows for a trunk.
ROWS = [
    ("ANSWER", 16, True, R.ANSWER, DONE, DONE),
    ("CANCEL", 0, True, R.CANCEL, DONE, DONE),
    ("NOANSWER", 0, True, R.NOANSWER, GO, SKIP),
    ("NOANSWER", 19, True, R.NOANSWER, GO, SKIP),
    ("NOANSWER", 0, False, R.NOANSWER, GO, GO),  # never rang: the route's failure
    ("NOANSWER", 21, False, R.NOANSWER, GO, GO),  # the cause of an earlier attempt sticks
    ("BUSY", 17, True, R.BUSY, GO, SKIP),
    ("BUSY", 17, False, R.BUSY, GO, SKIP),
    ("CHANUNAVAIL", 21, True, R.REJECTED, GO, SKIP),  # 603
    ("CHANUNAVAIL", 1, False, R.UNAVAILABLE, GO, SKIP),  # 404: the callee's number is none
    ("CHANUNAVAIL", 18, False, R.UNAVAILABLE, GO, SKIP),  # 408
    ("CHANUNAVAIL", 20, False, R.UNAVAILABLE, GO, GO),  # unregistered
    ("CHANUNAVAIL", 58, False, R.UNAVAILABLE, GO, GO),  # 488
    ("CHANUNAVAIL", 38, False, R.UNAVAILABLE, GO, GO),  # 500
    ("CONGESTION", 34, False, R.UNAVAILABLE, GO, GO),  # 503
    ("CONGESTION", 21, True, R.REJECTED, GO, SKIP),
    ("", 0, False, R.UNAVAILABLE, GO, GO),  # Dial to an unknown endpoint says nothing
    ("INVALIDARGS", 0, False, R.UNAVAILABLE, GO, GO),
]


@pytest.mark.parametrize(("status", "cause", "rang", "result", "extension", "trunk"), ROWS)
def test_row(status: str, cause: int, rang: bool, result: R, extension: Next, trunk: Next) -> None:
    by_phone = classify_attempt(status, cause, by_trunk=False, rang=rang)
    by_trunk = classify_attempt(status, cause, by_trunk=True, rang=rang)
    assert (by_phone.result, by_phone.next) == (result, extension)
    assert (by_trunk.result, by_trunk.next) == (result, trunk)


def test_an_extension_never_stops_the_hunt_but_by_answer_or_a_caller_who_left() -> None:
    statuses = ["ANSWER", "CANCEL", "NOANSWER", "BUSY", "CONGESTION", "CHANUNAVAIL", "", "X"]
    for status, cause, rang in itertools.product(statuses, range(128), (False, True)):
        verdict = classify_attempt(status, cause, by_trunk=False, rang=rang)
        assert (verdict.next is DONE) == (status in ("ANSWER", "CANCEL"))
        assert verdict.next is not SKIP


def test_the_callees_causes_are_those_of_a_person_not_of_a_road() -> None:
    assert {1, 17, 21} <= CALLEE_CAUSES
    assert not {3, 20, 27, 34, 38, 41, 58} & CALLEE_CAUSES
