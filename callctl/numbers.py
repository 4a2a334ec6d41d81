"""Telephone numbers of the outside world, normalised to E.164: the only user of `phonenumbers`.

Everything here takes text that a stranger sent: any text gives a number or None, never an error,
and never more than `MAX_CHARS` characters of work.
"""

from functools import lru_cache

import phonenumbers

MAX_CHARS = 32
"""Longer than any number with its international prefix and blanks."""

_ALLOWED = frozenset("0123456789+ -()./")
_CACHED_NUMBERS = 65_536


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
    return e164


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


def is_country(code: str) -> bool:
    """Whether numbers of the country `code` (ISO 3166 alpha-2) are known."""
    return code in phonenumbers.SUPPORTED_REGIONS
