"""What is sold to the accounts directly below: packages and their prices, money by invoice."""

from typing import Any

from aiohttp import web

from callctl.console import choices
from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.forms import Form
from callctl.console.pages.accounts import names_of
from callctl.console.pages.wallet import own_currency
from callctl.core.errors import CallctlError
from callctl.core.packages import PackageState
from callctl.core.permissions import Scope

INVOICE_STATES = ("requested", "invoiced", "paid", "declined")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    sell, invoices = Scope.PACKAGES_SELL, Scope.INVOICES_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/package-sales", packages, sell),
            ("POST", "/package-sales", save_terms, sell),
            ("GET", "/invoicing", invoicing, invoices),
            ("POST", "/invoicing/{id}", answer, invoices),
        ],
    )


async def packages(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    asked = visit.request.query
    fields = {"state": asked["state"]} if asked.get("state") in list(PackageState) else {}
    page = await visit.get("/packages", **fields, cursor=asked.get("cursor"))
    return visit.page(
        "selling/packages.html",
        error.status if error else 200,
        page=page,
        sold=[one for one in page.items if one.account_id != visit.account.id],
        fields=fields,
        states=list(PackageState),
        terms=await visit.get("/package-terms"),
        choices=choices,
        own_currency=await own_currency(visit),
        form=form or Form(),
        error=error,
    )


@told_on(packages)
async def save_terms(visit: Visit) -> web.StreamResponse:
    """Prices are rows of a table; one whose amount is empty goes."""
    form = await visit.form()
    rows = zip(form.column("price"), form.column("price_currency"), strict=False)
    prices = [
        {"amount": Form([("price", text)]).amount(currency, "price"), "currency": currency}
        for text, currency in rows
        if text
    ]
    body: dict[str, Any] = {"prices": prices, "reminder_days": form.lines("reminder_days")}
    await visit.send("PUT", "/package-terms", body)
    return visit.go("/package-sales", "saved")


async def invoicing(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    asked = visit.request.query
    fields = {"state": asked["state"]} if asked.get("state") in INVOICE_STATES else {}
    return visit.page(
        "selling/invoicing.html",
        error.status if error else 200,
        page=await visit.get("/invoicing", **fields, cursor=asked.get("cursor")),
        fields=fields,
        names=await names_of(visit),
        answered=visit.request.match_info.get("id"),
        form=form or Form(),
        error=error,
    )


@told_on(invoicing)
async def answer(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body: dict[str, Any] = form.sent("state")
    if form.get("state") == "invoiced":
        body |= form.sent("invoice_number")
    if form.get("state") == "declined":
        body |= form.sent("reason")
    await visit.send_once(form, "PATCH", f"/invoicing/{visit.path('id')}", body)
    return visit.go("/invoicing", f"invoice_{body.get('state')}")
