"""Numbers and names from the wire, made fit to store and show. Nothing of them is evaluated."""

import unicodedata

WITHHELD = frozenset(
    {
        "",
        "anonymous",
        "unknown",
        "restricted",
        "unavailable",
        "private",
        "withheld",
        "id withheld",
        "no number",
        "s",
    }
)
"""What carriers and Asterisk send for a caller that hides its number (R001-11)."""

MAX_NUMBER_CHARS = 80
MAX_NAME_CHARS = 200


def clean_text(text: str, limit: int) -> str:
    """Printable text of at most `limit` characters.

    Control characters become blanks, bytes that were no UTF-8 become U+FFFD, so that any database
    and any page can hold it.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    repaired = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    printable = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in repaired
    )
    return " ".join(printable.split())[:limit]


def clean_number(text: str, *, keep: bool = False) -> str | None:
    """A caller's number, None when withheld. With `keep` any text but an empty one is a number."""
    number = clean_text(text, MAX_NUMBER_CHARS)
    if keep:
        return number or None
    return None if number.lower() in WITHHELD else number


def clean_name(text: str) -> str | None:
    """A caller's name, None when there is none."""
    name = clean_text(text, MAX_NAME_CHARS)
    return None if name.lower() in WITHHELD else name
