"""Number patterns: what they match, which one wins, what is none."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.routing.model import DialPattern
from callctl.core.routing.patterns import PatternError, apply_pattern, parse_pattern


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("112", ["112"], ["1122", "11", ""]),
        ("_0X.", ["0612", "0012345"], ["06", "1612", "0"]),
        ("+36[237]0XXXXXXX", ["+36301234567"], ["+36401234567", "+363012345678"]),
        ("NXX", ["200", "999"], ["100", "2000"]),
        ("ZX", ["10"], ["00"]),
        ("06!", ["06", "061"], ["05"]),
        ("*8[12*]", ["*81", "*8*"], ["*83"]),
        ("+3690-1 .", ["+369012"], ["+36901", "+3690-12"]),
        ("+.", ["+1"], ["+", "1"]),
        ("[1-3]X", ["10", "39"], ["40"]),
    ],
)
def test_matches(pattern, yes, no):
    parsed = parse_pattern(pattern)
    assert [n for n in yes if not parsed.matches(n)] == []
    assert [n for n in no if parsed.matches(n)] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "_",
        "a",
        "1.2",
        "!1",
        "[12",
        "[]",
        "[3-1]",
        "[a-z]",
        "${SHELL(id)}",
        "1\n2",
        "1" * 81,
        "٣",
    ],
)
def test_what_is_no_pattern_is_refused(text):
    with pytest.raises(PatternError):
        parse_pattern(text)


def test_the_more_specific_pattern_ranks_before_the_general_one():
    ordered = ["0630", "0630.", "0630!", "06[23]0.", "06N0.", "06Z0.", "06X0.", "06.", "0!", "X."]
    ranks = [parse_pattern(text).rank for text in ordered]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_strip_and_prepend():
    assert apply_pattern(DialPattern("9.", 1, "+36"), "9301") == "+36301"
    assert apply_pattern(DialPattern("9.", 30), "9301") == ""


@given(st.text(max_size=100))
def test_any_text_is_a_pattern_or_a_pattern_error(text):
    with suppress(PatternError):
        assert parse_pattern(text).matches(text) in (True, False)
