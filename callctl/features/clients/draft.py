"""A client as it is to be written, and what its fields may hold: checked here, for JSON and CSV."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from callctl.core.errors import CallctlError
from callctl.features.clients.model import MAX_NUMBERS, NumberInput
from callctl.numbers import normalise

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the writing's direction, so that a text looks like another one."""
_CONTROL = frozenset(("Cc", "Cs", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class Draft:
    """All that people write of a client. `numbers`: E.164 → label, in their order."""

    name: str
    kind: str = "person"
    type_id: int | None = None
    service_level: str = ""
    nature: str = ""
    address: str = ""
    email: str = ""
    owner_id: int | None = None
    notes: str = ""
    numbers: Mapping[str, str] = field(default_factory=dict)


def clean_line(text: str, where: str, forbidden: str = "") -> str:
    """One line without blanks around it. Raises CallctlError("invalid_field") for control
    characters and for those of `forbidden`."""
    text = text.strip(" \u3000\u00a0")
    for c in text:
        if unicodedata.category(c) in _CONTROL or c in _TURNING:
            raise CallctlError(
                "invalid_field", f"holds the control character U+{ord(c):04X}", where
            )
        if c in forbidden:
            raise CallctlError("invalid_field", f"may not hold {c}", where)
    return text


def clean_name(text: str, where: str, forbidden: str = "") -> str:
    """As `clean_line`, and not empty."""
    text = clean_line(text, where, forbidden)
    if not text:
        raise CallctlError("invalid_field", "is empty", where)
    return text


def clean_text(text: str, where: str) -> str:
    """Lines of text, parted by \\n. Raises as `clean_line`."""
    lines = text.replace("\r\n", "\n").replace("\t", " ").split("\n")
    return "\n".join(clean_line(line, where) for line in lines).strip()


def clean_email(text: str, where: str) -> str:
    """An address, or nothing: whether it is somebody's, only a letter would tell."""
    text = clean_line(text, where)
    local, at, domain = text.rpartition("@")
    if text and not (local and at and domain and not any(c.isspace() for c in text)):
        raise CallctlError("invalid_field", "not an e-mail address", where)
    return text


def read_numbers(given: Sequence[NumberInput], country: str, where: str) -> dict[str, str]:
    """E.164 → label, in their order. Raises CallctlError("invalid_field")."""
    if len(given) > MAX_NUMBERS:
        raise CallctlError("invalid_field", f"more than {MAX_NUMBERS} numbers", where)
    numbers: dict[str, str] = {}
    for place, item in enumerate(given):
        at = f"{where}[{place}]"
        number = normalise(item.number.strip(), country)
        if number is None:
            raise CallctlError("invalid_field", "not a number of the outside world", f"{at}.number")
        if number in numbers:
            raise CallctlError("invalid_field", f"{number} stands there twice", f"{at}.number")
        # `;` and `:` part the numbers of a CSV cell.
        numbers[number] = clean_line(item.label, f"{at}.label", ";:")
    return numbers
