"""The accounts below one's own: the tree, one with its money, new ones (R000-11, R004-02)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from callctl.console import choices
from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.forms import Form
from callctl.console.language import gettext as _
from callctl.console.pages.wallet import fields_of, period_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

KINDS = ("reseller", "enterprise")
_WHOLE_TREE = 300
"""So many accounts are shown as a tree; of more, those directly below, page by page."""
_PAGE = 50
_MOST = 500


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write = Scope.ACCOUNTS_READ, Scope.ACCOUNTS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/accounts", listed, read),
            ("GET", "/accounts/new", new, write),
            ("POST", "/accounts/new", create, write),
            ("GET", "/accounts/{id}", show, read),
            ("POST", "/accounts/{id}", save, write),
            ("POST", "/accounts/{id}/invite", invite, write),
            ("POST", "/accounts/{id}/spend", save_spend, write),
            ("POST", "/accounts/{id}/funds", give, Scope.LEDGER_ISSUE),
            ("POST", "/accounts/{id}/package", demand_package, Scope.PACKAGES_SELL),
            ("POST", "/accounts/{id}/tariff", assign_tariff, Scope.RATES_WRITE),
            ("GET", "/accounts/{id}/ledger", ledger, Scope.LEDGER_BELOW),
        ],
    )


@dataclass(frozen=True, slots=True)
class Row:
    """An account in the list, `depth` levels below the first. `wallet` and `package` are known of
    accounts directly below one's own."""

    account: Any
    depth: int
    wallet: Any
    package: Any


async def names_of(visit: Visit) -> dict[int, str]:
    """Account to its name, for lists that have ids only."""
    if not visit.may(Scope.ACCOUNTS_READ):
        return {}
    return {one.id: one.name for one in (await visit.get("/accounts", limit=_MOST)).items}


