"""The package that the account has: its term, its seats, what more would cost."""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_REFUSALS = (
    "invalid_field", "not_found", "conflict", "already_exists", "package_required", "seats_taken",
    "quote_paid", "quote_expired", "quote_outdated", "insufficient_funds", "idempotency_conflict",
)  # fmt: skip
"""What is said on the page that one came from."""
_MOST = 500


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write = Scope.PACKAGES_READ, Scope.PACKAGES_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/package", show, read),
            ("POST", "/package/quote", quote, write),
            ("POST", "/package/pay", pay, write),
            ("POST", "/package/seats", add_member, write),
            ("POST", "/package/seats/{id}/free", remove_member, write),
        ],
    )


async def show(visit: Visit, error: CallctlError | None = None, quoted: Any = None) -> web.Response:
    may_buy = visit.may(Scope.PACKAGES_WRITE)
    seats = (await visit.get("/seats", limit=_MOST)).items
    seated = {one.user_id for one in seats}
    people = []
    if may_buy and visit.may(Scope.USERS_READ):
        people = (await visit.get("/users", limit=_MOST)).items
    return visit.page(
        "money/package.html",
        error.status if error else 200,
        package=await visit.get(f"/packages/{visit.account.id}"),
        seats=seats,
        others=[one for one in people if one.id not in seated],
        orders=(await visit.get("/quotes", paid=True, limit=20)).items,
        quoted=quoted,
        may_buy=may_buy,
        wallet=await visit.get("/wallet") if visit.may(Scope.LEDGER_READ) else None,
        error=error,
    )


async def quote(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        body = form.pick("purchase", "seats", "months")
        made = await visit.send_once(form, "POST", "/quotes", body)
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await show(visit, error)
    return await show(visit, quoted=made)


async def pay(visit: Visit) -> web.StreamResponse:
    """Exactly the quote that was shown."""
    form = await visit.form()
    id_ = form.get("quote", "")
    if not id_.isdecimal():
        raise CallctlError("not_found", "there is no such quote")
    try:
        await visit.send_once(form, "POST", f"/quotes/{id_}/pay")
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await show(visit, error)
    return visit.go("/package", "package_paid")


async def add_member(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send_once(form, "POST", "/seats", form.sent("user_id"))
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await show(visit, error)
    return visit.go("/package", "member_added")


async def remove_member(visit: Visit) -> web.StreamResponse:
    try:
        await visit.send("DELETE", f"/seats/{visit.path('id')}")
    except CallctlError as error:
        if error.code not in _REFUSALS:
            raise
        return await show(visit, error)
    return visit.go("/package", "member_removed")
