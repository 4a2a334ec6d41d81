"""Calls that go on now, extensions and trunks; a script keeps the page up to date."""

from collections import defaultdict
from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    control = Scope.RECORDINGS_CONTROL
    return routes_of(
        desk,
        [
            ("GET", "/live", show, Scope.CALLS_READ),
            ("POST", "/live/{uniqueid}/pause", pause, control),
            ("POST", "/live/{uniqueid}/resume", resume, control),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    view = await visit.get("/calls/live")
    busy: dict[str, str] = {}
    on_trunk: dict[str, int] = defaultdict(int)
    for call in view.items:
        for party in call.ringing:
            busy[party] = "ringing"
        for party in {call.extension, call.answered_by} - {None}:
            busy.setdefault(party, "talking" if call.answered_at else "calling")
        if call.direction != "internal":
            on_trunk[call.direction] += 1
    return visit.page(
        "live/live.html",
        error.status if error else 200,
        view=view,
        extensions=await _extensions(visit),
        busy=busy,
        on_trunk=on_trunk,
        trunks=(await visit.get("/routing/trunks")).items if visit.may(Scope.ROUTING_READ) else [],
        may_control=visit.may(Scope.RECORDINGS_CONTROL),
        error=error,
    )


async def _extensions(visit: Visit) -> list[Any]:
    """Those whose calls one sees; whoever may not read the routing knows them by number only."""
    seen = visit.actor.extensions
    if visit.may(Scope.ROUTING_READ):
        found = (await visit.get("/routing/extensions")).items
        return [one for one in found if seen is None or one.number in seen]
    return [{"number": number, "name": ""} for number in seen or ()]


async def pause(visit: Visit) -> web.StreamResponse:
    return await _control(visit, "pause", "paused")


async def resume(visit: Visit) -> web.StreamResponse:
    return await _control(visit, "resume", "resumed")


async def _control(visit: Visit, verb: str, notice: str) -> web.StreamResponse:
    try:
        await visit.send("POST", f"/calls/live/{visit.path('uniqueid')}/recording/{verb}")
    except CallctlError as error:
        return await show(visit, error)
    return visit.go("/live", notice)
