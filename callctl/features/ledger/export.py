"""The statement of one's own wallet as a table that can be exported (R000-14)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.core.tables import TableColumn, TableSource
from callctl.features.ledger import store
from callctl.features.ledger.model import LedgerEntry, LedgerFilters
from callctl.features.ledger.service import check_filters, statement_page

PAGE = 500


async def _pages(
    connection: Any,
    scope: CallScope,
    filters: LedgerFilters,
    keys: Sequence[str] | None,
    one_page: bool,
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    if keys is not None:
        numbers = sorted({int(key) for key in keys}, reverse=True)
        for at in range(0, len(numbers), PAGE):
            rows = await connection.fetch(
                store.SELECTED_ENTRIES, scope.account_id, numbers[at : at + PAGE]
            )
            yield [msgspec.structs.astuple(LedgerEntry(**row)) for row in rows]
        return
    if not one_page:
        filters = msgspec.structs.replace(filters, limit=PAGE, cursor=None)
    while True:
        page = await statement_page(connection, scope.account_id, filters)
        yield [msgspec.structs.astuple(entry) for entry in page.items]
        if page.next is None or one_page:
            return
        filters = msgspec.structs.replace(filters, cursor=page.next)


def _check(filters: LedgerFilters, keys: Sequence[str] | None) -> None:
    check_filters(filters)
    for key in keys or ():
        if not (key.isascii() and key.isdecimal() and len(key) <= 18):
            raise CallctlError("invalid_field", f"{key[:40]} is no number of an entry", "body.keys")


LEDGER_TABLE = TableSource(
    "ledger",
    "The account's ledger",
    Scope.LEDGER_READ,
    LedgerFilters,
    tuple(TableColumn(name, "") for name in LedgerEntry.__struct_encode_fields__),
    ("seq",),
    _check,
    _pages,
)
