"""Clients: the list, a card with its history, new ones, merging (R002-18, R003-40 to R003-45)."""

import hashlib
from typing import Any

import msgspec
from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import Form
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_FILTERS = ("q", "kind", "type", "group", "sort")
_FIELDS = ("type", "service_level", "nature", "address", "email", "notes")
_PROBLEMS = ("invalid_field", "already_exists", "conflict")
_HISTORY = 20
_FOUND = 10


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write, delete = Scope.CLIENTS_READ, Scope.CLIENTS_WRITE, Scope.CLIENTS_DELETE
    return routes_of(
        desk,
        [
            ("GET", "/clients", listed, read),
            ("GET", "/clients/new", new, write),
            ("POST", "/clients/new", create, write),
            ("GET", "/clients/{id}", show, read),
            ("GET", "/clients/{id}/edit", edit, write),
            ("POST", "/clients/{id}/edit", save, write),
            ("POST", "/clients/{id}/delete", remove, delete),
            ("GET", "/clients/{id}/merge", merge_with, delete),
            ("POST", "/clients/{id}/merge", merge, delete),
        ],
    )


async def listed(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {name: asked[name] for name in _FILTERS if asked.get(name)}
    return visit.page(
        "clients/list.html",
        page=await visit.get("/clients", **fields, cursor=asked.get("cursor")),
        fields=fields,
        types=await _types(visit),
        groups=(await visit.get("/client-groups", limit=200)).items,
        may_write=visit.may(Scope.CLIENTS_WRITE),
    )


async def _types(visit: Visit) -> list[Any]:
    return list((await visit.get("/client-types")).items)


async def show(visit: Visit) -> web.StreamResponse:
    client = await visit.get(f"/clients/{visit.path('id')}")
    calls: list[Any] = []
    if visit.may(Scope.CALLS_READ):
        calls = (await visit.get("/calls", client=client.id, limit=_HISTORY)).items
    hints = await visit.get("/display-hints") if calls else None
    return visit.page(
        "clients/card.html",
        client=client,
        days=words.by_day(calls, visit.language, hints.rules) if hints else [],
        may_write=visit.may(Scope.CLIENTS_WRITE),
        may_delete=visit.may(Scope.CLIENTS_DELETE),
        may_call=visit.may(Scope.CALLS_PLACE),
    )


async def new(visit: Visit) -> web.StreamResponse:
    return await _form(visit, None, Form([("numbers", visit.request.query.get("number", ""))]))


async def edit(visit: Visit) -> web.StreamResponse:
    client = await visit.get(f"/clients/{visit.path('id')}")
    as_it_is = _form_of(client)
    return await _form(visit, client, as_it_is, made_from=_digest(as_it_is))


def _form_of(client: Any) -> Form:
    """The form as it is before anybody writes in it."""
    fields = [(name, getattr(client, name) or "") for name in ("name", "kind", *_FIELDS)]
    numbers = "\n".join(f"{n.number} {n.label}".strip() for n in client.numbers)
    return Form([*fields, ("numbers", numbers)])


def _digest(form: Form) -> str:
    """What a form carries of what it was made from, so that it is seen at saving whether somebody
    saved another meanwhile. Of the fields alone: a call or a group changes none of them."""
    return hashlib.sha256(msgspec.json.encode(dict(form))).hexdigest()


async def _form(
    visit: Visit,
    client: Any,
    sent: Form,
    error: CallctlError | None = None,
    *,
    made_from: str = "",
    present: Form | None = None,
) -> web.Response:
    """`present`: what somebody else made of the client meanwhile, to be shown beside `sent`."""
    status = 200 if present is None else 409
    return visit.page(
        "clients/form.html",
        error.status if error else status,
        client=client,
        sent=sent,
        made_from=made_from,
        present=present,
        types=[one for one in await _types(visit) if not one.retired],
        error=error,
    )


async def create(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {**form.pick("name", "kind", *_FIELDS), "numbers": _numbers(form)}
    try:
        made = await visit.send("POST", "/clients", body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await _form(visit, None, form, error)
    return visit.go(f"/clients/{made.id}", "saved")


async def save(visit: Visit) -> web.StreamResponse:
    """Nothing is saved over what somebody else saved since the form was made."""
    form, id_ = await visit.form(), visit.path("id")
    client = await visit.get(f"/clients/{id_}")
    present = _form_of(client)
    made_from = _digest(present)
    if form.get("made_from") != made_from:
        return await _form(visit, client, form, made_from=made_from, present=present)
    body: dict[str, Any] = {**form.sent("name", *_FIELDS), "numbers": _numbers(form)}
    body["type"] = form.get("type") or None
    try:
        await visit.send("PATCH", f"/clients/{id_}", body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await _form(visit, client, form, error, made_from=made_from)
    return visit.go(f"/clients/{id_}", "saved")


def _numbers(form: Form) -> list[dict[str, str]]:
    """A number a line, with a word on it behind: ``+36 1 234 5678 office``."""
    found = []
    for line in form.get("numbers", "").splitlines():
        digits = len(line) - len(line.lstrip("+0123456789 -./()"))
        number, label = line[:digits].strip(), line[digits:].strip()
        if line.strip():
            found.append({"number": number or line.strip(), "label": label if number else ""})
    return found


async def remove(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/clients/{visit.path('id')}")
    return visit.go("/clients", "deleted")


async def merge_with(visit: Visit, error: CallctlError | None = None) -> web.Response:
    client = await visit.get(f"/clients/{visit.path('id')}")
    text = visit.request.query.get("q", "")
    found = (await visit.get("/clients", q=text, limit=_FOUND)).items if text else []
    return visit.page(
        "clients/merge.html",
        error.status if error else 200,
        client=client,
        text=text,
        found=[one for one in found if one.id != client.id],
        error=error,
    )


async def merge(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        await visit.send("POST", f"/clients/{visit.path('id')}/merge", form.pick("loser"))
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await merge_with(visit, error)
    return visit.go(f"/clients/{visit.path('id')}", "merged")
