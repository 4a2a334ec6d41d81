"""Routing: what there is, trying it, its history."""

from typing import Any

import msgspec
from aiohttp import web

from callctl.console.calling_phones import MOST_SUGGESTED, calling_phones, chosen_phone
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.routing_objects import KINDS, fields_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

TRY_FIELDS = ("from", "to", "at")
_SHOWN = 50


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read = Scope.ROUTING_READ
    return routes_of(
        desk,
        [
            ("GET", "/routing", overview, read),
            ("GET", "/routing/try", try_it, read),
            ("GET", "/routing/history", history, read),
        ],
    )


async def document_of(visit: Visit, *, with_secrets: bool = False) -> dict[str, Any]:
    """The account's routing as plain values; applying it changes nothing."""
    found = await visit.get("/routing", with_secrets=with_secrets)
    document: dict[str, Any] = msgspec.to_builtins(found)
    return document


async def revision_of(visit: Visit) -> int | None:
    """The last revision, so that a change over somebody else's is refused."""
    newest = (await visit.get("/routing/history", limit=1)).items
    return newest[0].id if newest else None


def extension_numbers(document: dict[str, Any]) -> list[str]:
    return [str(one["number"]) for one in document.get("extensions", [])]


async def overview(visit: Visit) -> web.StreamResponse:
    document = await document_of(visit)
    shown = visit.request.query.get("kind", "dids")
    kind = KINDS.get(shown, KINDS["dids"])
    added, numbers = visit.request.query.get("added"), extension_numbers(document)
    may_write = visit.may(Scope.ROUTING_WRITE)
    return visit.page(
        "routing/overview.html",
        kinds=KINDS.values(),
        kind=kind,
        objects=[fields_of(as_object(one, kind.key)) for one in document.get(kind.field, [])],
        counts={field: len(document.get(field, [])) for field in KINDS},
        account=fields_of(document["account"]),
        added=added if may_write and added in numbers else None,
        may_write=may_write,
    )


def as_object(one: Any, key: str) -> dict[str, Any]:
    """An object that is written as its key alone, as ``withheld``, with its field's name."""
    return one if isinstance(one, dict) else {key: one}


async def try_it(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {name: asked[name].strip() for name in TRY_FIELDS if asked.get(name, "").strip()}
    plan, error = None, None
    if "from" in fields and "to" in fields:
        try:
            plan = await visit.send("POST", "/routing/explain", fields)
        except CallctlError as caught:
            if caught.code not in ("invalid_field", "not_found"):
                raise
            error = caught
    phones = await calling_phones(visit)
    caller = fields.get("from", "")
    return visit.page(
        "routing/try.html",
        error.status if error else 200,
        fields=fields,
        plan=plan,
        parties=parties_of(await document_of(visit)),
        may_call=visit.may(Scope.CALLS_PLACE),
        phones=phones,
        phone=caller if caller in dict(phones) else chosen_phone(visit),
        error=error,
    )


def parties_of(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Who may call or be called, each with a name: extensions, numbers, groups."""
    found = [
        (one.get("number"), one.get(name))
        for kind, name in (("extensions", "name"), ("dids", "label"), ("hunt_groups", "name"))
        for one in document.get(kind, [])
    ]
    return [(str(number), name or "") for number, name in found if number][:MOST_SUGGESTED]


async def history(visit: Visit) -> web.StreamResponse:
    """Newest first; what each changed is told against the one before it."""
    cursor = visit.request.query.get("cursor")
    page = await visit.get("/routing/history", limit=_SHOWN, cursor=cursor)
    return visit.page(
        "routing/history.html",
        page=page,
        newest=cursor is None,
        may_write=visit.may(Scope.ROUTING_WRITE),
    )
