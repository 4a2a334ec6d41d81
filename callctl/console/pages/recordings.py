"""Recordings: found by their call and by what the conversation was like; favourites."""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.filters import day_bounds
from callctl.console.forms import local_path
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_PLAIN = ("number", "extension", "direction", "min_seconds", "favourite", "downloaded", "held")
_DAYS = ("first_day", "last_day")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read = Scope.RECORDINGS_READ
    return routes_of(
        desk,
        [
            ("GET", "/recordings", listed, read),
            ("POST", "/recordings/{id}/favourite", favourite, read),
        ],
    )


async def listed(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {name: asked[name] for name in (*_PLAIN, *_DAYS) if asked.get(name)}
    error: CallctlError | None = None
    page: Any = None
    try:
        since, until = day_bounds(
            fields.get("first_day"), fields.get("last_day"), visit.language.zone
        )
        plain = {name: fields[name] for name in _PLAIN if name in fields}
        page = await visit.get(
            "/recordings", **plain, since=since, until=until, cursor=asked.get("cursor")
        )
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    return visit.page(
        "recordings/list.html",
        422 if error else 200,
        page=page,
        fields=fields,
        error=error,
        may_mark=visit.actor.user_id is not None,
    )


async def favourite(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    marked, back = not form.ticked("off"), local_path(form.get("back"), "/recordings")
    await visit.send("PUT" if marked else "DELETE", f"/recordings/{visit.path('id')}/favourite")
    if visit.is_partial:
        one = {"id": visit.path("id"), "favourite": marked}
        return visit.page("recordings/favourite.html", one=one, back=back)
    return visit.go(back)
