"""One call: what happened, why, how it sounds, what was noted; and what one can do about it."""

import secrets
from typing import Any

from aiohttp import web

from callctl.console.calling_phones import calling_phones, chosen_phone, remember_phone
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import local_path
from callctl.console.story import tell_attempts
from callctl.console.timeline import WIDTH, build_timeline
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.calls.hints import find_hint

_CALL_PROBLEMS = (
    "asterisk_unavailable", "call_failed", "call_uncertain", "idempotency_conflict",
    "invalid_field", "package_required",
)  # fmt: skip


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(
        desk,
        [
            ("GET", "/calls/{id}", show, Scope.CALLS_READ),
            ("POST", "/calls/{id}/call-back", call_back, Scope.CALLS_PLACE),
            ("POST", "/calls/{id}/notes", note, Scope.CALLS_ANNOTATE),
            ("POST", "/call", place, Scope.CALLS_PLACE),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    detail = await visit.get(f"/calls/{visit.path('id')}")
    hints = await visit.get("/display-hints")
    return visit.page(
        "calls/detail.html",
        error.status if error else 200,
        detail=detail,
        call=detail.call,
        client=await _client(visit, detail.call.client_id),
        hint=find_hint(detail.call, hints.rules),
        bars=build_timeline(detail),
        story=tell_attempts(detail.attempts),
        width=WIDTH,
        may_listen=visit.may(Scope.RECORDINGS_READ),
        may_call=visit.may(Scope.CALLS_PLACE),
        phones=await calling_phones(visit),
        phone=chosen_phone(visit),
        may_note=visit.may(Scope.CALLS_ANNOTATE),
        may_block=visit.may(Scope.ROUTING_WRITE),
        may_add_client=visit.may(Scope.CLIENTS_WRITE),
        key=secrets.token_urlsafe(16),
        error=error,
    )


async def _client(visit: Visit, client: int | None) -> Any:
    """The client's card, for whoever may see clients."""
    if client is None or not visit.may(Scope.CLIENTS_READ):
        return None
    try:
        return await visit.get(f"/clients/{client}")
    except CallctlError as error:
        if error.code != "not_found":
            raise
        return None


async def call_back(visit: Visit) -> web.StreamResponse:
    """Ring one's own phone, or that of another extension, and let it dial the other party."""
    form = await visit.form()
    call = visit.path("id")
    order: dict[str, Any] = {"call": call, **form.pick("from")}
    try:
        await _order(visit, order, form.get("key"))
    except CallctlError as error:
        if error.code not in _CALL_PROBLEMS:
            raise
        return await show(visit, error)
    return remember_phone(visit, visit.go(f"/calls/{call}", "placed"))


async def place(visit: Visit) -> web.StreamResponse:
    """Call a number from wherever it stands; back to that page then. What is refused is said
    beside the question which phone shall ring."""
    form = await visit.form()
    back = local_path(form.get("back"), "/calls")
    try:
        await _order(visit, form.pick("to", "client", "from"), form.get("key"))
    except CallctlError as error:
        if error.code not in _CALL_PROBLEMS:
            raise
        return visit.page(
            "calls/place.html",
            error.status,
            form=form,
            back=back,
            phones=await calling_phones(visit),
            phone=chosen_phone(visit),
            error=error,
        )
    return remember_phone(visit, visit.go(back, "placed"))


async def _order(visit: Visit, order: dict[str, Any], key: str | None) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    await visit.send("POST", "/calls", order, headers=headers)


async def note(visit: Visit) -> web.StreamResponse:
    body = (await visit.form()).pick("problem", "solution")
    try:
        await visit.send("POST", f"/calls/{visit.path('id')}/notes", body)
    except CallctlError as error:
        if error.code != "invalid_field":
            raise
        return await show(visit, error)
    return visit.go(f"/calls/{visit.path('id')}", "saved")
