"""Hours of the week as text, and prices as text."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.cells import neutral, plain
from callctl.core.money.hours import DAYS, parse_hours, write_hours
from callctl.core.money.prices import format_price, parse_price
from callctl.core.money.rating import MAX_MICROS
from callctl.core.routing.model import WeeklyPeriod


def test_hours_are_read_as_they_are_written() -> None:
    text = "mon-fri 08:00-20:00, sat,sun 10:00-00:00"
    assert parse_hours(text) == (
        WeeklyPeriod((0, 1, 2, 3, 4), time(8), time(20)),
        WeeklyPeriod((5, 6), time(10), time(0)),
    )
    assert parse_hours("  FRI-MON   20:00-24:00 ") == (
        WeeklyPeriod((0, 4, 5, 6), time(20), time(0)),
    )
    assert parse_hours("") == ()


periods = st.builds(
    WeeklyPeriod,
    st.lists(st.sampled_from(range(len(DAYS))), min_size=1, unique=True).map(
        lambda days: tuple(sorted(days))
    ),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    st.builds(time, st.integers(0, 23), st.integers(0, 59)),
)


@given(st.lists(periods, max_size=3).map(tuple))
def test_hours_written_are_read_back(hours: tuple[WeeklyPeriod, ...]) -> None:
    assert parse_hours(write_hours(hours)) == hours


@pytest.mark.parametrize(
    "text",
    ["mon", "mon 8-20", "xyz 08:00-20:00", "mon 08:00-25:00", "mon,mon 08:00-20:00", "x" * 201],
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_hours(text)


@given(st.integers(0, MAX_MICROS), st.integers(0, 3))
def test_prices_written_are_read_back(micros: int, exponent: int) -> None:
    assert parse_price(format_price(micros, exponent), exponent) == micros


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1.", ".5", "1e3", "١", "0.000000001", "1_0", "nan"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_price(text, 2)


@given(st.text(max_size=20))
def test_a_cell_is_read_back_as_it_was(text: str) -> None:
    """But for one that somebody wrote with an apostrophe of his own in front of a formula."""
    if not (text[:1] == "'" and neutral(text[1:]) == text):
        assert plain(neutral(text)) == text
