"""Numbers for sale: their states, their prices, the patterns they are looked for with."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.numbers.charges import first_charge, month_due, month_of, next_month
from callctl.core.numbers.patterns import like_of_pattern
from callctl.core.numbers.requests import (
    REQUEST_TRANSITIONS,
    RequestEvent,
    RequestState,
    next_request_state,
    request_state_at,
)
from callctl.core.numbers.states import (
    OWNED_STATES,
    STATE_MEANINGS,
    TRANSITIONS,
    NumberEvent,
    NumberState,
    next_state,
    state_at,
)

DOCUMENT = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text()
NOW = datetime(2026, 7, 6, 10, tzinfo=UTC)


def test_only_a_number_that_is_free_or_held_can_be_bought() -> None:
    for event in (NumberEvent.BUY, NumberEvent.ORDER):
        sources = {state for state, e in TRANSITIONS if e is event}
        assert sources == {NumberState.AVAILABLE, NumberState.HELD}


def test_a_number_that_was_an_accounts_is_nobodys_before_it_is_another_accounts() -> None:
    for (state, _event), after in TRANSITIONS.items():
        if state in OWNED_STATES and after not in OWNED_STATES:
            assert after in {
                NumberState.QUARANTINED, NumberState.RETURNING, NumberState.WITHDRAWN
            }  # fmt: skip


def test_only_a_call_that_rang_makes_a_number_live() -> None:
    events = {event for (_, event), after in TRANSITIONS.items() if after is NumberState.LIVE}
    assert events == {NumberEvent.RANG}


def test_only_a_test_can_fail() -> None:
    assert {s for s, e in TRANSITIONS if e is NumberEvent.SILENT} == {NumberState.TESTING}


def test_every_state_is_explained_and_can_be_reached_and_left() -> None:
    assert set(STATE_MEANINGS) == set(NumberState)
    assert set(TRANSITIONS.values()) == set(NumberState)
    assert {state for state, _ in TRANSITIONS} == set(NumberState)


def test_a_hold_and_a_quarantine_end_by_themselves_and_nothing_else_does() -> None:
    ended = {s for s in NumberState if state_at(s, NOW, NOW) is not s}
    assert ended == {NumberState.HELD, NumberState.QUARANTINED}
    later = NOW + timedelta(seconds=1)
    assert all(state_at(s, later, NOW) is s for s in NumberState)
    assert next_state(NumberState.LIVE, NumberEvent.BUY) is None


def test_a_request_that_is_settled_stays_so() -> None:
    settled = {RequestState.DECLINED, RequestState.FULFILLED, RequestState.WITHDRAWN}
    assert settled.isdisjoint({state for state, _ in REQUEST_TRANSITIONS})
    assert next_request_state(RequestState.REQUESTED, RequestEvent.ACCEPT) is None


def test_an_offer_is_none_after_its_deadline() -> None:
    assert request_state_at(RequestState.OFFERED, NOW, NOW) is RequestState.REQUESTED
    later = NOW + timedelta(seconds=1)
    assert request_state_at(RequestState.OFFERED, later, NOW) is RequestState.OFFERED
    assert request_state_at(RequestState.FULFILLED, NOW, NOW) is RequestState.FULFILLED


@pytest.mark.parametrize(
    ("day", "month", "days"),
    [
        (date(2026, 7, 1), 3100, 31),
        (date(2026, 7, 31), 100, 1),
        (date(2026, 2, 15), 1550, 14),
        (date(2028, 2, 29), 107, 1),
    ],
)
def test_the_first_month_costs_by_the_days_left(day: date, month: int, days: int) -> None:
    first = first_charge(500, 3100, day)
    assert (first.setup, first.month, first.days, first.total) == (500, month, days, 500 + month)


def test_the_documents_example_is_what_is_charged() -> None:
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in DOCUMENT.splitlines()]
    rows = [row for row in cells if len(row) == 6 and row[0].isdecimal()]
    assert len(rows) == 4
    for setup, monthly, day, days, month, total in rows:
        first = first_charge(int(setup), int(monthly), date.fromisoformat(day))
        assert f"{first.days} of {first.days_of_month}" == days
        assert (first.month, first.total) == (int(month), int(total))


def test_the_document_explains_every_state_as_the_code_does() -> None:
    for state, meaning in STATE_MEANINGS.items():
        assert f"| `{state}` | {meaning} |" in DOCUMENT


@given(st.integers(0, 10**12), st.dates(date(1999, 1, 1), date(2100, 12, 31)))
def test_the_first_month_is_within_half_a_unit_of_its_share(monthly: int, day: date) -> None:
    first = first_charge(0, monthly, day)
    assert 0 <= first.month <= monthly
    share = monthly * first.days
    assert 2 * share - first.days_of_month <= 2 * first.month * first.days_of_month
    assert 2 * first.month * first.days_of_month <= 2 * share + first.days_of_month
    assert (first.month == monthly) or day.day > 1


@given(st.dates(date(1999, 1, 1), date(2100, 11, 30)), st.integers(0, 40))
def test_every_month_comes_due_once_and_in_order(bought: date, months: int) -> None:
    paid, today = month_of(bought), bought
    for _ in range(months):
        today = next_month(month_of(today))
    due = []
    while (month := month_due(paid, today)) is not None:
        due.append(month)
        paid = month
    assert len(due) == months == len(set(due))
    assert due == sorted(due)


@pytest.mark.parametrize(
    ("text", "like"),
    [
        ("7777", "%7777%"),
        ("*7777", "%7777"),
        ("+361*", "+361%"),
        ("+361??5500", "+361__5500"),
        ("36 1-23*", "+36123%"),
    ],
)
def test_a_pattern_finds_what_it_says(text: str, like: str) -> None:
    assert like_of_pattern(text) == like


@pytest.mark.parametrize("text", ["", "%", "_", "7_7", "a", "++36", "7+7", "٣٣", "*" * 22, "7;7"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write digits"):
        like_of_pattern(text)
