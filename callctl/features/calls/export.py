"""The call list as a table that can be exported."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.core.tables import TableColumn, TableSource
from callctl.features.calls import queries
from callctl.features.calls.model import CallFilters, CallSummary
from callctl.features.calls.service import check_filters, list_page

PAGE = 250
"""Calls at a time: so many are read in a few milliseconds, and calls that ring wait no longer."""


async def _pages(
    connection: Any,
    scope: CallScope,
    filters: CallFilters,
    keys: Sequence[str] | None,
    one_page: bool,
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    if keys is not None:
        ids = sorted({int(key) for key in keys}, reverse=True)
        for at in range(0, len(ids), PAGE):
            yield await _selected(connection, scope, ids[at : at + PAGE])
        return
    if not one_page:
        filters = msgspec.structs.replace(filters, limit=PAGE, cursor=None)
    while True:
        page = await list_page(connection, scope, filters)
        yield [msgspec.structs.astuple(call) for call in page.items]
        if page.next is None or one_page:
            return
        filters = msgspec.structs.replace(filters, cursor=page.next)


async def _selected(connection: Any, scope: CallScope, ids: Sequence[int]) -> list[Any]:
    extensions = None if scope.extensions is None else list(scope.extensions)
    rows = await connection.fetch(queries.SELECTED_CALLS, scope.account_id, ids, extensions)
    return [msgspec.structs.astuple(CallSummary(**dict(row))) for row in rows]


def _check(filters: CallFilters, keys: Sequence[str] | None) -> None:
    check_filters(filters)
    for key in keys or ():
        if not (key.isascii() and key.isdecimal() and len(key) <= 18):
            raise CallctlError("invalid_field", f"{key[:40]} is no id of a call", "body.keys")


CALLS_TABLE = TableSource(
    "calls",
    "The call history",
    Scope.CALLS_READ,
    CallFilters,
    tuple(TableColumn(name, "") for name in CallSummary.__struct_fields__),
    ("id",),
    _check,
    _pages,
)
