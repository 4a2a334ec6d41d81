"""Price lists: their rates, new versions with what they change shown first, who pays by which."""

from typing import Any

from aiohttp import web

from callctl.console import choices
from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.forms import Form
from callctl.console.pages.wallet import own_currency
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_MOST = 500
_CARRIER_SECONDS = 180
"""What trunks are compared by (docs/rates.md)."""


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write = Scope.RATES_READ, Scope.RATES_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/tariffs", listed, read),
            ("POST", "/tariffs", create, write),
            ("GET", "/tariffs/{id}", show, read),
            ("POST", "/tariffs/{id}/name", rename, write),
            ("POST", "/tariffs/{id}/imports", upload, write),
            ("GET", "/tariffs/{id}/imports/{import}", preview, write),
            ("POST", "/tariffs/{id}/imports/{import}/apply", apply, write),
            ("POST", "/tariffs/{id}/imports/{import}/discard", discard, write),
            ("GET", "/tariff-payers", payers, read),
            ("POST", "/tariff-payers", assign, write),
            ("GET", "/carrier-costs", carriers, read),
        ],
    )


async def listed(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    return visit.page(
        "selling/tariffs.html",
        error.status if error else 200,
        page=await visit.get("/tariffs", cursor=visit.request.query.get("cursor")),
        own_currency=await own_currency(visit),
        choices=choices,
        form=form or Form(),
        error=error,
    )


@told_on(listed)
async def create(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    made = await visit.send("POST", "/tariffs", form.sent("name", "currency", "timezone"))
    return visit.go(f"/tariffs/{made.id}", "tariff_made")


async def show(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    path, asked = f"/tariffs/{visit.path('id')}", visit.request.query
    tariff = await visit.get(path)
    fields = {n: asked[n].strip() for n in ("prefix", "version") if asked.get(n)}
    page = None
    try:
        page = await visit.get(f"{path}/rates", **fields, cursor=asked.get("cursor"))
    except CallctlError as caught:
        if caught.code not in ("invalid_field", "not_found"):
            raise
        error = error or caught
    return visit.page(
        "selling/tariff.html",
        error.status if error else 200,
        tariff=tariff,
        page=page,
        fields=fields,
        versions=(await visit.get(f"{path}/versions")).items,
        payers=[one for one in (await _payers(visit)).items if one.tariff_id == tariff.id],
        form=form or Form(),
        error=error,
    )


async def _payers(visit: Visit, cursor: str | None = None, limit: int = _MOST) -> Any:
    return await visit.get("/tariff-assignments", limit=limit, cursor=cursor)


@told_on(show)
async def rename(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    await visit.send("PATCH", f"/tariffs/{visit.path('id')}", form.sent("name"))
    return visit.go(f"/tariffs/{visit.path('id')}", "saved")


@told_on(show)
async def upload(visit: Visit) -> web.StreamResponse:
    """Changes nothing: what it would change is shown next."""
    file, form = await visit.upload(), await visit.form()
    path = f"/tariffs/{visit.path('id')}/imports"
    made = await visit.send("POST", path, query=form.pick("missing"), file=file)
    return visit.go(f"{path}/{made.id}")


async def preview(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    tariff = await visit.get(f"/tariffs/{visit.path('id')}")
    path = f"/tariffs/{tariff.id}/imports/{visit.path('import')}"
    return visit.page(
        "selling/import.html",
        error.status if error else 200,
        tariff=tariff,
        draft=await visit.get(path, cursor=visit.request.query.get("cursor")),
        form=form or Form(),
        error=error,
    )


@told_on(preview)
async def apply(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {"valid_from": form.moment("valid_from", visit.language.zone)}
    path = f"/tariffs/{visit.path('id')}"
    await visit.send_once(form, "POST", f"{path}/imports/{visit.path('import')}/apply", body)
    return visit.go(path, "version_made")


async def discard(visit: Visit) -> web.StreamResponse:
    path = f"/tariffs/{visit.path('id')}"
    await visit.send("DELETE", f"{path}/imports/{visit.path('import')}")
    return visit.go(path, "forgotten")


async def payers(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    accounts: list[Any] = []
    if visit.may(Scope.ACCOUNTS_READ):
        accounts = (await visit.get("/accounts", limit=_MOST)).items
    return visit.page(
        "selling/payers.html",
        error.status if error else 200,
        page=await _payers(visit, visit.request.query.get("cursor"), 50),
        tariffs=(await visit.get("/tariffs", limit=_MOST)).items,
        accounts=accounts,
        trunks=await _trunks(visit),
        form=form or Form(),
        error=error,
    )


async def _trunks(visit: Visit) -> list[str]:
    if not visit.may(Scope.ROUTING_READ):
        return []
    return [trunk.name for trunk in (await visit.get("/routing/trunks")).items]


@told_on(payers)
async def assign(visit: Visit) -> web.StreamResponse:
    """To an account or, with a trunk, to its carrier."""
    form = await visit.form()
    body = {
        "account_id": form.get("account_id") or visit.account.id,
        "tariff_id": form.get("tariff_id") or None,
        "since": form.moment("since", visit.language.zone),
        **form.pick("trunk"),
    }
    await visit.send_once(form, "POST", "/tariff-assignments", body)
    return visit.go("/tariff-payers", "saved")


async def carriers(visit: Visit) -> web.StreamResponse:
    """What each carrier of one's own trunks asks for a number, the cheapest first."""
    number, lines, error = visit.request.query.get("number", "").strip(), [], None
    try:
        if number:
            quoted = await visit.get("/rates/quote", number=number, seconds=_CARRIER_SECONDS)
            lines = [line for line in quoted.lines if line.side == "carrier"]
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    # A trunk without a price comes last, as when a call is placed.
    lines.sort(key=lambda line: (line.amount is None, line.amount or 0))
    return visit.page(
        "selling/carriers.html",
        error.status if error else 200,
        number=number,
        lines=lines,
        trunks=await _trunks(visit),
        seconds=_CARRIER_SECONDS,
        sees_routing=visit.may(Scope.ROUTING_READ),
        error=error,
    )
