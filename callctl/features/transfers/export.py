"""The list of transfers as a table that can be exported (R000-14)."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.core.tables import TableColumn, TableSource
from callctl.features.transfers import store
from callctl.features.transfers.model import TransferFilters, TransferView
from callctl.features.transfers.service import check_filters, transfers_page

PAGE = 500


async def _pages(
    connection: Any,
    scope: CallScope,
    filters: TransferFilters,
    keys: Sequence[str] | None,
    one_page: bool,
) -> AsyncIterator[Sequence[Sequence[Any]]]:
    if keys is not None:
        ids = sorted({int(key) for key in keys}, reverse=True)
        for at in range(0, len(ids), PAGE):
            rows = await connection.fetch(
                store.SELECTED_TRANSFERS, scope.account_id, ids[at : at + PAGE]
            )
            yield [msgspec.structs.astuple(TransferView(**row)) for row in rows]
        return
    if not one_page:
        filters = msgspec.structs.replace(filters, limit=PAGE, cursor=None)
    while True:
        page = await transfers_page(connection, scope.account_id, filters)
        yield [msgspec.structs.astuple(transfer) for transfer in page.items]
        if page.next is None or one_page:
            return
        filters = msgspec.structs.replace(filters, cursor=page.next)


def _check(filters: TransferFilters, keys: Sequence[str] | None) -> None:
    check_filters(filters)
    for key in keys or ():
        if not (key.isascii() and key.isdecimal() and len(key) <= 18):
            raise CallctlError("invalid_field", f"{key[:40]} is no id of a transfer", "body.keys")


TRANSFERS_TABLE = TableSource(
    "transfers",
    "Transfers to the superior",
    Scope.LEDGER_READ,
    TransferFilters,
    tuple(TableColumn(name, "") for name in TransferView.__struct_fields__),
    ("id",),
    _check,
    _pages,
)
