"""Connecting a phone to an extension: what to scan or enter, and whether it has registered."""

from typing import Any

import msgspec
from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.phone_account import phone_account
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/routing/phone", show, Scope.ROUTING_WRITE)])


async def show(visit: Visit) -> web.Response:
    """Shown again and again by its script, so that a phone is seen to register."""
    number = visit.request.query.get("number", "")
    document: dict[str, Any] = msgspec.to_builtins(await visit.get("/routing", with_secrets=True))
    extensions = document.get("extensions", [])
    extension = next((one for one in extensions if one["number"] == number), None)
    if extension is None:
        raise CallctlError("not_found", f"there is no extension {number}")
    devices = await visit.get("/devices") if visit.may(Scope.CALLS_READ) else None
    return visit.page(
        "routing/phone.html",
        extension=extension,
        account=phone_account(visit, extension, devices),
    )
