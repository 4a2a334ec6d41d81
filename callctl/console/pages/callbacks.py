"""Callbacks owed (R002-24), and notices for a reviewer (R001-16)."""

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import local_path
from callctl.core.permissions import Scope


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.CALLBACKS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/callbacks", show, Scope.REPORTS_READ),
            ("POST", "/callbacks/{id}/settle", settle, write),
            ("POST", "/callbacks/{id}/owner", assign, write),
            ("POST", "/notices/{id}/acknowledge", acknowledge, Scope.CALLS_ANNOTATE),
        ],
    )


async def show(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {name: asked[name] for name in ("state", "owner") if asked.get(name)}
    page = await visit.get("/reports/clients-missed", **fields, cursor=asked.get("cursor"))
    return visit.page(
        "home/callbacks.html",
        answer=page,
        fields=fields,
        may_settle=visit.may(Scope.CALLBACKS_WRITE),
        may_call=visit.may(Scope.CALLS_PLACE),
    )


async def settle(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    await visit.send("POST", f"/callbacks/{visit.path('id')}/settle", form.pick("note"))
    return visit.go("/callbacks", "settled")


async def assign(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {"extension": form.get("extension") or None}
    await visit.send("PUT", f"/callbacks/{visit.path('id')}/owner", body)
    return visit.go("/callbacks", "saved")


async def acknowledge(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    await visit.send("POST", f"/notices/{visit.path('id')}/acknowledge", form.pick("note"))
    return visit.go(local_path(form.get("back")), "acknowledged")
