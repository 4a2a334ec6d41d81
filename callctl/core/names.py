"""Names that people give: of persons, groups, accounts."""

import unicodedata

_JOINERS = frozenset("\u200c\u200d")
"""Persian and emoji need them; they turn nothing around."""


def tidy_name(text: str) -> str:
    """`text` in composed form (Unicode NFC) without blanks around it.

    Raises ValueError, with what is wrong, for control characters, line ends, characters that
    change the direction of writing or cannot be seen, and for what is blank.
    """
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and (
            character not in _JOINERS
        ):
            raise ValueError(f"holds U+{ord(character):04X}, a character that cannot be seen")
    tidied = unicodedata.normalize("NFC", text).strip()
    if not tidied.strip("".join(_JOINERS)):
        raise ValueError("is blank")
    return tidied
