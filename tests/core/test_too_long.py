"""The most specific threshold decides; signatures and waits before the next try."""

import pytest

from callctl.core.calls.too_long import Passed, Talk, Threshold, find_limit, find_threshold
from callctl.core.retries import FIRST_SECONDS, MOST_SECONDS, next_wait
from callctl.core.routing.plan import Direction
from callctl.core.signature import sign, verify

ANY = Threshold(1000)
OUTBOUND = Threshold(900, direction=Direction.OUTBOUND)
HUNGARY = Threshold(800, prefix="+36")
PREMIUM = Threshold(60, prefix="+3690")
SALES = Threshold(700, group="sales")
DESK = Threshold(3600, extension="201")
DESK_OUT = Threshold(1800, extension="201", direction=Direction.OUTBOUND)
ALL = (ANY, OUTBOUND, HUNGARY, PREMIUM, SALES, DESK, DESK_OUT)


@pytest.mark.parametrize(
    ("direction", "to_number", "extensions", "groups", "expected"),
    [
        (Direction.INTERNAL, "202", ("203",), (), ANY),
        (Direction.OUTBOUND, "+4930123", ("203",), (), OUTBOUND),
        (Direction.OUTBOUND, "+36201234567", ("203",), (), HUNGARY),
        (Direction.OUTBOUND, "+3690123456", ("203",), (), PREMIUM),
        (Direction.OUTBOUND, "+3690123456", ("203",), ("sales",), SALES),
        (Direction.OUTBOUND, "+3690123456", ("201",), ("sales",), DESK_OUT),
        (Direction.INBOUND, "+3617000001", ("203", "201"), ("sales",), DESK),
        (Direction.INBOUND, None, (), (), ANY),
    ],
)
def test_the_most_specific_threshold_decides(
    direction: Direction,
    to_number: str | None,
    extensions: tuple[str, ...],
    groups: tuple[str, ...],
    expected: Threshold,
) -> None:
    talk = Talk(direction, to_number, extensions, groups)
    assert find_threshold(ALL, talk) is expected
    assert find_threshold(reversed(ALL), talk) is expected


def test_a_price_counts_in_the_seconds_that_it_comes_to() -> None:
    talk = Talk(Direction.OUTBOUND, "+36201234567", (), ())
    dear, free = (lambda money: money // 10), (lambda money: None)
    rule = Threshold(100, cost=500, hang_up=True)
    assert find_limit([rule], talk, dear) == Passed(50, 500, True)
    assert find_limit([rule], talk, free) == Passed(100, None, True)
    assert find_limit([Threshold(None, cost=5000)], talk, dear) == Passed(500, 5000, False)
    assert find_limit([Threshold(None, cost=5000)], talk, free) is None
    # The more specific one decides, dear or not.
    assert find_limit([rule, HUNGARY], talk, dear) == Passed(800, None, False)


def test_of_equals_the_shorter_time_counts_and_without_a_fitting_one_none_does() -> None:
    talk = Talk(Direction.INTERNAL, "202", (), ())
    assert find_threshold((Threshold(5), Threshold(3)), talk) == Threshold(3)
    assert find_threshold((OUTBOUND, DESK, SALES, HUNGARY), talk) is None


BODY = b'{"id":1}'


def test_a_signature_is_good_for_its_secret_body_and_time_only() -> None:
    header = sign(["old", "new"], 1_000, BODY)
    assert verify("new", "1000", header, BODY, 1_010)
    assert verify("old", "1000", header, BODY, 990)
    assert not verify("other", "1000", header, BODY, 1_000)
    assert not verify("new", "1000", header, BODY + b" ", 1_000)
    assert not verify("new", "1001", header, BODY, 1_000)
    assert not verify("new", "1000", header, BODY, 1_301)


@pytest.mark.parametrize("text", ["", "x", "-1", "1" * 40, "\u0661", "1000,1000"])
def test_any_text_is_answered(text: str) -> None:
    assert not verify("new", text, "v1=\udcff", BODY, 1_000)
    assert not verify("new", "1000", text, BODY, 1_000)


def test_waits_grow_to_an_hour_and_chance_only_shortens_them() -> None:
    longest = [next_wait(n, 0.0) for n in range(1, 30)]
    assert longest[:3] == [FIRST_SECONDS, 2 * FIRST_SECONDS, 4 * FIRST_SECONDS]
    assert longest[-1] == MOST_SECONDS
    assert all(next_wait(n, 1.0) == long / 2 for n, long in enumerate(longest, 1))
