"""A schedule's week between what people see and what the routing has."""

from callctl.console.week import bars_of, ranges_by_day, weekly_lines


def test_a_week_is_the_same_after_going_through_the_form() -> None:
    weekly = ["mon-fri 08:00-12:00", "mon-fri 13:00-17:00", "sat,sun 20:00-02:00"]
    by_day = ranges_by_day(weekly)
    assert by_day["tue"] == ["08:00-12:00", "13:00-17:00"]
    assert weekly_lines(by_day) == [
        "mon-fri 08:00-12:00", "mon-fri 13:00-17:00", "sat-sun 20:00-02:00",
    ]  # fmt: skip


def test_days_apart_stand_apart_and_a_week_may_turn_over_sunday() -> None:
    assert weekly_lines(ranges_by_day(["sun-mon 09:00-10:00"])) == ["mon,sun 09:00-10:00"]
    assert weekly_lines({"mon": ["x"], "wed": ["x"]}) == ["mon,wed x"]


def test_a_bar_ends_at_midnight_and_nonsense_has_none() -> None:
    assert bars_of(["20:00-02:00", "08:30-09:00", "x", "8-9"]) == [(20.0, 4.0), (8.5, 0.5)]
