"""The language of a page: its texts by gettext, its dates and numbers as people write them.

Texts are marked with `_` (in templates, too) where they stand; a table of words that is made at
import marks them with `N_`, and they are translated when shown. Catalogues are
``locale/LANGUAGE.po``, read as they are; `make messages` brings new texts into them.
"""

import io
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from callctl.core.texts import N_ as N_

LOCALE_DIR = Path(__file__).resolve().parent / "locale"

LANGUAGES = {
    "en": "English",
    "hu": "Magyar",
    "vi": "Tiếng Việt",
    "ko": "한국어",
    "zh": "中文",
}
"""Those that a person can choose, by their own names. What has no translation yet is English."""

_EUROPEAN_CLOCK = "HH:mm:ss"


@cache
def _translations(language: str) -> NullTranslations:
    path = LOCALE_DIR / f"{language}.po"
    if not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


@dataclass(frozen=True, slots=True)
class Language:
    """One language, with the account's zone."""

    code: str
    zone: ZoneInfo

    @property
    def texts(self) -> NullTranslations:
        return _translations(self.code)

    @property
    def locale(self) -> Locale:
        # English of the world: days before months, 24 hours.
        return Locale.parse("en_GB" if self.code == "en" else self.code)

    def day(self, instant: datetime | date) -> str:
        return dates.format_date(self._local(instant), "medium", locale=self.locale)

    def day_heading(self, instant: datetime | date) -> str:
        return dates.format_date(self._local(instant), "full", locale=self.locale)

    def short_day(self, instant: datetime | date) -> str:
        return dates.format_skeleton("MMMd", self._local(instant), locale=self.locale)

    def clock(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%H:%M:%S")

    def minute(self, instant: datetime) -> str:
        return instant.astimezone(self.zone).strftime("%H:%M")

    def moment(self, instant: datetime) -> str:
        return f"{self.day(instant)} {self.minute(instant)}"

    def ago(self, instant: datetime, now: datetime) -> str:
        """As ``5 minutes ago``."""
        text: str = dates.format_timedelta(instant - now, add_direction=True, locale=self.locale)
        return text

    def number(self, value: float) -> str:
        text: str = numbers.format_decimal(value, locale=self.locale)
        return text

    def percent(self, share: float) -> str:
        text: str = numbers.format_percent(share, "#,##0 %", locale=self.locale)
        return text

    def iso_day(self, instant: datetime) -> str:
        """For machines and addresses."""
        return instant.astimezone(self.zone).date().isoformat()

    def _local(self, instant: datetime | date) -> date:
        return instant.astimezone(self.zone) if isinstance(instant, datetime) else instant


def zone_of(name: str) -> ZoneInfo:
    """An unknown zone is UTC, and its name says so."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def choose_language(chosen: str | None, accepted: str) -> str:
    """The one chosen by hand, else the first of ``Accept-Language`` (RFC 9110, 12.5.4) we have."""
    if chosen in LANGUAGES:
        return chosen
    wanted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accepted.split(",")[:20]):
        tag, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        wanted.append((-weight, place, tag.strip().lower().partition("-")[0]))
    return next((code for _, _, code in sorted(wanted) if code in LANGUAGES), "en")


_ENGLISH = Language("en", ZoneInfo("UTC"))
_current: ContextVar[Language] = ContextVar("console_language", default=_ENGLISH)


def speak(language: Language) -> None:
    """Make it the language of the page that is being made."""
    _current.set(language)


def spoken() -> Language:
    return _current.get()


def gettext(text: str) -> str:
    return _current.get().texts.ugettext(text) if text else ""


def ngettext(one: str, many: str, count: int) -> str:
    text: str = _current.get().texts.ungettext(one, many, count)
    return text


_ = gettext
