"""The account's money: its wallet and ledger, transfers to the superior, more money."""

from collections.abc import Mapping

from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.filters import day_bounds
from callctl.console.forms import Form
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_REFUSALS = (
    "invalid_field", "insufficient_funds", "currency_mismatch", "not_the_superior", "own_transfer",
    "transfer_final", "conflict", "idempotency_conflict", "payment_provider_unavailable",
    "payment_refused",
)  # fmt: skip
"""What is said on the page that one came from."""


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, pay = Scope.LEDGER_READ, Scope.PAYMENTS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/wallet", ledger, read),
            ("GET", "/transfers", transfers, read),
            ("POST", "/transfers", transfer, Scope.TRANSFERS_WRITE),
            ("POST", "/transfers/{id}/audit", audit, Scope.TRANSFERS_AUDIT),
            ("POST", "/transfers/{id}/delete", delete, Scope.TRANSFERS_WRITE),
            ("GET", "/top-up", top_up, read),
            ("POST", "/top-up/invoice", ask_for_invoice, pay),
            ("POST", "/top-up/pay", begin_payment, pay),
            ("POST", "/top-up/credit", credit, Scope.LEDGER_TOP_UP),
        ],
    )


def period_of(visit: Visit, fields: Mapping[str, str]) -> dict[str, str | None]:
    days = fields.get("first_day"), fields.get("last_day")
    since, until = day_bounds(*days, visit.language.zone)
    return {"since": since, "until": until}


def fields_of(visit: Visit, *names: str) -> dict[str, str]:
    asked = visit.request.query
    return {name: asked[name] for name in (*names, "first_day", "last_day") if asked.get(name)}


async def ledger(visit: Visit) -> web.StreamResponse:
    fields = fields_of(visit, "class", "source")
    page, error, chosen = None, None, ""
    try:
        plain = {name: fields[name] for name in ("class", "source") if name in fields}
        query = period_of(visit, fields) | plain
        page = await visit.get("/ledger", **query, cursor=visit.request.query.get("cursor"))
        chosen = words.query(query)
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    return visit.page(
        "money/ledger.html",
        error.status if error else 200,
        wallet=await visit.get("/wallet"),
        page=page,
        fields=fields,
        chosen=chosen,
        may_export=visit.may(Scope.EXPORTS_WRITE),
        error=error,
    )


async def transfers(visit: Visit, error: CallctlError | None = None) -> web.Response:
    fields = fields_of(visit, "state")
    page, chosen = None, ""
    may_make = visit.may(Scope.TRANSFERS_WRITE)
    try:
        query = period_of(visit, fields) | {"state": fields.get("state")}
        page = await visit.get("/transfers", **query, cursor=visit.request.query.get("cursor"))
        chosen = words.query(query)
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    return visit.page(
        "money/transfers.html",
        error.status if error else 200,
        wallet=await visit.get("/wallet"),
        targets=(await visit.get("/transfers/targets")).items if may_make else [],
        page=page,
        fields=fields,
        chosen=chosen,
        may_make=may_make,
        may_audit=visit.may(Scope.TRANSFERS_AUDIT),
        may_export=visit.may(Scope.EXPORTS_WRITE),
        error=error,
    )


async def transfer(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send_once(
            form, "POST", "/transfers", await _money(visit, form) | form.sent("target", "note")
        )
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await transfers(visit, error)
    return visit.go("/transfers", "transfer_made")


async def audit(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        made = await visit.send_once(
            form, "PATCH", f"/transfers/{visit.path('id')}", form.sent("state", "note")
        )
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await transfers(visit, error)
    return visit.go("/transfers", made.state)


async def delete(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send_once(form, "DELETE", f"/transfers/{visit.path('id')}")
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await transfers(visit, error)
    return visit.go("/transfers", "deleted")


async def top_up(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    asked = visit.request.query
    may_pay = visit.may(Scope.PAYMENTS_WRITE)
    return visit.page(
        "money/top_up.html",
        error.status if error else 200,
        wallet=await visit.get("/wallet"),
        requests=await visit.get("/invoice-requests", cursor=asked.get("cursor")),
        payments=(await visit.get("/payments", limit=10)).items,
        # Nobody is above the operator to invoice it: money comes in as it says.
        may_credit=visit.may(Scope.LEDGER_TOP_UP),
        may_pay=may_pay,
        pays_online=visit.desk.pays_online,
        form=form or {},
        error=error,
    )


async def ask_for_invoice(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        who = form.sent("legal_name", "tax_number", "address", "note")
        await visit.send_once(form, "POST", "/invoice-requests", await _money(visit, form) | who)
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await top_up(visit, error, form)
    return visit.go("/top-up", "invoice_asked")


async def begin_payment(visit: Visit) -> web.StreamResponse:
    """The payment stands in the list from then on, with the link to where it is paid."""
    form = await visit.form()
    try:
        await visit.send_once(form, "POST", "/payments", await _money(visit, form))
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await top_up(visit, error)
    return visit.go("/top-up")


@told_on(top_up)
async def credit(visit: Visit) -> web.StreamResponse:
    """Money that came to the operator from outside."""
    form = await visit.form()
    body = await _money(visit, form) | form.sent("note")
    await visit.send_once(form, "POST", "/ledger/top-ups", body)
    return visit.go("/top-up", "credited")


async def own_currency(visit: Visit) -> str:
    """What one's own account pays in, as forms propose it; empty for whoever may not see it."""
    return (await visit.get("/wallet")).currency if visit.may(Scope.LEDGER_READ) else ""


async def _money(visit: Visit, form: Form) -> dict[str, int | str]:
    """What the form says, in the wallet's currency. Raises CallctlError("invalid_field")."""
    currency = (await visit.get("/wallet")).currency
    return {"amount": form.amount(currency), "currency": currency}
