"""A window is never shorter than it says, and at most a bucket longer."""

from hypothesis import given
from hypothesis import strategies as st

from callctl.features.limits.windows import HOUR, Recent, Window, hour_window

START = 1_800_000_000.0
BUCKET = 300


@given(st.lists(st.floats(0, 3 * HOUR), max_size=60), st.floats(0, 3 * HOUR))
def test_window_holds_all_of_the_hour_and_nothing_older_than_a_bucket_more(moments, end):
    window = hour_window()
    moments = sorted(m for m in moments if m <= end)
    for moment in moments:
        window.add(START + moment, 1, START + moment)
    total = window.total(START + end)
    surely = sum(end - m <= HOUR for m in moments)
    perhaps = sum(end - m <= HOUR + BUCKET for m in moments)
    assert surely <= total <= perhaps


@given(st.floats(0, 2 * HOUR), st.floats(0, 4 * HOUR))
def test_span_counts_its_seconds_once(begin, length):
    now = START + begin + length
    window = Window(HOUR, 24)
    window.add_span(START + begin, now, now)
    assert abs(window.total(now) - length) <= 1
    window.add_span(START + begin, now, now, -1)
    assert window.total(now) == 0


def test_clock_set_back_loses_nothing():
    window = hour_window()
    window.add(START, 5, START)
    window.add(START - HOUR, 1, START - HOUR)
    assert window.total(START - HOUR) == 6
    assert window.total(START) == 6


def test_recent_counts_different_things_of_the_hour_only():
    recent = Recent(3)
    for number, at in (("a", 0), ("b", 10), ("a", 20)):
        recent.add(number, START + at)
    assert recent.count_with("a", START + 30) == 2
    assert recent.count_with("c", START + 30) == 3
    assert recent.count(START + HOUR + 15) == 1
    for number in "cdefg":
        recent.add(number, START + 40)
    assert recent.count(START + 40) == 3
