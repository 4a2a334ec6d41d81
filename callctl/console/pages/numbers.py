"""Telephone numbers: one's own, those that can be bought, and wishes for others."""

from datetime import timedelta

from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import Form
from callctl.core.errors import CallctlError
from callctl.core.numbers.kinds import NumberType
from callctl.core.permissions import Scope
from callctl.features.numbers.model import NumberItem, OfferItem
from callctl.features.routing.structs import Document

_REFUSALS = (
    "invalid_field", "not_found", "conflict", "already_exists", "insufficient_funds",
    "currency_mismatch", "invalid_routing", "broken_expectation", "revision_conflict",
    "idempotency_conflict", "provider_unavailable", "asterisk_unavailable", "call_failed",
)  # fmt: skip
"""What is said on the page that one came from."""
_MOST_LOOKS = 120
"""So often the row of a number that is being tested is asked for again, every two seconds: longer
than any test lasts."""
_FILTERS = ("country", "area", "pattern", "type")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, buy_ = Scope.NUMBERS_READ, Scope.NUMBERS_BUY
    return routes_of(
        desk,
        [
            ("GET", "/numbers", own, read),
            ("POST", "/numbers/{id}/test", test, buy_),
            ("POST", "/numbers/{id}/default", make_default, buy_),
            ("GET", "/numbers/{id}/test", tested, Scope.CALLS_READ),
            ("GET", "/number-shop", shop, read),
            ("POST", "/number-shop/hold", hold, buy_),
            ("POST", "/number-shop/drop/{id}", drop, buy_),
            ("GET", "/number-shop/buy", confirm, buy_),
            ("POST", "/number-shop/buy", buy, buy_),
            ("GET", "/number-wishes", wishes, read),
            ("POST", "/number-wishes", wish, buy_),
            ("POST", "/number-wishes/{id}/withdraw", withdraw, buy_),
            ("POST", "/number-wishes/{id}/accept", accept, buy_),
        ],
    )


async def own(visit: Visit, error: CallctlError | None = None) -> web.Response:
    asked = visit.request.query
    looks = asked.get("look", "")
    look = int(looks) if looks.isascii() and looks.isdecimal() and len(looks) < 4 else 0
    cursor = asked.get("cursor")
    routing = await _routing(visit)
    return visit.page(
        "numbers/own.html",
        error.status if error else 200,
        page=await visit.get("/numbers", cursor=cursor),
        next_look=words.query({"cursor": cursor, "look": look + 1}) if look < _MOST_LOOKS else "",
        may_buy=visit.may(Scope.NUMBERS_BUY),
        is_free=is_free,
        ways=_ways(routing),
        labels={did.number: did.label for did in routing.dids} if routing else {},
        may_route=visit.may(Scope.ROUTING_WRITE),
        may_see_calls=visit.may(Scope.CALLS_READ),
        error=error,
    )


async def test(visit: Visit) -> web.StreamResponse:
    try:
        await visit.send("POST", f"/numbers/{visit.path('id')}/test")
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await own(visit, error)
    return visit.go("/numbers", "tested")


async def make_default(visit: Visit) -> web.StreamResponse:
    """The one that calls show from now on, where no other rule gives a number."""
    try:
        await visit.send("PATCH", f"/numbers/{visit.path('id')}", {"default": True})
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await own(visit, error)
    return visit.go("/numbers", "saved")


async def tested(visit: Visit) -> web.StreamResponse:
    """On to the record of the number's last test call; to all its calls where that is not there
    yet, or is not shown to the visitor."""
    number = await visit.get(f"/numbers/{visit.path('id')}")
    if number.tested_at is None:
        raise CallctlError("not_found", f"{number.number} was not tested")
    # Asterisk's clock may be a little behind the database's.
    since = (number.tested_at - timedelta(seconds=5)).isoformat()
    calls = await visit.get("/calls", number=number.number, since=since, sort="started_at")
    for call in calls.items:
        if call.did == number.number and call.trunk is None and call.from_number is None:
            return visit.go(f"/calls/{call.id}")
    return visit.go("/calls?" + words.query({"number": number.number}))


async def shop(visit: Visit, error: CallctlError | None = None) -> web.Response:
    asked = visit.request.query
    fields = {name: asked[name].strip() for name in _FILTERS if asked.get(name, "").strip()}
    if "country" in fields:
        fields["country"] = fields["country"].upper()
    page = None
    try:
        page = await visit.get("/number-offers", **fields, cursor=asked.get("cursor"))
    except CallctlError as caught:
        if caught.code not in _REFUSALS:
            raise
        error = caught
    return visit.page(
        "numbers/shop.html",
        error.status if error else 200,
        page=page,
        fields=fields,
        types=list(NumberType),
        holds=(await visit.get("/number-holds")).items,
        may_buy=visit.may(Scope.NUMBERS_BUY),
        error=error,
    )


