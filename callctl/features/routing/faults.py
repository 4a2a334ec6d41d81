"""Everything in a document that is not of the shape it should have: all of it at once, in words.

Asked only when a document could not be converted; msgspec itself stops at the first fault.
"""

import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any

import msgspec

MOST = 100
"""Faults that are told of one document; a file that is no routing at all has one in each line."""

_WORDS = {
    int: "a whole number",
    str: "a text",
    bool: "true or false",
    types.NoneType: "nothing",
    dict: "a mapping",
    list: "a list",
}
_SHOWN_CHARS = 60


def find_faults(value: Any, kind: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, what is wrong) for each place of `value` that does not fit the type `kind`."""
    kinds = _kinds(kind)
    struct = next((k for k in kinds if _is_struct(k)), None)
    items = next((k for k in kinds if typing.get_origin(k) is list), None)
    values = next((k for k in kinds if typing.get_origin(k) is dict), None)
    if struct is not None and isinstance(value, dict):
        yield from _struct_faults(value, struct, path)
    elif values is not None and isinstance(value, dict):
        for key, item in value.items():
            yield from find_faults(item, typing.get_args(values)[1], _join(path, key))
    elif items is not None and isinstance(value, list):
        for place, item in enumerate(value):
            yield from find_faults(item, typing.get_args(items)[0], f"{path}[{place}]")
    elif not _fits(value, kind):
        yield path, _message(value, kinds)


def _struct_faults(
    value: dict[str, Any], struct: type[msgspec.Struct], path: str
) -> Iterator[tuple[str, str]]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name, item in value.items():
        if name in fields:
            yield from find_faults(item, fields[name].type, _join(path, name))
        else:
            there = ", ".join(fields)
            yield _join(path, name), f"unknown field {name[:_SHOWN_CHARS]}; there are {there}"
    for name, field in fields.items():
        if field.required and name not in value:
            yield _join(path, name), f"missing field {name}"


def _message(value: Any, kinds: tuple[Any, ...]) -> str:
    words = [word for kind in kinds if (word := _word(kind)) is not None]
    return f"expected {' or '.join(dict.fromkeys(words))}, got {_shown(value)}"


def _word(kind: Any) -> str | None:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(str(member.value) for member in kind)
    if _is_struct(kind):
        return _WORDS[dict]
    return _WORDS.get(typing.get_origin(kind) or kind)


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict() | list():
            return _WORDS[type(value)]
        case str():
            more = "…" if len(value) > _SHOWN_CHARS else ""
            return f"the text {value[:_SHOWN_CHARS]!r}{more}"
        case _:
            return repr(value)[:_SHOWN_CHARS]


def _fits(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _kinds(kind: Any) -> tuple[Any, ...]:
    """The members of a union, else the type alone."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
