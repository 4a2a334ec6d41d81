"""Amounts as people write them into forms."""

import contextlib
from zoneinfo import ZoneInfo

import pytest

from callctl.console import words
from callctl.console.amounts import read_amount
from callctl.console.language import LANGUAGES, Language, speak
from callctl.core.money.currencies import MAX_AMOUNT

UTC = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def in_english() -> None:
    speak(Language("en", UTC))


def refusal(text: str, currency: str = "USD") -> str:
    with pytest.raises(ValueError, match=r"\w") as caught:
        read_amount(text, currency)
    return str(caught.value)


@pytest.mark.parametrize("code", LANGUAGES)
@pytest.mark.parametrize("currency", ["USD", "VND", "COIN", "KWD"])
@pytest.mark.parametrize("minor", [0, 7, 1_000, 19_462_80, 1_234_567_89, MAX_AMOUNT])
def test_what_a_page_prints_is_read_back(code: str, currency: str, minor: int) -> None:
    speak(Language(code, UTC))
    printed = words.money(minor, currency)
    filled_in = words.plain_amount(minor, currency)
    readable = [printed, printed.removesuffix(currency).strip(), filled_in]
    assert [read_amount(text, currency) for text in readable] == [minor] * len(readable)


@pytest.mark.parametrize(
    ("code", "text", "minor"),
    [
        ("en", "1,000.50", 1_000_50), ("en", "1000.50", 1_000_50), ("en", "1,000", 1_000_00),
        ("hu", "1 000,50", 1_000_50), ("hu", "1\u00a0000,5", 1_000_50), ("hu", "1000.50", 1_000_50),
        ("vi", "1.000,50", 1_000_50), ("vi", "1000,5", 1_000_50), ("vi", "1.5", 1_50),
    ],
)  # fmt: skip
def test_groups_and_decimals_are_those_of_the_language(code: str, text: str, minor: int) -> None:
    speak(Language(code, UTC))
    assert read_amount(text, "USD") == minor


@pytest.mark.parametrize(
    "text",
    ["", "12,5", "1,00", "1,0000", ",100", "1,000,50", "1 000", "1e3", "0x10", "\u0661", "012"],
)
def test_what_is_no_amount_is_told_how_to_write_one(text: str) -> None:
    assert refusal(text) == "is no amount; write it as 1,000.50 or 1000.50"
    assert refusal(text, "VND") == "is no amount; write it as 1,000 or 1000"


def test_what_reads_in_two_ways_is_not_guessed() -> None:
    speak(Language("vi", UTC))
    assert "1.000,50" in refusal("1.500")
    assert read_amount("1.500", "VND") == 1500
    assert "1.000,500" in refusal("1.500", "KWD")


@pytest.mark.parametrize("printed_in", LANGUAGES)
@pytest.mark.parametrize("read_in", LANGUAGES)
@pytest.mark.parametrize("currency", ["USD", "VND", "KWD"])
def test_what_one_language_prints_is_no_other_amount_in_another(
    printed_in: str, read_in: str, currency: str
) -> None:
    for minor in (1_500, 12_500, 123_456, 999_000, 1_234_567):
        speak(Language(printed_in, UTC))
        printed = (words.money(minor, currency), words.plain_amount(minor, currency))
        speak(Language(read_in, UTC))
        for text in printed:
            with contextlib.suppress(ValueError):
                assert read_amount(text, currency) == minor


def test_a_comma_before_three_digits_is_a_doubt_where_there_are_thousandths() -> None:
    for text in ("12,500", "1234,500"):
        assert "1,000.500 or 1000.500" in refusal(text, "KWD")
    assert read_amount("12,500.000", "KWD") == read_amount("12500", "KWD") == 12_500_000
    assert read_amount("1,250,000", "KWD") == 1_250_000_000
    speak(Language("hu", UTC))
    assert read_amount("12,500", "KWD") == 12_500


def test_less_than_nothing_and_too_much_are_told_apart() -> None:
    for text in ("-5", "\u22125", "-"):
        assert refusal(text) == "an amount is more than nothing"
    for text in ("9" * 20, "9" * 10_000, "100000000000.01", "100,000,000,001"):
        assert refusal(text) == "the largest amount is 100,000,000,000.00 USD"
    assert "decimals of USD" in refusal("0.001")
    assert "decimals of USD" in refusal("0." + "9" * 10_000)
