"""Amounts as people write them: as the page prints them in their language, or in plain digits."""

import re

from babel import Locale, numbers

from callctl.console import words
from callctl.console.language import gettext as _
from callctl.console.language import spoken
from callctl.core.money.currencies import MAX_AMOUNT, exponent_of, format_amount, parse_amount

_DIGITS = r"0|[1-9][0-9]*"
_PLAIN = re.compile(rf"({_DIGITS})(?:\.([0-9]+))?", re.ASCII)
_ONE_COMMA = re.compile(r"[0-9]+,[0-9]{3}", re.ASCII)
_SPACES = "[ \u00a0\u202f]"
"""Where a language prints one of them between groups, people type another."""


def read_amount(text: str, currency: str) -> int:
    """``1,000.50`` on an English page, ``1.000,50`` on a Vietnamese one, and ``1000.50`` on any, as
    minor units; the currency may stand behind it, as it is printed.

    Raises ValueError, in the page's language. What can be read in two ways, as ``1.500`` on a
    Vietnamese page, or ``1,500`` of a currency with thousandths, is refused: money is not guessed.
    """
    exponent = exponent_of(currency)
    written = text.removesuffix(currency).strip()
    if written[:1] in ("-", "\u2212"):
        raise ValueError(_("an amount is more than nothing"))
    readings = _readings(written, spoken().locale)
    if exponent == 0:
        readings = {one for one in readings if not one[1]} or readings
    if readings and exponent == 3 and _ONE_COMMA.fullmatch(written):
        # As a page of another language prints it, a thousandth of what it is on this one.
        readings.add((written[:-4], written[-3:]))
    if len(readings) != 1:
        raise ValueError(_expected(currency))
    ((whole, decimals),) = readings
    if _is_too_large(whole, decimals, MAX_AMOUNT // 10**exponent):
        largest = words.money(MAX_AMOUNT, currency)
        raise ValueError(_("the largest amount is {amount}").format(amount=largest))
    return parse_amount(f"{whole}.{decimals}" if decimals else whole, currency)


def _is_too_large(whole: str, decimals: str, largest: int) -> bool:
    # Of a whole page of digits no number is made.
    if len(whole) > len(str(largest)):
        return True
    return (int(whole), bool(decimals.strip("0"))) > (largest, False)


def _readings(text: str, locale: Locale) -> set[tuple[str, str]]:
    """The digits before and behind the decimal sign, of each way to read `text`."""
    printed = _printed(numbers.get_group_symbol(locale), numbers.get_decimal_symbol(locale))
    matches = [shape.fullmatch(text) for shape in (_PLAIN, printed)]
    return {(re.sub("[^0-9]", "", m[1]), m[2] or "") for m in matches if m}


def _printed(group: str, decimal: str) -> re.Pattern[str]:
    between = _SPACES if group.isspace() else re.escape(group)
    whole = rf"[1-9][0-9]{{0,2}}(?:{between}[0-9]{{3}})+|{_DIGITS}"
    return re.compile(rf"({whole})(?:{re.escape(decimal)}([0-9]+))?", re.ASCII)


def _expected(currency: str) -> str:
    """Shows both forms by an amount with all that there can be in one."""
    minor = int("1000" + "500"[: exponent_of(currency)])
    printed, plain = words.money(minor, currency), format_amount(minor, currency)
    return _("is no amount; write it as {printed} or {plain}").format(
        printed=printed.removesuffix(currency).strip(), plain=plain
    )
