"""The map of workstations: places are moved by drag, by arrow keys, or in a table."""

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.pages.live import list_phones
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_PROBLEMS = ("invalid_field", "already_exists", "not_found")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.SETTINGS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/live/map", show, write),
            ("POST", "/live/map", create, write),
            ("POST", "/live/map/arrange", arrange, write),
            ("POST", "/live/map/{id}", change, write),
            ("POST", "/live/map/{id}/delete", delete, write),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    places = await visit.get("/workplaces")
    view, devices = await visit.get("/calls/live"), await visit.get("/devices")
    phones = await list_phones(visit, view, devices)
    placed = {place.extension for place in places.items}
    return visit.page(
        "live/map.html",
        error.status if error else 200,
        map=places,
        phone_of={phone.number: phone for phone in phones},
        without=[phone for phone in phones if phone.number not in placed],
        phones=phones,
        error=error,
    )


async def create(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    return await _do(visit, "POST", "", form.pick("x", "y", "label", "extension"))


async def arrange(visit: Visit) -> web.StreamResponse:
    await visit.send("POST", "/workplaces/arrange")
    return visit.go("/live/map", "arranged")


async def change(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {**form.sent("x", "y", "label"), **form.replace("extension")}
    return await _do(visit, "PATCH", f"/{visit.path('id')}", body)


async def delete(visit: Visit) -> web.StreamResponse:
    return await _do(visit, "DELETE", f"/{visit.path('id')}", None)


async def _do(visit: Visit, method: str, path: str, body: object) -> web.StreamResponse:
    try:
        await visit.send(method, f"/workplaces{path}", body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await show(visit, error)
    return visit.go("/live/map", "saved")
