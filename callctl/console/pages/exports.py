"""Exports: ordered from a list, watched while they are made, fetched, verified."""

from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.pages.calls import decode_form, filters_as_query, filters_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_GOES_ON = ("queued", "running")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.EXPORTS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/exports", listed, write),
            ("POST", "/exports", order, write),
            ("POST", "/exports/verify", verify, write),
            ("GET", "/exports/{id}", show, write),
            ("POST", "/exports/{id}/cancel", cancel, write),
        ],
    )


async def order(visit: Visit) -> web.StreamResponse:
    """Of the calls: all that the list's form lets through. Of a report: as its page shows it."""
    form = await visit.form()
    source = form.get("source", "calls")
    sent = dict(parse_qsl(form.get("query", "")))
    filters: dict[str, Any] = sent
    if source == "calls":
        filters = filters_as_query((await filters_of(visit, decode_form(sent))).without_page())
        filters.pop("sort", None)
    body = {
        "source": source,
        "mode": "search" if filters else "all",
        "format": form.get("format", "csv"),
        "filters": filters,
    }
    made = await visit.send("POST", "/exports", body)
    return visit.go(f"/exports/{made.id}")


async def show(visit: Visit) -> web.StreamResponse:
    export = await visit.get(f"/exports/{visit.path('id')}")
    return visit.page("calls/export.html", export=export, goes_on=export.state in _GOES_ON)


async def cancel(visit: Visit) -> web.StreamResponse:
    await visit.send("POST", f"/exports/{visit.path('id')}/cancel")
    return visit.go(f"/exports/{visit.path('id')}")


async def listed(
    visit: Visit, verified: Any = None, error: CallctlError | None = None
) -> web.Response:
    cursor = visit.request.query.get("cursor")
    page = await visit.get("/exports", cursor=cursor)
    return visit.page(
        "calls/exports.html",
        error.status if error else 200,
        page=page,
        verified=verified,
        error=error,
    )


async def verify(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        verified = await visit.send("POST", "/exports/verify", {"sha256": form.get("sha256", "")})
    except CallctlError as error:
        if error.code != "invalid_field":
            raise
        return await listed(visit, error=error)
    return await listed(visit, verified)
