"""A list of the API as a table that can be exported: the same filters, the same rows (R000-14)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.core.tables import TableColumn, TableSource
from callctl.http.endpoint import Page

AT_ONCE = 250
"""Rows: so many are read in a few milliseconds, and calls that ring wait no longer."""

ReadPage = Callable[[Any, CallScope, Any], Awaitable[Page[Any]]]
"""(connection, scope, filters) to a page, as the list itself answers it."""

ReadSelected = Callable[[Any, CallScope, Sequence[int]], Awaitable[Sequence[msgspec.Struct]]]
"""(connection, scope, keys) to those of them that the scope sees, as the list shows them."""


def list_table(
    name: str,
    title: str,
    permission: str,
    *,
    filters: type[msgspec.Struct],
    item: type[msgspec.Struct],
    key: str,
    check: Callable[[Any], object],
    page: ReadPage,
    selected: ReadSelected,
) -> TableSource:
    """A list whose items `key` numbers, the greatest first.

    `check` raises CallctlError("invalid_field") for filters that contradict each other.
    """

    def check_all(chosen: Any, keys: Sequence[str] | None) -> None:
        check(chosen)
        for text in keys or ():
            if not (text.isascii() and text.isdecimal() and len(text) <= 18):
                message = f"{text[:40]} is no `{key}` of {name}"
                raise CallctlError("invalid_field", message, "body.keys")

    async def pages(
        connection: Any,
        scope: CallScope,
        chosen: Any,
        keys: Sequence[str] | None,
        one_page: bool,
    ) -> AsyncIterator[Sequence[Sequence[Any]]]:
        if keys is not None:
            numbers = sorted({int(text) for text in keys}, reverse=True)
            for at in range(0, len(numbers), AT_ONCE):
                yield _rows(await selected(connection, scope, numbers[at : at + AT_ONCE]))
            return
        if not one_page:
            chosen = msgspec.structs.replace(chosen, limit=AT_ONCE, cursor=None)
        while True:
            read = await page(connection, scope, chosen)
            yield _rows(read.items)
            if read.next is None or one_page:
                return
            chosen = msgspec.structs.replace(chosen, cursor=read.next)

    columns = tuple(TableColumn(field, "") for field in item.__struct_encode_fields__)
    return TableSource(name, title, permission, filters, columns, (key,), check_all, pages)


def _rows(items: Sequence[msgspec.Struct]) -> list[Sequence[Any]]:
    return [msgspec.structs.astuple(item) for item in items]
