"""Webhooks: where events are sent, what became of each, sending again."""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EVENT_MEANINGS
from callctl.core.permissions import Scope

_PROBLEMS = ("invalid_field", "conflict", "already_exists", "not_found")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.WEBHOOKS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/webhooks", listed, write),
            ("POST", "/webhooks", create, write),
            ("GET", "/webhooks/{id}", show, write),
            ("POST", "/webhooks/{id}", save, write),
            ("POST", "/webhooks/{id}/delete", remove, write),
            ("POST", "/webhooks/{id}/rotate-secret", rotate, write),
            ("POST", "/webhooks/{id}/replay", replay, write),
        ],
    )


async def listed(
    visit: Visit, error: CallctlError | None = None, issued: Any = None
) -> web.Response:
    return visit.page(
        "settings/webhooks.html",
        error.status if error else 200,
        page=await visit.get("/webhooks", cursor=visit.request.query.get("cursor")),
        kinds=EVENT_MEANINGS,
        issued=issued,
        error=error,
    )


async def create(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        body = {"url": form.get("url", ""), "kinds": form.all("kind")}
        issued = await visit.send("POST", "/webhooks", body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await listed(visit, error)
    return await listed(visit, issued=issued)


async def show(visit: Visit, error: CallctlError | None = None, issued: Any = None) -> web.Response:
    id_ = visit.path("id")
    asked = visit.request.query
    fields = {name: asked[name] for name in ("state", "subject") if asked.get(name)}
    return visit.page(
        "settings/webhook.html",
        error.status if error else 200,
        hook=await visit.get(f"/webhooks/{id_}"),
        page=await visit.get(f"/webhooks/{id_}/deliveries", **fields, cursor=asked.get("cursor")),
        fields=fields,
        kinds=EVENT_MEANINGS,
        issued=issued,
        error=error,
    )


async def save(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {
        "url": form.get("url", ""),
        "kinds": form.all("kind"),
        "active": form.ticked("active"),
    }
    try:
        await visit.send("PATCH", f"/webhooks/{visit.path('id')}", body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await show(visit, error)
    return visit.go(f"/webhooks/{visit.path('id')}", "saved")


async def remove(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/webhooks/{visit.path('id')}")
    return visit.go("/webhooks", "deleted")


async def rotate(visit: Visit) -> web.StreamResponse:
    issued = await visit.send("POST", f"/webhooks/{visit.path('id')}/rotate-secret")
    return await show(visit, issued=issued)


async def replay(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send("POST", f"/webhooks/{visit.path('id')}/replay", form.pick("delivery"))
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await show(visit, error)
    return visit.go(f"/webhooks/{visit.path('id')}", "replayed")
