"""Calls that a limit held, and limits that were passed."""

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.permissions import Scope

_SHOWN = 100


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(
        desk,
        [
            ("GET", "/limits", show, Scope.LIMITS_READ),
            ("POST", "/limits/{id}/approve", approve, Scope.LIMITS_APPROVE),
            ("POST", "/limits/{id}/refuse", refuse, Scope.LIMITS_APPROVE),
        ],
    )


async def show(visit: Visit) -> web.StreamResponse:
    return visit.page(
        "limits/limits.html",
        status_=await visit.get("/limits"),
        held=(await visit.get("/limits/holds", limit=_SHOWN)).items,
        notices=(await visit.get("/limits/notices", limit=_SHOWN)).items,
        may_decide=visit.may(Scope.LIMITS_APPROVE),
    )


async def approve(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.pick("hours", "whole_account", "any_destination")
    await visit.send("POST", f"/limits/holds/{visit.path('id')}/approve", body)
    return visit.go("/limits", "saved")


async def refuse(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    await visit.send("POST", f"/limits/holds/{visit.path('id')}/refuse", form.pick("hours"))
    return visit.go("/limits", "saved")
