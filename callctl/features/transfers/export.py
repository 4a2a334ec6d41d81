"""The list of transfers as a table that can be exported (R000-14)."""

from collections.abc import Sequence
from typing import Any

from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.features.transfers import store
from callctl.features.transfers.model import TransferFilters, TransferView
from callctl.features.transfers.service import check_filters, transfers_page
from callctl.http.endpoint import Page
from callctl.http.list_table import list_table


async def _page(connection: Any, scope: CallScope, filters: TransferFilters) -> Page[TransferView]:
    return await transfers_page(connection, scope.account_id, filters)


async def _selected(connection: Any, scope: CallScope, ids: Sequence[int]) -> list[TransferView]:
    rows = await connection.fetch(store.SELECTED_TRANSFERS, scope.account_id, ids)
    return [TransferView(**row) for row in rows]


TRANSFERS_TABLE = list_table(
    "transfers",
    "Transfers to the superior",
    Scope.LEDGER_READ,
    filters=TransferFilters,
    item=TransferView,
    key="id",
    check=check_filters,
    page=_page,
    selected=_selected,
)
