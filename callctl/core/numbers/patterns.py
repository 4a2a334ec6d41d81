"""Patterns that numbers are looked for with: ``*`` is any digits, ``?`` one digit."""

import re

_PATTERN = re.compile(r"\+?[0-9*?]{1,20}")


def like_of_pattern(text: str) -> str:
    """`text` as a LIKE pattern over E.164 numbers; digits alone may stand anywhere in a number.

    Raises ValueError for what is no pattern. Blanks and hyphens are ignored.
    """
    pattern = re.sub(r"[\s\-]", "", text)
    if not pattern.isascii() or not _PATTERN.fullmatch(pattern):
        raise ValueError("write digits, ? for one digit and * for any, as *7777 or +361??5500")
    if not re.search(r"[*?+]", pattern):
        pattern = f"*{pattern}*"
    if pattern[0] not in "+*":
        pattern = f"+{pattern}"
    return pattern.replace("*", "%").replace("?", "_")
