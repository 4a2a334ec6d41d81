"""Words of the trade with numbers and money."""

from callctl.console.trade_words import CAPABILITIES, ENTRIES, NUMBER_TYPES, capabilities, entry
from callctl.core.money.postings import TRANSACTION_KINDS
from callctl.core.numbers.kinds import Capability, NumberType


def test_whatever_is_sold_and_booked_has_its_word() -> None:
    assert set(NUMBER_TYPES) == set(NumberType)
    assert set(CAPABILITIES) == set(Capability)
    assert set(ENTRIES) == set(TRANSACTION_KINDS)


def test_a_word_of_a_newer_version_is_said_by_its_own_name() -> None:
    assert capabilities(["voice", "of_tomorrow"]) == "calls, of tomorrow"
    assert entry("top_up") == "topped up"
