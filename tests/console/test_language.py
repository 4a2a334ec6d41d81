"""Which language a page speaks, and that its catalogues fit the texts."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from callctl.console.language import LOCALE_DIR, Language, choose_language


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("hu", "zh", "hu"),
        ("xx", "zh", "zh"),
        (None, "de, ko;q=0.5, vi;q=0.9", "vi"),
        (None, "zh-Hant-TW,zh;q=0.9", "zh"),
        (None, "", "en"),
        (None, "de;q=nonsense,*", "en"),
    ],
)
def test_a_choice_goes_before_what_the_browser_asks_for(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert choose_language(chosen, accepted) == language


@pytest.mark.parametrize("code", ["hu", "ko", "vi", "zh"])
def test_a_translation_has_the_places_of_its_text(code: str) -> None:
    with (LOCALE_DIR / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    done = [message for message in catalogue if message.id and message.string]
    assert len(done) > 100
    for message in done:
        if isinstance(message.id, str):
            places = re.findall(r"%\(\w+\)s", message.id)
            assert sorted(re.findall(r"%\(\w+\)s", str(message.string))) == sorted(places)


def test_dates_are_written_as_people_write_them_in_the_accounts_zone() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    zone = ZoneInfo("Europe/Budapest")
    assert Language("en", zone).day(late) == "2 Mar 2026"
    assert Language("hu", zone).day_heading(late) == "2026. március 2., hétfő"
    assert Language("zh", zone).short_day(late) == "3月2日"
    assert Language("hu", zone).clock(late) == "00:30:00"
    assert Language("hu", zone).number(12345.5) == "12\xa0345,5"
