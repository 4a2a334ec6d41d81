"""Currencies and amounts: whole minor units, never fractions of them.

The codes are ISO 4217's, without funds and metals, and ``COIN``: a unit of one's own without parts.
"""

import re

COIN = "COIN"

MAX_AMOUNT = 10**13
"""The largest amount of one posting, in minor units."""

MAX_BALANCE = 2**53 - 1
"""What a book may hold, either way: the largest integer that every reader of JSON keeps."""

_NO_PARTS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THOUSANDTHS = "BHD IQD JOD KWD LYD OMR TND"
_HUNDREDTHS = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG
HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU
MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR
SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED
VES WST XCD XCG YER ZAR ZMW ZWG
"""

EXPONENTS: dict[str, int] = {
    COIN: 0,
    **dict.fromkeys(_NO_PARTS.split(), 0),
    **dict.fromkeys(_HUNDREDTHS.split(), 2),
    **dict.fromkeys(_THOUSANDTHS.split(), 3),
}
"""Currency to the number of digits behind its decimal point."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]+))?", re.ASCII)


def exponent_of(currency: str) -> int:
    """Raises ValueError for what is no currency here."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise ValueError(f"{currency!r} is no currency; write EUR, or COIN") from None


def parse_amount(text: str, currency: str) -> int:
    """``12.5`` as 1250 minor units of EUR. Zero is an amount, a sign makes none.

    Raises ValueError for anything but plain digits with a point, for more decimals than the
    currency has (``0.001`` EUR is not rounded), and for more than `MAX_AMOUNT`.
    """
    exponent = exponent_of(currency)
    match = _AMOUNT.fullmatch(text)
    if match is None:
        raise ValueError("is no amount; write digits, with a point before the decimals")
    whole, decimals = match[1], match[2] or ""
    if len(decimals) > exponent:
        raise ValueError(f"has more than the {exponent} decimals of {currency}")
    minor = int(whole + decimals.ljust(exponent, "0"))
    if minor > MAX_AMOUNT:
        raise ValueError(f"is more than {format_amount(MAX_AMOUNT, currency)} {currency}")
    return minor


def format_amount(minor: int, currency: str) -> str:
    """1250 minor units of EUR as ``12.50``; `parse_amount` reads it back."""
    exponent = exponent_of(currency)
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    sign = "-" if minor < 0 else ""
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"