async def hold(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send("POST", "/number-holds", form.sent("number") | form.pick("provider"))
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await shop(visit, error)
    return visit.go("/number-shop", "held")


async def drop(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/number-holds/{visit.path('id')}")
    return visit.go("/number-shop", "hold_dropped")


async def confirm(
    visit: Visit,
    error: CallctlError | None = None,
    form: Form | None = None,
    wish_id: str | None = None,
) -> web.Response:
    """The whole price before anything is paid. `wish_id`: of the wish that the number answers."""
    asked = visit.request.query.get("wish", "")
    number = (form or visit.request.query).get("number", "")
    routing = await _routing(visit)
    return visit.page(
        "numbers/buy.html",
        error.status if error else 200,
        offer=await _offer(visit, number),
        number=number,
        wish=wish_id or (asked if asked.isdecimal() else None),
        targets=await _targets(visit),
        wallet=await visit.get("/wallet") if visit.may(Scope.LEDGER_READ) else None,
        becomes_default=routing is not None and not routing.account.caller_id_number,
        form=form or {},
        error=error,
    )


async def buy(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await _require_price(visit, form, form.get("number", ""))
        body = form.sent("number", "to", "label")
        bought = await visit.send_once(form, "POST", "/numbers", body)
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await confirm(visit, error, form)
    return _owned(visit, bought)


async def wishes(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    cursor = visit.request.query.get("cursor")
    return visit.page(
        "numbers/wishes.html",
        error.status if error else 200,
        page=await visit.get("/number-requests", side="own", cursor=cursor),
        types=list(NumberType),
        may_buy=visit.may(Scope.NUMBERS_BUY),
        form=form or {},
        error=error,
    )


async def wish(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.pick("number", "country", "area", "pattern", "type", "note")
    if "country" in body:
        body["country"] = body["country"].upper()
    try:
        await visit.send_once(form, "POST", "/number-requests", body)
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await wishes(visit, error, form)
    return visit.go("/number-wishes", "wished")


async def withdraw(visit: Visit) -> web.StreamResponse:
    try:
        await visit.send("POST", f"/number-requests/{visit.path('id')}/withdraw")
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await wishes(visit, error)
    return visit.go("/number-wishes", "saved")


async def accept(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await _require_price(visit, form, form.get("number", ""))
        path = f"/number-requests/{visit.path('id')}/accept"
        bought = await visit.send_once(form, "POST", path, form.sent("to", "label"))
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await confirm(visit, error, form, visit.path("id"))
    return _owned(visit, bought)


def _owned(visit: Visit, bought: NumberItem) -> web.Response:
    """What was got, and what it has changed for calls out."""
    notice = "taken" if is_free(bought) else "bought"
    return visit.go("/numbers", f"{notice}_default" if bought.default else notice)


def is_free(number: NumberItem) -> bool:
    """Whether nothing was paid for it and nothing will be, as for one of one's own stock."""
    return not (number.setup.amount or number.monthly.amount)


async def _offer(visit: Visit, number: str) -> OfferItem | None:
    """What it would cost now; None where it is not for sale, or is sold."""
    if not number:
        return None
    held = (await visit.get("/number-holds")).items
    found = (await visit.get("/number-offers", pattern=number.lstrip("+"))).items
    return next((o for o in (*(h.offer for h in held), *found) if o.number == number), None)


async def _require_price(visit: Visit, form: Form, number: str) -> None:
    """What was shown is what is paid. Raises CallctlError("conflict")."""
    offer = await _offer(visit, number)
    # What is not offered any more has perhaps been bought by this very form.
    if offer is not None and form.get("first") != str(offer.first.amount):
        raise CallctlError("conflict", "the price is another one by now: look at it again")


async def _routing(visit: Visit) -> Document | None:
    """The account's routing, in which a number's label and the default one stand; None for who may
    not see it."""
    if not visit.may(Scope.ROUTING_READ):
        return None
    document: Document = await visit.get("/routing")
    return document


def _ways(routing: Document | None) -> dict[str, list[str]] | None:
    """Where calls to each number go, those that are not of a shop included."""
    if routing is None:
        return None
    return {
        did.number: [did.to] if isinstance(did.to, str) else list(did.to) for did in routing.dids
    }


async def _targets(visit: Visit) -> list[tuple[str, str]]:
    """Where a number's calls can go: each as the routing writes it, and its name."""
    if not visit.may(Scope.ROUTING_READ):
        return []
    found = [
        (f"extension:{one.number}", f"{one.number} {one.name}".strip())
        for one in (await visit.get("/routing/extensions")).items
    ]
    groups = (await visit.get("/routing/hunt_groups")).items
    return [*((f"hunt_group:{one.name}", one.name) for one in groups), *found]
