"""Tables that can be exported: what a feature declares of its lists, and what reads them."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from callctl.core.scope import CallScope

Pages = Callable[
    [Any, CallScope, Any, Sequence[str] | None, bool], AsyncIterator[Sequence[Sequence[Any]]]
]
"""(connection, scope, filters, keys, only one page) → the rows, some at a time, by keyset.

`keys` None = all that the filters let through. All pages are read on the given connection, so a
snapshot stays one."""

Check = Callable[[Any, Sequence[str] | None], None]
"""Raises CallctlError("invalid_field") for filters or keys that contradict themselves."""


class Unit(StrEnum):
    """What a number in a column counts, where it is no plain number."""

    SECONDS = "seconds"
    MONEY = "money"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column and what it says; `title` is for people, files have its `name`."""

    name: str
    meaning: str
    title: str = ""
    unit: Unit | None = None


@dataclass(frozen=True, slots=True)
class TableSource:
    """One list that can be exported.

    `scope` is the right to read it; `filters` the structure of its parameters; `key` names the
    columns that, joined by ``/``, say which row is meant.
    """

    name: str
    title: str
    scope: str
    filters: type[Any]
    columns: tuple[TableColumn, ...]
    key: tuple[str, ...]
    check: Check
    pages: Pages
