"""The statement of one's own wallet as a table that can be exported (R000-14)."""

from collections.abc import Sequence
from typing import Any

from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.features.ledger import store
from callctl.features.ledger.model import LedgerEntry, LedgerFilters
from callctl.features.ledger.service import check_filters, statement_page
from callctl.http.endpoint import Page
from callctl.http.list_table import list_table


async def _page(connection: Any, scope: CallScope, filters: LedgerFilters) -> Page[LedgerEntry]:
    return await statement_page(connection, scope.account_id, filters)


async def _selected(connection: Any, scope: CallScope, seqs: Sequence[int]) -> list[LedgerEntry]:
    rows = await connection.fetch(store.SELECTED_ENTRIES, scope.account_id, seqs)
    return [LedgerEntry(**row) for row in rows]


LEDGER_TABLE = list_table(
    "ledger",
    "The account's ledger",
    Scope.LEDGER_READ,
    filters=LedgerFilters,
    item=LedgerEntry,
    key="seq",
    check=check_filters,
    page=_page,
    selected=_selected,
)
