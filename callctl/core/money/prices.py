"""Prices as text: decimals of a currency's main unit, to the millionth of its minor unit."""

import re

from callctl.core.money.rating import MAX_MICROS

MICRO_DIGITS = 6
_PRICE = re.compile(r"(?P<whole>[0-9]{1,18})(?:\.(?P<part>[0-9]{1,18}))?", re.ASCII)


def parse_price(text: str, exponent: int) -> int:
    """``0.0123`` of a currency with `exponent` 2 (EUR) as 1,230,000 micros.

    Raises ValueError for a sign, an exponent, blanks within, more digits than there are micros.
    """
    match = _PRICE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is no price: write 12.5")
    places = exponent + MICRO_DIGITS
    part = (match["part"] or "").rstrip("0")
    if len(part) > places:
        raise ValueError(f"more than {places} digits after the point")
    micros = int(match["whole"] + part.ljust(places, "0"))
    if micros > MAX_MICROS:
        raise ValueError(f"more than {format_price(MAX_MICROS, exponent)}")
    return micros


def format_price(micros: int, exponent: int) -> str:
    """The text that `parse_price` reads back, without zeros that say nothing."""
    places = exponent + MICRO_DIGITS
    digits = str(micros).rjust(places + 1, "0")
    part = digits[-places:].rstrip("0")
    return f"{digits[:-places]}.{part}" if part else digits[:-places]
