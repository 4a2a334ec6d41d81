"""Text in the cells of files that people open with a spreadsheet."""

import re

_PHONE = re.compile(r"\+?[0-9]+", re.ASCII)
_FORMULA = frozenset("=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                     "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip


def neutral(text: str) -> str:
    """`text` as no spreadsheet takes it for a formula (CWE-1236).

    A number stays as it is, with its plus: digits alone are no formula.
    """
    if _PHONE.fullmatch(text):
        return text
    if text[:1] in ("\t", "\r", "\n") or text.lstrip()[:1] in _FORMULA:
        return "'" + text
    return text


def plain(cell: str) -> str:
    """The text that `neutral` made this of; anything else as it is."""
    return cell[1:] if cell[:1] == "'" and neutral(cell[1:]) == cell else cell
