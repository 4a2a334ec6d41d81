"""Home (R002-12 to R002-16): the last days in figures and charts, by what one may see."""

from datetime import timedelta
from typing import Any

from aiohttp import web

from callctl.console.charts import Chart, bars
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.language import gettext as _
from callctl.core.devices import DeviceState, RegistrationState
from callctl.core.permissions import Scope
from callctl.features.devices.model import DevicesView

_PERIODS = ("today", "3d", "7d")
_MOST_BARS = 24
_OWED = 5
_LOST = (DeviceState.UNREACHABLE, DeviceState.UNREGISTERED)
_SIGNED_OFF = (RegistrationState.REJECTED, RegistrationState.UNREGISTERED)


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/", show, None)])


async def show(visit: Visit) -> web.StreamResponse:
    if not visit.may(Scope.REPORTS_READ):
        return visit.go("/calls" if visit.may(Scope.CALLS_READ) else "/profile")
    period = visit.request.query.get("period", "today")
    if period not in _PERIODS:
        period = "today"
    board = await visit.get("/dashboard", period=period)
    owed = await visit.get("/reports/clients-missed", limit=_OWED)
    sees_calls = visit.may(Scope.CALLS_READ)
    return visit.page(
        "home/home.html",
        periods=[("today", _("Today")), ("3d", _("3 days")), ("7d", _("7 days"))],
        period=period,
        board=board,
        names=await visit.extension_names(),
        first_day=visit.language.iso_day(board.since),
        volume=volume_chart(visit, board),
        total={
            name: sum(getattr(point, name) for point in board.volume)
            for name in ("inbound", "outbound", "internal", "missed")
        },
        owed=owed,
        notices=(await visit.get("/notices", open=True, limit=_OWED)).items if sees_calls else [],
        live=await visit.get("/calls/live") if sees_calls else None,
        lost_trunks=lost_trunks(await visit.get("/devices")) if sees_calls else [],
        health=visit.desk.alarms() if visit.may(Scope.SYSTEM_READ) else None,
        may_call=visit.may(Scope.CALLS_PLACE),
        is_empty=sees_calls and not (await visit.get("/calls", limit=1)).items,
        may_set_up=visit.may(Scope.ROUTING_WRITE),
    )


def lost_trunks(devices: DevicesView) -> list[str]:
    """Trunks in use over which no call goes as far as is known: nothing is well without them."""
    return [
        trunk.name
        for trunk in devices.trunks
        if trunk.state is not DeviceState.DISABLED
        and (trunk.state in _LOST or trunk.registration in _SIGNED_OFF)
    ]


def volume_chart(visit: Visit, board: Any) -> Chart:
    """Hours are put together where there are too many for a chart."""
    points = board.volume
    size = -(-len(points) // _MOST_BARS) if points else 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    times = visit.language

    def label(part: Any) -> str:
        at = part[0].starts_at
        if board.step == "day":
            return times.short_day(at)
        alone = board.until - board.since <= timedelta(days=1, hours=1)
        return times.minute(at) if alone else f"{times.short_day(at)} {times.minute(at)}"

    def column(name: str) -> list[int]:
        return [sum(getattr(p, name) for p in part) for part in parts]

    missed = column("missed")
    taken = [all_ - lost for all_, lost in zip(column("inbound"), missed, strict=True)]
    return bars(
        [label(part) for part in parts],
        [
            (_("Incoming, answered"), "c2", taken),
            (_("Missed"), "c4", missed),
            (_("Outgoing"), "c1", column("outbound")),
            (_("Internal"), "c3", column("internal")),
        ],
    )
