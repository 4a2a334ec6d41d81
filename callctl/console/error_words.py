"""What is said of an error to who sits before the page: no paths, patterns or names of scopes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from callctl.console.language import N_, gettext
from callctl.console.routing_objects import KINDS
from callctl.console.routing_words import field_in_words, kind_in_words
from callctl.console.words import money
from callctl.core.errors import CallctlError
from callctl.core.permissions import SCOPE_MEANINGS

MOST_DETAILS = 20
_FIELDS = {"since": N_("From day"), "until": N_("To day")}
"""Fields of the API that the pages call something else."""

_INDEX = r"\[([0-9]{1,9})\]"
"""Longer ones are no place in a document: somebody wrote them, and no number is made of them."""

_SEGMENT = re.compile(rf"(\w+)(?:{_INDEX})?")
_OBJECT = re.compile(rf"\b({'|'.join(KINDS)}){_INDEX}")
_SAYINGS = (
    (r"Expected str matching regex .*", N_("has a sign that cannot be there")),
    (r"Expected array of length >= 1", N_("choose at least one")),
    (r"Expected str of length >= 1|required, but missing", N_("is missing")),
    (r"Expected (?:str|array) of length <= (\d+)", N_("is too long: {0} at most")),
    (r"Expected (?:int|float) >= (-?[\d.]+)", N_("is {0} or more")),
    (r"Expected (?:int|float) <= (-?[\d.]+)", N_("is {0} or less")),
    (r"Expected int, got \w+", N_("is a whole number")),
)
_PATTERNS = tuple((re.compile(pattern), said) for pattern, said in _SAYINGS)
"""What msgspec says of a value, and we."""


def sentence(error: CallctlError) -> str:
    """The field is named where there is one."""
    if error.code == "forbidden" and isinstance(error.detail, Mapping):
        if "scopes" in error.detail:
            return gettext("Rights that you lack yourself cannot be given or taken.")
        return gettext("You have not been given the right to this.")
    told = _told_alone(error)
    if told is not None:
        text = _told(told)
    elif _mistakes(error):
        text = gettext("There are several mistakes")
    else:
        place = place_in_words(error.field or "")
        text = f"{place}: {_plain(error.message)}" if place else _plain(error.message)
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


def details(error: CallctlError) -> Iterator[str]:
    """What an error says beyond its sentence, a line each; the first twenty."""
    found: Any = error.detail
    if isinstance(found, str):
        yield found
    if isinstance(found, Mapping) and "scopes" in found:
        yield from (SCOPE_MEANINGS.get(one, one) for one in found["scopes"])
    if isinstance(found, Mapping) and "shortfall" in found:
        missing = money(found["shortfall"], found.get("currency"))
        yield gettext("Missing: {amount}").format(amount=missing)
    if isinstance(found, list) and _told_alone(error) is None:
        for item in found[:MOST_DETAILS]:
            yield _told(item)


def place_in_words(path: str) -> str:
    """``body.hunt_groups[1].then[0]`` as "hunt group 2, when nobody answers"."""
    inside = re.sub(r"^(body|query|path|form)\b\.?", "", path)
    return ", ".join(_segment_in_words(name, at) for name, at in _SEGMENT.findall(inside))


def _segment_in_words(name: str, at: str) -> str:
    if name in KINDS:
        return f"{kind_in_words(name)} {int(at) + 1}" if at else kind_in_words(name)
    return gettext(_FIELDS[name]) if name in _FIELDS else field_in_words(name)


def _mistakes(error: CallctlError) -> list[Any]:
    """Each with its place, where there are such."""
    found = error.detail if isinstance(error.detail, list) else []
    return [one for one in map(_plain_object, found) if isinstance(one, Mapping) and "path" in one]


def _told_alone(error: CallctlError) -> Any:
    """The only mistake, which is the sentence then."""
    mistakes = _mistakes(error)
    alone = len(mistakes) == 1 and "expected" not in mistakes[0]
    return mistakes[0] if alone else None


def _plain_object(item: Any) -> Any:
    return msgspec.to_builtins(item) if isinstance(item, msgspec.Struct) else item


def _told(given: Any) -> str:
    item = _plain_object(given)
    if not isinstance(item, Mapping):
        return str(item)
    if "expected" in item:
        planned = ", ".join(item.get("planned") or ()) or item.get("problem") or ""
        return gettext("{name}: expected {expected}, but it would be {planned}").format(
            name=item.get("name") or item.get("path"),
            expected=", ".join(item["expected"]),
            planned=planned,
        )
    place = place_in_words(str(item.get("path") or item.get("field") or ""))
    if "line" in item:
        place = gettext("line {line}").format(line=item["line"])
        place += f", {item['column']}" if item.get("column") else ""
    message = _plain(str(item.get("message", item)))
    return f"{place}: {message}" if place else message


def _plain(message: str) -> str:
    """Without the program's words, where there are others."""
    for pattern, said in _PATTERNS:
        if match := pattern.fullmatch(message):
            return gettext(said).format(*match.groups())
    return _OBJECT.sub(lambda found: _segment_in_words(*found.groups()), message)
