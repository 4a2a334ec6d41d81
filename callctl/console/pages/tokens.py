"""Tokens for other systems: what they may do, until when."""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.filters import day_bounds
from callctl.core.errors import CallctlError
from callctl.core.permissions import SCOPE_MEANINGS, Scope


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.TOKENS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/tokens", listed, write),
            ("POST", "/tokens", issue, write),
            ("POST", "/tokens/{id}/revoke", revoke, write),
        ],
    )


async def listed(
    visit: Visit, error: CallctlError | None = None, issued: Any = None
) -> web.Response:
    return visit.page(
        "settings/tokens.html",
        error.status if error else 200,
        page=await visit.get("/tokens", cursor=visit.request.query.get("cursor")),
        scopes=[(s, m) for s, m in SCOPE_MEANINGS.items() if visit.may(s)],
        issued=issued,
        error=error,
    )


async def issue(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        _, until = day_bounds(None, form.get("last_day"), visit.language.zone)
        body = {"name": form.get("name", ""), "scopes": form.all("scope"), "expires_at": until}
        issued = await visit.send("POST", "/tokens", body)
    except CallctlError as error:
        if error.code not in ("invalid_field", "forbidden"):
            raise
        return await listed(visit, error)
    return await listed(visit, issued=issued)


async def revoke(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/tokens/{visit.path('id')}")
    return visit.go("/tokens", "revoked")
