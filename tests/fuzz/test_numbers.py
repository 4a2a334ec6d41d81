"""Numbers and patterns: any text gives a number or none, never an error, never much work."""

import re

from hypothesis import given
from hypothesis import strategies as st

from callctl.core.calls.text import clean_name, clean_number
from callctl.core.routing.patterns import PatternError, parse_pattern
from callctl.http.auth import Origin
from callctl.numbers import format_number, is_country, normalise
from callctl.telemetry.log import mask_number
from tests.fuzz.rounds import fuzz

countries = st.one_of(st.sampled_from(["HU", "US", "DE", "CN", "KR", "VN", "ZZ", ""]), st.text())
dialled = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+ -()./", max_size=36),
    st.from_regex(r"(\+|00|06|0)[0-9]{1,20}", fullmatch=True),
)
patterns = st.one_of(st.text(max_size=30), st.text("0123456789XZN[]-.!_*#+ ^$()|\\?", max_size=30))


@fuzz(300)
@given(dialled, countries)
def test_any_text_is_a_number_in_e164_or_none(text: str, country: str) -> None:
    number = normalise(text, country)
    if number is not None:
        assert re.fullmatch(r"\+[1-9][0-9]{1,14}", number, re.ASCII), number
    format_number(text, country)
    is_country(country)


@fuzz(300)
@given(patterns, st.text("0123456789*#+A", max_size=40))
def test_any_text_is_a_pattern_or_named_as_none(text: str, number: str) -> None:
    try:
        pattern = parse_pattern(text)
    except PatternError:
        return
    pattern.matches(number)
    assert len(pattern.rank) <= len(text)


@fuzz(300)
@given(st.text(max_size=300))
def test_any_text_of_a_caller_can_be_stored_shown_and_masked(text: str) -> None:
    for cleaned in (clean_name(text), clean_number(text), clean_number(text, keep=True)):
        if cleaned is not None:
            cleaned.encode()
            assert cleaned.isprintable() or not set(cleaned) & set("\0\r\n\x1b")
    mask_number(text)


@fuzz(200)
@given(st.text(max_size=60))
def test_any_forwarded_for_is_an_address_or_the_proxys(text: str) -> None:
    class Request:
        remote = "127.0.0.1"

        class headers:
            @staticmethod
            def getall(_name: str, _default: object) -> list[str]:
                return [text]

    found = Origin(None, ["127.0.0.0/8"]).address_of(Request())  # type: ignore[arg-type]
    assert re.fullmatch(r"[0-9a-fA-F:.%A-Za-z]+", found)
