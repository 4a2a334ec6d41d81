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
    document = await visit.get("/routing", with_secrets=True)
    found = next((one for one in document.extensions if one.number == number), None)
    if found is None:
        raise CallctlError("not_found", f"there is no extension {number[:40]}")
    # Not the document: of a large house it takes 25 ms, in which no call gets its plan.
    extension: dict[str, Any] = msgspec.to_builtins(found)
    devices = await visit.get("/devices") if visit.may(Scope.CALLS_READ) else None
    return visit.page(
        "routing/phone.html",
        extension=extension,
        account=phone_account(visit, extension, devices),
    )
