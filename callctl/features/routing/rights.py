"""What needs a package, asked before it is tried: the planner refuses such calls by itself."""

from datetime import datetime

from callctl.core.packages import package_required, seat_required
from callctl.core.routing.model import HuntMemory, RoutingTable
from callctl.core.routing.outbound import select_emergency
from callctl.core.routing.planner import plan_route
from callctl.features.routing.trial import build_request, clean_dialled


def require_package(table: RoutingTable, account_id: int, now: datetime) -> None:
    """Raises CallctlError("package_required") where one is demanded and none is active."""
    index = table.accounts.get(account_id)
    rights = index.account.package if index else None
    if rights is not None and not rights.is_active(now):
        raise package_required(rights.until)


def require_call(
    table: RoutingTable, account_id: int, extension: str, dialled: str, now: datetime
) -> None:
    """Raises CallctlError("package_required") for a call that would be refused for want of a
    package or a seat. Emergency calls never are."""
    index = table.accounts.get(account_id)
    if index is None or index.account.package is None:
        return
    if select_emergency(index, clean_dialled(dialled)) is not None:
        return
    require_package(table, account_id, now)
    request = build_request(table, account_id, f"extension:{extension}", dialled)
    plan = plan_route(request, table, now, HuntMemory())
    if any(r.code == "seat_required" and r.subject == f"extension:{extension}" for r in plan.trace):
        raise seat_required(extension)
