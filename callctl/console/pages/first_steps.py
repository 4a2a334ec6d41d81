"""An empty system: to the first extension, the first phone, the first call, the first number.

What is done is told by what there is: a phone is there once Asterisk reaches it, a call once it is
in the history.
"""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.pages.routing import document_of, revision_of
from callctl.console.phone_account import phone_account
from callctl.core.devices import DeviceState
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.devices.model import DevicesView

_ECHO = "*43"
_CALL_PROBLEMS = (
    "asterisk_unavailable", "call_failed", "call_uncertain", "invalid_field", "package_required",
)  # fmt: skip


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.ROUTING_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/first-steps", show, write),
            ("POST", "/first-steps/extension", add_extension, write),
            ("POST", "/first-steps/call", call, Scope.CALLS_PLACE),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    """Shown again and again by its script, so that a step is ticked as soon as it is done."""
    document = await document_of(visit, with_secrets=True)
    extensions = document.get("extensions", [])
    extension = extensions[0] if extensions else None
    devices = await visit.get("/devices") if visit.may(Scope.CALLS_READ) else None
    return visit.page(
        "first_run/first_steps.html",
        error.status if error else 200,
        extension=extension,
        account=phone_account(visit, extension, devices) if extension else None,
        echo=_ECHO,
        trunk=_trunk(devices),
        has_call=await _has_call(visit, extension),
        has_trunk=bool(document.get("trunks")),
        has_number=bool(document.get("dids")),
        may_call=visit.may(Scope.CALLS_PLACE),
        error=error,
    )


def _trunk(devices: DevicesView | None) -> DeviceState | None:
    """How the one stands that is reached best."""
    if devices is None or not devices.live:
        return None
    there = {trunk.state for trunk in devices.trunks}
    return next((state for state in DeviceState if state in there), None)


async def _has_call(visit: Visit, extension: dict[str, Any] | None) -> bool:
    if extension is None or not visit.may(Scope.CALLS_READ):
        return False
    calls = await visit.get("/calls", extension=extension["number"], limit=1)
    return bool(calls.items)


async def add_extension(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    document = await document_of(visit)
    new = {"number": form.get("number", ""), "name": form.get("name", "")}
    changed = {**document, "extensions": [*document.get("extensions", []), new]}
    try:
        await visit.send("PUT", "/routing", changed, query={"revision": await revision_of(visit)})
    except CallctlError as error:
        if error.code not in ("invalid_routing", "invalid_field", "already_exists"):
            raise
        return await show(visit, error)
    return visit.go("/first-steps", "saved")


async def call(visit: Visit) -> web.StreamResponse:
    """Ring the first phone, and let it hear itself."""
    form = await visit.form()
    try:
        await visit.send("POST", "/calls", {"from": form.get("from", ""), "to": _ECHO})
    except CallctlError as error:
        if error.code not in _CALL_PROBLEMS:
            raise
        return await show(visit, error)
    return visit.go("/first-steps", "placed")
