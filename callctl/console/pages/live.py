"""Calls that go on now, extensions and trunks; a script keeps the page up to date."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from callctl.console import words
from callctl.console.calling_phones import is_extension, phones_to_listen
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.language import gettext
from callctl.console.words import Badge
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.devices.model import DevicesView
from callctl.features.events.model import LiveView


@dataclass(frozen=True, slots=True)
class Phone:
    """An extension as it is shown: what it does, or whether it could."""

    number: str
    name: str
    look: Badge


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    control, recordings = Scope.CALLS_CONTROL, Scope.RECORDINGS_CONTROL
    return routes_of(
        desk,
        [
            ("GET", "/live", show, Scope.CALLS_READ),
            ("POST", "/live/{uniqueid}/pause", pause, recordings),
            ("POST", "/live/{uniqueid}/resume", resume, recordings),
            ("POST", "/live/{uniqueid}/hangup", hang_up, control),
            ("POST", "/live/{uniqueid}/transfer", transfer, control),
            ("POST", "/live/{uniqueid}/supervise", supervise, Scope.CALLS_LISTEN),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None) -> web.Response:
    view, devices = await visit.get("/calls/live"), await visit.get("/devices")
    phones = await list_phones(visit, view, devices)
    may_listen = visit.may(Scope.CALLS_LISTEN)
    acted_on = visit.request.match_info.get("uniqueid") if error else None
    return visit.page(
        "live/live.html",
        error.status if error else 200,
        view=view,
        devices=devices,
        phones=phones,
        trunk_hosts=await _trunk_hosts(visit),
        map=await visit.get("/workplaces"),
        phone_of={phone.number: phone for phone in phones},
        may_record=visit.may(Scope.RECORDINGS_CONTROL),
        may_control=visit.may(Scope.CALLS_CONTROL),
        may_listen=may_listen,
        may_arrange=visit.may(Scope.SETTINGS_WRITE),
        suggested=[(phone.number, phone.name) for phone in phones],
        listen_by=await phones_to_listen(visit, view.items) if may_listen else {},
        error=error,
        # The call whose dialog says what is wrong; without it the page does.
        failed=acted_on if acted_on in {call.call_id for call in view.items} else None,
        notice=_phone_rings(visit),
    )


def _phone_rings(visit: Visit) -> str | None:
    """Asterisk was told to ring it: that somebody picks it up is not said."""
    phone = visit.request.query.get("phone", "")
    if not is_extension(phone):
        return None
    text = gettext("The phone of {phone} rings: once it is picked up, it hears the call.")
    return text.format(phone=phone)


async def list_phones(visit: Visit, view: LiveView, devices: DevicesView) -> list[Phone]:
    """Those whose calls one sees; whoever may not read the routing knows them by number only."""
    known: dict[str, Any] = {}
    if visit.may(Scope.ROUTING_READ):
        found = (await visit.get("/routing/extensions")).items
        known = {one.number: one for one in found}
    doing = activities(view)
    reach = {device.number: device.state for device in devices.extensions}
    is_known = view.live and devices.live
    numbers = dict.fromkeys(
        [*(d.number for d in devices.extensions), *(visit.actor.extensions or ())]
    )
    return [
        Phone(
            number,
            known[number].name if number in known else "",
            _look(
                doing.get(number),
                reach.get(number) if is_known else "unknown",
                number in known and known[number].dnd,
            ),
        )
        for number in numbers
    ]


def activities(view: LiveView) -> dict[str, Badge]:
    """What each extension does that has a part in a call."""
    doing: dict[str, Badge] = {}
    for call in view.items:
        supervises = words.supervision(call.feature, call.to_number)
        for party in _parties(call.extension, *call.talking):
            talks = party in call.talking and call.feature is None
            found = supervises or words.PHONES["talking" if talks else "calling"]
            doing.setdefault(party, found)
        for party in call.ringing:
            doing[party] = words.PHONES["ringing"]
    return doing


def _parties(*found: str | None) -> Iterable[str]:
    return dict.fromkeys(party for party in found if party)


def _look(does: Badge | None, reach: str | None, dnd: bool) -> Badge:
    state = "dnd" if dnd else reach or "free"
    return does or words.PHONES.get(state) or words.PHONES["free"]


async def _trunk_hosts(visit: Visit) -> dict[str, str]:
    if not visit.may(Scope.ROUTING_READ):
        return {}
    return {trunk.name: trunk.host for trunk in (await visit.get("/routing/trunks")).items}


async def pause(visit: Visit) -> web.StreamResponse:
    return await _act(visit, "recording/pause", "paused")


async def resume(visit: Visit) -> web.StreamResponse:
    return await _act(visit, "recording/resume", "resumed")


async def hang_up(visit: Visit) -> web.StreamResponse:
    return await _act(visit, "hangup", "hung_up")


async def transfer(visit: Visit) -> web.StreamResponse:
    body = (await visit.form()).pick("to", "extension")
    return await _act(visit, "transfer", "transferred", body)


async def supervise(visit: Visit) -> web.StreamResponse:
    """The phone is not remembered: what rings here once is not what one calls from."""
    body = (await visit.form()).pick("mode", "extension", "from")
    try:
        told = await visit.send("POST", f"/calls/live/{visit.path('uniqueid')}/supervise", body)
    except CallctlError as error:
        return await show(visit, error)
    return visit.go("/live?" + urlencode({"phone": told.target}))


async def _act(
    visit: Visit, verb: str, notice: str, body: dict[str, Any] | None = None
) -> web.StreamResponse:
    try:
        await visit.send("POST", f"/calls/live/{visit.path('uniqueid')}/{verb}", body)
    except CallctlError as error:
        return await show(visit, error)
    return visit.go("/live", notice)
