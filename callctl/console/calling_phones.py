"""Whose phone rings when somebody calls from a page: what may be chosen, and what was last."""

import re
from collections.abc import Iterable

from aiohttp import web

from callctl.console.desk import Visit
from callctl.console.forms import Form
from callctl.core.permissions import Scope
from callctl.features.events.model import LiveCallView
from callctl.http.fields import EXTENSION_NUMBER

_COOKIE = "callctl_phone"
_YEAR = 365 * 24 * 3600
MOST_SUGGESTED = 500
"""A number can be written that is not among them."""


async def calling_phones(visit: Visit) -> list[tuple[str, str]]:
    """Numbers and names of the extensions that the visitor may call from; none for who calls from
    the own one only."""
    if visit.actor.extensions is not None:
        return []
    if visit.may(Scope.ROUTING_READ):
        found = (await visit.get("/routing/extensions")).items
        return [(one.number, one.name) for one in found if one.enabled][:MOST_SUGGESTED]
    if visit.may(Scope.CALLS_READ):
        found = (await visit.get("/devices")).extensions
        return [(one.number, "") for one in found[:MOST_SUGGESTED]]
    return []


def is_extension(text: str) -> bool:
    """What comes from a browser: only what can be an extension's number is shown again."""
    return re.fullmatch(EXTENSION_NUMBER, text) is not None


def chosen_phone(visit: Visit) -> str:
    """As the form has it that was just sent, or as it was last chosen in this browser."""
    return (visit.sent or Form()).get("from", _last_phone(visit))


def _last_phone(visit: Visit) -> str:
    last = visit.request.cookies.get(_COOKIE, "")
    return last if is_extension(last) else ""


async def phones_to_listen(visit: Visit, calls: Iterable[LiveCallView]) -> dict[str, str]:
    """The phone to listen to each call by, by the call's id: the visitor's own, else the one that
    was last called from. None that is in the call itself, by which nobody could listen to it."""
    profile = await visit.get("/profile")
    wanted = (profile.phone or profile.extension, _last_phone(visit))
    found = {}
    for call in calls:
        inside = {call.extension, *call.ringing, *call.talking}
        found[call.call_id] = next((one for one in wanted if one and one not in inside), "")
    return found


def remember_phone(visit: Visit, response: web.Response) -> web.Response:
    """What the form that was sent has chosen; left empty it is the visitor's own again."""
    chosen = visit.sent.get("from") if visit.sent else None
    if chosen:
        response.set_cookie(
            _COOKIE,
            chosen,
            max_age=_YEAR,
            path="/",
            samesite="Lax",
            httponly=True,
            secure=visit.desk.origin.is_secure,
        )
    elif chosen is not None:
        response.del_cookie(_COOKIE, path="/")
    return response
