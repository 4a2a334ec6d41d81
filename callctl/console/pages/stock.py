"""The seller's stock of numbers, and customers' wishes for others (004-13)."""

from typing import Any

from aiohttp import web

from callctl.console import choices
from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.forms import Form
from callctl.console.pages.accounts import names_of
from callctl.console.pages.wallet import own_currency
from callctl.core.errors import CallctlError
from callctl.core.numbers.kinds import Capability, NumberType
from callctl.core.numbers.requests import RequestState
from callctl.core.numbers.states import NumberState
from callctl.core.permissions import Scope

_FILTERS = ("state", "country", "pattern")
_MOST = 500
_FITTING = 10
"""Numbers of the stock that are proposed for a wish."""


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    stock = Scope.NUMBERS_STOCK
    return routes_of(
        desk,
        [
            ("GET", "/number-stock", listed, stock),
            ("GET", "/number-stock/load", load, stock),
            ("POST", "/number-stock/load", load_block, stock),
            ("POST", "/number-stock/load-file", load_file, stock),
            ("GET", "/number-stock/{number}", show, stock),
            ("POST", "/number-stock/{number}", save, stock),
            ("GET", "/customer-wishes", wishes, stock),
            ("GET", "/customer-wishes/{id}", wish, stock),
            ("POST", "/customer-wishes/{id}/offer", offer, stock),
            ("POST", "/customer-wishes/{id}/decline", decline, stock),
        ],
    )


async def listed(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {n: asked[n].strip() for n in _FILTERS if asked.get(n, "").strip()}
    if "country" in fields:
        fields["country"] = fields["country"].upper()
    page, error = None, None
    try:
        page = await visit.get("/number-stock", **fields, cursor=asked.get("cursor"))
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    loaded = asked.get("loaded", "")
    return visit.page(
        "selling/stock.html",
        error.status if error else 200,
        page=page,
        fields=fields,
        states=list(NumberState),
        names=await names_of(visit),
        loaded=int(loaded) if loaded.isdecimal() and len(loaded) < 10 else None,
        error=error,
    )


async def load(
    visit: Visit,
    error: CallctlError | None = None,
    form: Form | None = None,
    checked: int | None = None,
) -> web.Response:
    """`checked`: so many numbers would be loaded."""
    resellers: list[Any] = []
    if visit.may(Scope.ACCOUNTS_READ):
        resellers = (await visit.get("/accounts", kind="reseller", limit=_MOST)).items
    return visit.page(
        "selling/load.html",
        error.status if error else 200,
        resellers=[one for one in resellers if one.id != visit.account.id],
        own_currency=await own_currency(visit),
        choices=choices,
        types=list(NumberType),
        capabilities=list(Capability),
        checked=checked,
        form=form or Form(),
        error=error,
    )


@told_on(load)
async def load_block(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    currency = form.get("currency", "")
    body: dict[str, Any] = form.pick("first", "last", "area", "type", "account_id")
    body["capabilities"] = form.all("capabilities")
    for name in ("setup", "monthly"):
        body[name] = {"amount": form.amount(currency, name), "currency": currency}
    return await _loaded(visit, form, "/number-stock", body=body)


@told_on(load)
async def load_file(visit: Visit) -> web.StreamResponse:
    file, form = await visit.upload(), await visit.form()
    return await _loaded(visit, form, "/number-stock.csv", query=form.pick("account_id"), file=file)


async def _loaded(visit: Visit, form: Form, path: str, **sent: Any) -> web.Response:
    only_check = form.get("what") == "check"
    part = "body" if "body" in sent else "query"
    report = await visit.send("POST", path, **sent | {part: sent[part] | {"dry_run": only_check}})
    if only_check:
        return await load(visit, form=form, checked=report.loaded)
    return visit.go(f"/number-stock?loaded={report.loaded}")


async def show(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    return visit.page(
        "selling/number.html",
        error.status if error else 200,
        one=await _number(visit),
        names=await names_of(visit),
        choices=choices,
        form=form or Form(),
        error=error,
    )


async def _number(visit: Visit) -> Any:
    digits = visit.path("number").lstrip("+")
    if digits.isdecimal():
        for one in (await visit.get("/number-stock", pattern=f"+{digits}", limit=1)).items:
            return one
    raise CallctlError("not_found", "this number is not in the stock")


@told_on(show)
async def save(visit: Visit) -> web.StreamResponse:
    form, one = await visit.form(), await _number(visit)
    body: dict[str, Any] = {}
    if "for_sale" in form:
        body["for_sale"] = form["for_sale"] == "yes"
    if "currency" in form:
        currency = form["currency"]
        for name in ("setup", "monthly"):
            body[name] = {"amount": form.amount(currency, name), "currency": currency}
    await visit.send("PATCH", f"/number-stock/{one.id}", body)
    return visit.go(f"/number-stock/{one.number}", "saved")


async def wishes(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {"state": asked["state"]} if asked.get("state") in list(RequestState) else {}
    return visit.page(
        "selling/wishes.html",
        page=await visit.get(
            "/number-requests", side="customers", **fields, cursor=asked.get("cursor")
        ),
        fields=fields,
        names=await names_of(visit),
    )


async def wish(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    one = await visit.get(f"/number-requests/{visit.path('id')}")
    fitting = []
    if one.state is RequestState.REQUESTED:
        pattern = one.number or one.pattern
        fitting = (
            await visit.get(
                "/number-stock", state="available", country=one.country, pattern=pattern,
                limit=_MOST,
            )
        ).items  # fmt: skip
        area = one.area or ""
        fitting = [n for n in fitting if n.area_code == area or n.area.startswith(area)]
        fitting = [n for n in fitting if one.type in (None, n.type)][:_FITTING]
    return visit.page(
        "selling/wish.html",
        error.status if error else 200,
        one=one,
        fitting=fitting,
        names=await names_of(visit),
        form=form or Form(),
        error=error,
    )


@told_on(wish)
async def offer(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.pick("number", "hours", "answer")
    await visit.send("POST", f"/number-requests/{visit.path('id')}/offer", body)
    return visit.go("/customer-wishes", "offered")


@told_on(wish)
async def decline(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    path = f"/number-requests/{visit.path('id')}/decline"
    await visit.send("POST", path, form.sent("reason"))
    return visit.go("/customer-wishes", "declined")
