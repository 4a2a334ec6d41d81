"""``/api/v1/reports``, ``/api/v1/dashboard``, ``/api/v1/callbacks``."""

from collections.abc import Awaitable, Callable

from callctl.core.permissions import Scope
from callctl.core.tables import TableColumn
from callctl.features.reports.catalogue import REPORTS, Report
from callctl.features.reports.model import (
    Answer,
    AssignCallback,
    CallbackRow,
    ColumnView,
    Dashboard,
    DashboardQuery,
    NoteView,
    ReportList,
    ReportView,
    SettleCallback,
)
from callctl.features.reports.service import ReportService
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Endpoint

_TAG = "reports"
_CALLBACK = "/api/v1/callbacks/{id}"


def view_of(report: Report) -> ReportView:
    """What the list of reports says of one."""
    return ReportView(
        report.name,
        report.title,
        report.summary,
        report.definition,
        report.formula,
        report.cost,
        [_view(item) for item in report.parameters],
        [_view(item) for item in report.columns],
    )


def _view(item: TableColumn) -> ColumnView:
    return ColumnView(item.name, item.title, item.meaning, item.unit)


def endpoints(service: ReportService) -> list[Endpoint]:
    async def list_reports(_call: ApiCall) -> object:
        return ReportList([view_of(report) for report in REPORTS.values()])

    async def dashboard(call: ApiCall) -> object:
        return await service.dashboard(call.actor.calls, call.query.period)

    async def settle(call: ApiCall) -> object:
        actor, id_ = call.actor, path_id(call.path)
        return await service.settle_callback(actor.calls, id_, call.body, actor.author)

    async def assign(call: ApiCall) -> object:
        actor, id_ = call.actor, path_id(call.path)
        return await service.assign_callback(actor.calls, id_, call.body, actor.author)

    read, write = Scope.REPORTS_READ, Scope.CALLBACKS_WRITE
    found = ("not_found",)
    return [
        Endpoint(
            "GET", "/api/v1/reports", "The reports there are, each with its definition", _TAG, read,
            list_reports, ReportList,
        ),
        *(
            Endpoint(
                "GET", f"/api/v1/reports/{report.name}", report.title, _TAG, read,
                _reads(service, report), Answer[report.row],  # type: ignore[name-defined]
                query=report.query,
            )
            for report in REPORTS.values()
        ),
        Endpoint(
            "GET", "/api/v1/dashboard", "What happened today, or in the last 3 or 7 days", _TAG,
            read, dashboard, Dashboard, query=DashboardQuery,
        ),
        Endpoint(
            "POST", f"{_CALLBACK}/settle", "Settle a callback by hand; the id is its number's",
            _TAG, write, settle, NoteView, body=SettleCallback,
            body_example=SettleCallback("Wrote a mail"),
            errors=found,
        ),
        Endpoint(
            "PUT", f"{_CALLBACK}/owner", "Make an extension responsible for a callback", _TAG,
            write, assign, CallbackRow, body=AssignCallback,
            body_example=AssignCallback("201"),
            errors=found,
        ),
    ]  # fmt: skip


def _reads(service: ReportService, report: Report) -> Callable[[ApiCall], Awaitable[object]]:
    async def answer(call: ApiCall) -> object:
        return await service.answer(call.actor.calls, report, call.query)

    return answer
