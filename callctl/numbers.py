"""Telephone numbers of the outside world, normalised to E.164: the only user of `phonenumbers`.

Everything here takes text that a stranger sent: any text gives a number or None, never an error,
and never more than `MAX_CHARS` characters of work.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import phonenumbers

from callctl.core.numbers.kinds import NumberType
from callctl.core.routing.limits import Outside, OutsideKind
from callctl.core.routing.outbound import Outgoing

MAX_CHARS = 32
"""Longer than any number with its international prefix and blanks."""

MAX_DIGITS = 15
_ALLOWED = frozenset("0123456789+ -()./")
_CACHED_NUMBERS = 16_384
"""Of each function: all numbers of a large house and its daily callers, in 5 MB (measured)."""


@lru_cache(maxsize=_CACHED_NUMBERS)
def normalise(text: str, country: str) -> str | None:
    """`text` as people of `country` (ISO 3166 alpha-2) write or dial it, in E.164, or None.

    Short codes, extensions, local numbers without their area and everything that cannot be a
    number are None. A number need not be in service, only of a possible length (R001-11).
    """
    if not text or len(text) > MAX_CHARS or not _ALLOWED.issuperset(text):
        return None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    e164: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    # Some countries' plans hold longer ones, which no other country can dial (ITU-T E.164, 6.1).
    return e164 if len(e164) <= len("+") + MAX_DIGITS else None


def read_sent(sent: str, dialled: str | None, country: str, number_format: str) -> str | None:
    """E.164 of a number as it was `sent` to a trunk (`core.routing.outbound.NUMBER_FORMATS`), or
    None. `dialled` is what the caller dialled, in E.164 where it has that form."""
    if dialled is not None and dialled[:1] == "+" and sent.lstrip("+") == dialled[1:]:
        return dialled
    if number_format == "digits" and (international := normalise(f"+{sent}", country)):
        return international
    return normalise(sent, country)


@lru_cache(maxsize=_CACHED_NUMBERS)
def format_number(e164: str, country: str = "") -> str:
    """For reading: national form within `country`, else international; other text as it is."""
    try:
        number = phonenumbers.parse(e164[:MAX_CHARS], None)
    except phonenumbers.NumberParseException:
        return e164
    own = country and phonenumbers.country_code_for_region(country) == number.country_code
    form = phonenumbers.PhoneNumberFormat
    text: str = phonenumbers.format_number(number, form.NATIONAL if own else form.INTERNATIONAL)
    return text


# What an outside number is


@lru_cache(maxsize=_CACHED_NUMBERS)
def classify(e164: str) -> Outside:
    """The country and the kind of an E.164 number, by its first digits: it need not be valid."""
    code, national = _split(e164)
    if not code:
        return Outside(e164, "", OutsideKind.UNKNOWN)
    if code in SATELLITE_CODES:
        return Outside(e164, "", OutsideKind.SATELLITE)
    country = _country_of(code, national)
    kind = OutsideKind.PREMIUM if code == _GLOBAL_PREMIUM else OutsideKind.ORDINARY
    longest, kinds = kinds_of_country(country)
    for found, pattern in kinds:
        # Digits too many at the end change nothing for a carrier.
        if pattern.fullmatch(national) or (len(national) > longest and pattern.match(national)):
            kind = found
            break
    return Outside(e164, country, kind)


def classify_outgoing(found: Outgoing, country: str) -> Outside:
    """What `found` would reach. A pattern that puts digits in front (another exchange's prefix)
    may hide the number: then both readings are tried, and one that is not at home decides."""
    if found.e164 is not None:
        return classify(found.e164)
    return classify_dialled(country, found.number, found.bare)


def classify_dialled(country: str, *texts: str) -> Outside:
    """What would be reached by a text as people of `country` dial; of several readings the first
    that is not at home."""
    readings = [e164 for text in texts if (e164 := normalise(text, country))]
    readings = readings or [e164 for text in texts if (e164 := _read_roughly(text, country))]
    known = [classify(e164) for e164 in readings]
    for outside in known:
        if outside.country != country or outside.kind is not OutsideKind.ORDINARY:
            return outside
    return known[0] if known else Outside(texts[0], "", OutsideKind.UNKNOWN)


@lru_cache(maxsize=_CACHED_NUMBERS)
def _read_roughly(text: str, country: str) -> str | None:
    """E.164 of any length: a short code is at home, and digits too many do not hide where an
    international number leads, since carriers do not mind them. Too many without a country's code
    could be anything: None."""
    if not _DIALLED.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text[:_MOST_DIGITS], country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return None
    at_home = number.country_code_source == phonenumbers.CountryCodeSource.FROM_DEFAULT_COUNTRY
    fits = phonenumbers.is_possible_number_with_reason(number)
    if at_home and fits == phonenumbers.ValidationResult.TOO_LONG:
        return None
    return f"+{number.country_code}{phonenumbers.national_significant_number(number)}"


_DIALLED = re.compile(r"\+?[0-9]+")
_MOST_DIGITS = 18
SATELLITE_CODES = frozenset({870, 881, 882, 883})
"""Inmarsat, the satellite systems, and the networks without a country (ITU-T E.164)."""
_GLOBAL_PREMIUM = 979
_WORLD = "001"
"""phonenumbers' region of a code that belongs to no country."""
_KINDS = (
    ("premium_rate", OutsideKind.PREMIUM),
    ("personal_number", OutsideKind.PERSONAL),
    ("shared_cost", OutsideKind.SHARED_COST),
)


def _split(e164: str) -> tuple[int, str]:
    """(country calling code, the rest); (0, "") if it is none. Codes are no prefix of another."""
    digits = e164.removeprefix("+")
    if e164[:1] == "+" and digits.isascii() and digits.isdecimal():
        for length in (1, 2, 3):
            code = int(digits[:length] or 0)
            if code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
                return code, digits[length:]
    return 0, ""


def _country_of(code: int, national: str) -> str:
    """Of the countries that share a code the one whose ranges it is in, else the main one."""
    countries = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[code]
    main = countries[0]
    if len(countries) > 1:
        main = next((c for c in countries if ranges_of_country(c).match(national)), main)
    return "" if main == _WORLD else str(main)


@cache
def ranges_of_country(country: str) -> re.Pattern[str]:
    """What national numbers of a country look like that shares its code with others."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if metadata is None:
        return re.compile("(?!)")
    described = (metadata.fixed_line, metadata.mobile)
    patterns = [d.national_number_pattern for d in described if d and d.national_number_pattern]
    if metadata.leading_digits:
        patterns = [metadata.leading_digits]
    return re.compile("|".join(f"(?:{p})" for p in patterns) or "(?!)")


@cache
def kinds_of_country(country: str) -> tuple[int, tuple[tuple[OutsideKind, re.Pattern[str]], ...]]:
    """Digits of the country's longest numbers, and the patterns of its special ones."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country, None) if country else None
    if metadata is None or metadata.general_desc is None:
        return _MOST_DIGITS, ()
    found = []
    for name, kind in _KINDS:
        described = getattr(metadata, name)
        if described is not None and described.national_number_pattern:
            found.append((kind, re.compile(described.national_number_pattern)))
    return max(metadata.general_desc.possible_length), tuple(found)


def is_country(code: str) -> bool:
    """Whether numbers of the country `code` (ISO 3166 alpha-2) are known."""
    return code in phonenumbers.SUPPORTED_REGIONS


# What a number for sale is


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """Of an E.164 number: its country, its area code's digits (none for many kinds), its type."""

    country: str
    area_code: str
    type: NumberType


_TYPES = {
    phonenumbers.PhoneNumberType.FIXED_LINE: NumberType.FIXED,
    phonenumbers.PhoneNumberType.MOBILE: NumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberType.FIXED_OR_MOBILE,
    phonenumbers.PhoneNumberType.TOLL_FREE: NumberType.TOLL_FREE,
    phonenumbers.PhoneNumberType.SHARED_COST: NumberType.SHARED_COST,
    phonenumbers.PhoneNumberType.PREMIUM_RATE: NumberType.PREMIUM,
    phonenumbers.PhoneNumberType.VOIP: NumberType.VOIP,
}


def facts_of(e164: str) -> NumberFacts | None:
    """None for what cannot be in service in any country."""
    try:
        number = phonenumbers.parse(e164[:MAX_CHARS], None)
    except phonenumbers.NumberParseException:
        return None
    country = phonenumbers.region_code_for_number(number)
    if country is None or country == _WORLD:
        return None
    length = phonenumbers.length_of_geographical_area_code(number)
    national = phonenumbers.national_significant_number(number)
    kind = _TYPES.get(phonenumbers.number_type(number), NumberType.OTHER)
    return NumberFacts(country, national[:length], kind)
