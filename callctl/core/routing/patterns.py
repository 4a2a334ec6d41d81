"""Number patterns in Asterisk's dialplan language, and which of several matching ones decides.

``X`` 0-9, ``Z`` 1-9, ``N`` 2-9, ``[1-5*]`` one of a set, ``.`` one or more characters to the end,
``!`` none or more to the end; every other character (``0-9 * # +``) stands for itself. The leading
underscore of extensions.conf may be written or left out; blanks and hyphens outside a set are
ignored, as Asterisk does. (Asterisk documentation: "Pattern Matching".)

Precedence, as Asterisk's: from left to right, the pattern whose next place allows fewer characters
wins, and ``.`` and ``!`` lose to everything; so ``+3630X.`` decides before ``+36.``, and that
before ``+.``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from callctl.core.routing.model import DialPattern

_CLASSES = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_LITERALS = frozenset("0123456789*#+")
_DOT, _BANG = 1000, 1001
MAX_PATTERN_CHARS = 80


class PatternError(ValueError):
    """A text that is no number pattern; says which place is wrong."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern. A smaller `rank` is more specific."""

    text: str
    regex: re.Pattern[str]
    rank: tuple[int, ...]

    def matches(self, number: str) -> bool:
        return self.regex.fullmatch(number) is not None


@lru_cache(maxsize=8192)
def parse_pattern(text: str) -> Pattern:
    """Parse once, remember for ever. Raises PatternError."""
    if len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"pattern of {len(text)} characters; {MAX_PATTERN_CHARS} are allowed")
    body = text.removeprefix("_")
    regex: list[str] = []
    rank: list[int] = []
    at = 0
    while at < len(body):
        char = body[at]
        if char in ".!":
            if at != len(body) - 1:
                raise PatternError(f"{text!r}: {char!r} may only be the last character")
            regex.append(".+" if char == "." else ".*")
            rank.append(_DOT if char == "." else _BANG)
        elif char == "[":
            end = body.find("]", at)
            if end < 0:
                raise PatternError(f"{text!r}: '[' without ']'")
            allowed = _parse_set(text, body[at + 1 : end])
            regex.append("[" + re.escape("".join(sorted(allowed))) + "]")
            rank.append(len(allowed))
            at = end
        elif char.upper() in _CLASSES:
            regex.append(f"[{_CLASSES[char.upper()]}]")
            rank.append(len(_CLASSES[char.upper()]))
        elif char in _LITERALS:
            regex.append(re.escape(char))
            rank.append(1)
        elif char not in "- ":
            raise PatternError(f"{text!r}: {char!r} has no meaning in a number pattern")
        at += 1
    if not rank:
        raise PatternError(f"{text!r}: an empty pattern matches nothing")
    return Pattern(text, re.compile("".join(regex), re.DOTALL), tuple(rank))


def _parse_set(text: str, inner: str) -> set[str]:
    allowed: set[str] = set()
    at = 0
    while at < len(inner):
        first = inner[at]
        last = first
        if at + 2 < len(inner) and inner[at + 1] == "-":
            last = inner[at + 2]
            at += 2
        digits = first.isdecimal() and last.isdecimal() and first.isascii() and last.isascii()
        if first not in _LITERALS or (first != last and not (digits and first < last)):
            raise PatternError(f"{text!r}: [{inner}] is not a set of digits")
        allowed.update(chr(c) for c in range(ord(first), ord(last) + 1))
        at += 1
    if not allowed:
        raise PatternError(f"{text!r}: [] matches nothing")
    return allowed


def apply_pattern(pattern: DialPattern, number: str) -> str:
    """`number` without its first `strip` characters, with `prepend` in front."""
    return pattern.prepend + number[pattern.strip :]
