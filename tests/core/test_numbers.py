"""Numbers of the outside world."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.numbers import format_number, is_country, normalise


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("06301234567", "HU", "+36301234567"),
        ("+36 30 123-4567", "HU", "+36301234567"),
        ("0036301234567", "HU", "+36301234567"),
        ("36301234567", "HU", "+36301234567"),
        ("2025550123", "US", "+12025550123"),
        ("01144 20 7946 0000", "US", "+442079460000"),
        ("101", "HU", None),
        ("112", "HU", None),
        ("911", "US", None),
        ("5550123", "US", None),
        ("anonymous", "HU", None),
        ("", "HU", None),
        ("+", "HU", None),
        ("9" * 33, "HU", None),
        ("٣٦٣٠١٢٣٤٥٦٧", "HU", None),
        ("06301234567", "ZZ", None),
        ("tel:+36301234567", "HU", None),
    ],
)
def test_normalise(text, country, expected):
    assert normalise(text, country) == expected


@given(st.text(max_size=200), st.text(max_size=3))
def test_any_text_gives_a_number_or_none(text, country):
    number = normalise(text, country)
    assert number is None or (number[0] == "+" and number[1:].isdecimal())
    assert isinstance(format_number(text, country), str)


def test_numbers_are_read_in_the_form_of_the_country():
    assert format_number("+3612345678", "HU") == "(06 1) 234 5678"
    assert format_number("+3612345678", "US") == "+36 1 234 5678"
    assert format_number("101", "HU") == "101"


def test_countries():
    assert is_country("HU")
    assert not is_country("XX")