async def listed(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {name: asked[name].strip() for name in ("q", "kind") if asked.get(name, "").strip()}
    cursor, placed, next_ = asked.get("cursor"), None, None
    if not fields and not cursor:
        whole = await visit.get("/accounts", limit=_WHOLE_TREE)
        placed = None if whole.next else _tree(whole.items, visit.account.id)
    if placed is None:
        parent = None if fields else visit.account.id
        page = await visit.get("/accounts", **fields, parent_id=parent, limit=_PAGE, cursor=cursor)
        placed, next_ = [(one, 0) for one in page.items if one.parent_id], page.next
    return visit.page(
        "accounts/list.html",
        rows=await _with_money(visit, placed),
        next_=next_,
        fields=fields,
        kinds=KINDS,
        mine=await _mine(visit),
        may_write=visit.may(Scope.ACCOUNTS_WRITE),
    )


def _tree(accounts: Sequence[Any], root: int) -> list[tuple[Any, int]]:
    """Each below the one that it belongs to, with its depth, in the order of `accounts`."""
    below: dict[int, list[Any]] = {}
    for one in accounts:
        if one.parent_id is not None:
            below.setdefault(one.parent_id, []).append(one)
    placed, open_ = [], [(one, 0) for one in reversed(below.get(root, []))]
    while open_:
        account, depth = open_.pop()
        placed.append((account, depth))
        open_ += [(one, depth + 1) for one in reversed(below.get(account.id, []))]
    return placed


async def _with_money(visit: Visit, placed: Sequence[tuple[Any, int]]) -> list[Row]:
    direct = [one.id for one, _ in placed if one.parent_id == visit.account.id]
    wallets: dict[int, Any] = {}
    packages: dict[int, Any] = {}
    if direct and visit.may(Scope.LEDGER_BELOW):
        found = await visit.get("/wallets", account_id=direct, limit=_MOST)
        wallets = {one.account_id: one for one in found.items}
    if direct and visit.may(Scope.PACKAGES_SELL):
        found = await visit.get("/packages", account_id=direct, limit=_MOST)
        packages = {one.account_id: one for one in found.items}
    return [Row(one, depth, wallets.get(one.id), packages.get(one.id)) for one, depth in placed]


async def _mine(visit: Visit) -> Any:
    return await visit.get(f"/accounts/{visit.account.id}")


async def new(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None, made: Any = None
) -> web.Response:
    """`made`: with the invitation of its first administrator, which is shown this once."""
    accounts = (await visit.get("/accounts", limit=_MOST)).items
    return visit.page(
        "accounts/new.html",
        error.status if error else 200,
        parents=[one for one in accounts if one.kind != "enterprise"],
        parent=visit.request.query.get("below", visit.account.id),
        mine=await _mine(visit),
        kinds=KINDS,
        choices=choices,
        form=form or Form(),
        made=made,
        error=error,
    )


@told_on(new)
async def create(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body: dict[str, Any] = form.sent("code", "name", "kind")
    body |= form.pick("parent_id", "timezone", "country", "currency")
    made = await visit.send("POST", "/accounts", body | {"administrator": _administrator(form)})
    return await new(visit, made=made)


async def show(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None, issued: Any = None
) -> web.Response:
    account = await visit.get(f"/accounts/{visit.path('id')}")
    is_direct = account.parent_id == visit.account.id
    path = f"/accounts/{account.id}"
    below = []
    if account.kind != "enterprise":
        found = (await visit.get("/accounts", parent_id=account.id, limit=_MOST)).items
        below = await _with_money(visit, [(one, 0) for one in found])
    tariffs, assignments = [], []
    if is_direct and visit.may(Scope.RATES_READ):
        tariffs = (await visit.get("/tariffs", limit=_MOST)).items
        found = (await visit.get("/tariff-assignments", account_id=account.id, limit=20)).items
        assignments = [one for one in found if one.trunk is None]
    sees_money = is_direct and visit.may(Scope.LEDGER_BELOW)
    return visit.page(
        "accounts/account.html",
        error.status if error else 200,
        account=account,
        is_own=account.id == visit.account.id,
        above=await _above(visit, account),
        below=below,
        wallet=await visit.get(f"{path}/wallet") if sees_money else None,
        own_wallet=await visit.get("/wallet") if visit.may(Scope.LEDGER_READ) else None,
        spend=await visit.get(f"{path}/spend"),
        package=await visit.get(f"/packages/{account.id}")
        if is_direct and visit.may(Scope.PACKAGES_SELL)
        else None,
        tariffs=[one for one in tariffs if one.currency == account.currency],
        assignments=assignments,
        is_direct=is_direct,
        choices=choices,
        issued=issued,
        form=form or Form(),
        error=error,
    )


async def _above(visit: Visit, account: Any) -> list[Any]:
    """The accounts between one's own and this one, the uppermost first."""
    found: list[Any] = []
    parent = account.parent_id
    while parent is not None and parent != visit.account.id:
        found.insert(0, await visit.get(f"/accounts/{parent}"))
        parent = found[0].parent_id
    return found


@told_on(show)
async def save(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.sent("name", "timezone", "country", "currency")
    return await _changed(visit, "PATCH", f"/accounts/{visit.path('id')}", body)


@told_on(show)
async def save_spend(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body: dict[str, Any] = form.sent("mode")
    if form.get("credit_limit"):
        account = await visit.get(f"/accounts/{visit.path('id')}")
        body["credit_limit"] = form.amount(account.currency, "credit_limit")
    return await _changed(visit, "PUT", f"/accounts/{visit.path('id')}/spend", body)


@told_on(show)
async def demand_package(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {"required": form.ticked("required")}
    return await _changed(visit, "PATCH", f"/packages/{visit.path('id')}", body)


async def _changed(visit: Visit, method: str, path: str, body: Any) -> web.StreamResponse:
    await visit.send(method, path, body)
    return visit.go(f"/accounts/{visit.path('id')}", "saved")


@told_on(show)
async def invite(visit: Visit) -> web.StreamResponse:
    body = _administrator(await visit.form())
    try:
        issued = await visit.send("POST", f"/accounts/{visit.path('id')}/invitations", body)
    except CallctlError as error:
        # The account has a name, too, on the same page.
        field = (error.field or "").replace("body.", "body.administrator.")
        raise CallctlError(error.code, error.message, field or None) from None
    return await show(visit, issued=issued)


def _administrator(form: Form) -> dict[str, str]:
    """Raises CallctlError: whoever runs an account is somebody, not anybody with a link."""
    if not form.get("administrator.name"):
        message = _("write who is invited")
        raise CallctlError("invalid_field", message, "form.administrator.name")
    names = ("name", "email")
    return {n: form[f"administrator.{n}"] for n in names if form.get(f"administrator.{n}")}


@told_on(show)
async def give(visit: Visit) -> web.StreamResponse:
    """From one's own wallet or, as an operator, money that came from outside."""
    form = await visit.form()
    account = await visit.get(f"/accounts/{visit.path('id')}")
    body = {
        "account_id": account.id,
        "amount": form.amount(account.currency),
        "currency": account.currency,
        **form.sent("note"),
    }
    path = "/ledger/top-ups" if form.get("from") == "outside" else "/ledger/issues"
    await visit.send_once(form, "POST", path, body)
    return visit.go(f"/accounts/{account.id}", "given")


@told_on(show)
async def assign_tariff(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {
        "account_id": visit.path("id"),
        "tariff_id": form.get("tariff_id") or None,
        "since": form.moment("since", visit.language.zone),
    }
    await visit.send_once(form, "POST", "/tariff-assignments", body)
    return visit.go(f"/accounts/{visit.path('id')}", "saved")


async def ledger(visit: Visit) -> web.StreamResponse:
    fields = fields_of(visit, "class", "source")
    path, page, error = f"/accounts/{visit.path('id')}", None, None
    try:
        plain = {name: fields[name] for name in ("class", "source") if name in fields}
        query = period_of(visit, fields) | plain
        cursor = visit.request.query.get("cursor")
        page = await visit.get(f"{path}/ledger", **query, cursor=cursor)
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    return visit.page(
        "accounts/ledger.html",
        error.status if error else 200,
        account=await visit.get(path) if visit.may(Scope.ACCOUNTS_READ) else None,
        wallet=await visit.get(f"{path}/wallet"),
        page=page,
        fields=fields,
        error=error,
    )
