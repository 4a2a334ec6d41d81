"""What is told of a call's attempts."""

from datetime import UTC, datetime, timedelta

import pytest

from callctl.console.story import tell_attempts
from callctl.console.words import RESULTS
from callctl.core.outcomes import AttemptResult
from callctl.features.calls.model import AttemptView

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def attempt(who: str, at: float, seconds: float, result: str) -> AttemptView:
    return AttemptView(who, None, None, START + timedelta(seconds=at), seconds, result, 0)


def test_who_came_next_is_told_with_the_reason() -> None:
    assert tell_attempts(
        [
            attempt("101", 0, 10.02, "NOANSWER"),
            attempt("102", 10.05, 3.6, "ANSWER"),
        ]
    ) == [
        "101 rang for 10 s and did not answer; that is why 102 came next.",
        "102 rang for 4 s and answered.",
    ]


def test_phones_that_rang_together_are_told_of_together() -> None:
    assert tell_attempts(
        [
            attempt("101", 0, 5, "ANSWERED_ELSEWHERE"),
            attempt("102", 0.01, 5, "ANSWER"),
        ]
    ) == ["101 rang for 5 s until another one answered; 102 rang for 5 s and answered."]


def test_what_failed_at_once_is_no_reason_for_what_may_have_been_rung_beside_it() -> None:
    """Both were rung at once, or one after the other: the record does not say which."""
    assert tell_attempts(
        [attempt("101", 0, 0, "UNAVAILABLE"), attempt("102", 0.02, 9, "CANCEL")]
    ) == ["101 could not be reached; 102 had rung for 9 s when the caller hung up."]


def test_each_trunk_that_a_number_was_tried_by_is_named() -> None:
    tried = AttemptView(None, "+36301234567", "carrier-a", START, 2, "BUSY", 17)
    assert tell_attempts([tried]) == ["+36301234567 (carrier-a) was busy."]


@pytest.mark.parametrize("result", AttemptResult)
def test_every_result_has_its_words_and_its_badge(result: AttemptResult) -> None:
    (said,) = tell_attempts([attempt("101", 0, 7, result)])
    assert said.startswith("101 ")
    assert result not in said
    assert result in RESULTS


def test_of_a_call_without_attempts_nothing_is_told() -> None:
    assert tell_attempts([]) == []
