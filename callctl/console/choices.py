"""What a form offers to choose from: countries, currencies, time zones."""

from functools import cache
from zoneinfo import available_timezones

from callctl.console.language import spoken
from callctl.core.money.currencies import COIN, EXPONENTS
from callctl.numbers import is_country


def countries() -> list[tuple[str, str]]:
    """Codes and names of those whose numbers are known, by their names in the page's language."""
    named = spoken().locale.territories.items()
    found = [(code, name) for code, name in named if len(code) == 2 and is_country(code)]
    return sorted(found, key=lambda one: one[1])


def currencies() -> list[tuple[str, str]]:
    """Codes, and codes with names."""
    names = spoken().locale.currencies
    codes = [COIN, *sorted(EXPONENTS.keys() - {COIN})]
    return [(code, f"{code} – {names[code]}" if code in names else code) for code in codes]


@cache
def zones() -> tuple[str, ...]:
    """Time zones that are called by a place."""
    places = (zone for zone in available_timezones() if "/" in zone)
    return tuple(sorted(zone for zone in places if not zone.startswith("Etc/")))
