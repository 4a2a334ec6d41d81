"""Which language a page speaks, and that its catalogues fit the texts."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Message
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


_PLACES = re.compile(r"%\(\w+\)s|%.?|\{\w*\}|</?\w[^>]*>|&#?\w+;")
"""What a translation must keep: places of values, tags, characters written by name. A per cent
sign that is no place would break the page."""


def faults_of(message: Message, forms: int) -> list[str]:
    """What is wrong with a translation into a language of so many plural `forms`."""
    if isinstance(message.id, str):
        pairs = [(message.id, str(message.string))]
    else:
        # The last form is for many; what is before it is for few.
        told = list(message.string)
        pairs = [(message.id[place == forms - 1], text) for place, text in enumerate(told)]
        if any(told) and (len(told) != forms or not all(told)):
            return [f"{message.id[0]!r} lacks a plural form"]
    return [
        f"{text!r} has other places or tags than {meant!r}"
        for meant, text in pairs
        if text and sorted(_PLACES.findall(text)) != sorted(_PLACES.findall(meant))
    ]


@pytest.mark.parametrize("code", sorted(path.stem for path in LOCALE_DIR.glob("*.po")))
def test_a_catalogue_has_and_fits_every_text(code: str) -> None:
    with (LOCALE_DIR / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    messages = [message for message in catalogue if message.id]
    assert len(messages) > 1000
    faults = [fault for one in messages for fault in faults_of(one, catalogue.num_plurals)]
    assert not faults
    told = {one.id: one.string if one.pluralizable else [one.string] for one in messages}
    assert [text for text, forms in told.items() if not all(forms)] == []


@pytest.mark.parametrize(
    ("text", "translation"),
    [
        ("Call %(number)s", "%(name)s hívása"),
        ("{name}: expected {expected}", "{name}: elvárt"),
        ("<b>Now</b>", "<b>Most"),
        ("Half of it", "50 % belőle"),
        (("%(num)s day", "%(num)s days"), ("%(num)s nap", "")),
        (("%(num)s day", "%(num)s days"), ("%(num)s nap",)),
        (("%(num)s day", "%(num)s days"), ("%(num)s nap", "nap")),
    ],
)
def test_a_translation_that_breaks_its_text_is_found(
    text: str | tuple[str, str], translation: str | tuple[str, ...]
) -> None:
    broken = Message(text, translation)  # type: ignore[arg-type]
    assert len(faults_of(broken, forms=2)) == 1


def test_dates_are_written_as_people_write_them_in_the_accounts_zone() -> None:
    late = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    zone = ZoneInfo("Europe/Budapest")
    assert Language("en", zone).day(late) == "2 Mar 2026"
    assert Language("hu", zone).day_heading(late) == "2026. március 2., hétfő"
    assert Language("zh", zone).short_day(late) == "3月2日"
    assert Language("hu", zone).clock(late) == "00:30:00"
    assert Language("hu", zone).number(12345.5) == "12\xa0345,5"
