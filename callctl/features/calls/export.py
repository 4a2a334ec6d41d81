"""The call list as a table that can be exported."""

from collections.abc import Sequence
from typing import Any

from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.features.calls import queries
from callctl.features.calls.model import CallFilters, CallSummary
from callctl.features.calls.service import check_filters, list_page
from callctl.http.list_table import list_table


async def _selected(connection: Any, scope: CallScope, ids: Sequence[int]) -> list[CallSummary]:
    extensions = None if scope.extensions is None else list(scope.extensions)
    rows = await connection.fetch(queries.SELECTED_CALLS, scope.account_id, ids, extensions)
    return [CallSummary(**dict(row)) for row in rows]


CALLS_TABLE = list_table(
    "calls",
    "The call history",
    Scope.CALLS_READ,
    filters=CallFilters,
    item=CallSummary,
    key="id",
    check=check_filters,
    page=list_page,
    selected=_selected,
)
