"""The lists that clients are sorted by: groups with their members, types in their order."""

from typing import Any

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of, told_on
from callctl.console.forms import Form
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_FOUND = 10


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write, delete = Scope.CLIENTS_READ, Scope.CLIENTS_WRITE, Scope.CLIENTS_DELETE
    types_ = Scope.CLIENTS_SETTINGS
    return routes_of(
        desk,
        [
            ("GET", "/client-groups", groups, read),
            ("POST", "/client-groups", add_group, write),
            ("GET", "/client-groups/{id}", group, read),
            ("POST", "/client-groups/{id}", rename_group, write),
            ("POST", "/client-groups/{id}/delete", delete_group, delete),
            ("POST", "/client-groups/{id}/members", add_member, write),
            ("POST", "/client-groups/{id}/members/{client}/remove", remove_member, write),
            ("GET", "/client-types", types, read),
            ("POST", "/client-types", add_type, types_),
            ("POST", "/client-types/{id}", save_type, types_),
            ("POST", "/client-types/{id}/move", move_type, types_),
        ],
    )


async def groups(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    return visit.page(
        "clients/groups.html",
        error.status if error else 200,
        page=await visit.get("/client-groups", cursor=visit.request.query.get("cursor")),
        form=form or Form(),
        error=error,
    )


@told_on(groups)
async def add_group(visit: Visit) -> web.StreamResponse:
    made = await visit.send("POST", "/client-groups", (await visit.form()).sent("name"))
    return visit.go(f"/client-groups/{made.id}", "saved")


async def group(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    one, asked = await visit.get(f"/client-groups/{visit.path('id')}"), visit.request.query
    members = await visit.get("/clients", group=one.id, cursor=asked.get("cursor"))
    text = asked.get("q", "").strip()
    found = (await visit.get("/clients", q=text, limit=_FOUND)).items if text else []
    return visit.page(
        "clients/group.html",
        error.status if error else 200,
        group=one,
        page=members,
        text_asked=text,
        found=[client for client in found if one.id not in {g.id for g in client.groups}],
        form=form or Form(),
        error=error,
    )


@told_on(group)
async def rename_group(visit: Visit) -> web.StreamResponse:
    path = f"/client-groups/{visit.path('id')}"
    await visit.send("PUT", path, (await visit.form()).sent("name"))
    return visit.go(path, "saved")


async def delete_group(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/client-groups/{visit.path('id')}")
    return visit.go("/client-groups", "deleted")


@told_on(group)
async def add_member(visit: Visit) -> web.StreamResponse:
    path = f"/client-groups/{visit.path('id')}"
    await visit.send("POST", f"{path}/members", {"clients": (await visit.form()).all("client")})
    return visit.go(path, "saved")


async def remove_member(visit: Visit) -> web.StreamResponse:
    path = f"/client-groups/{visit.path('id')}"
    await visit.send("DELETE", f"{path}/members/{visit.path('client')}")
    return visit.go(path, "saved")


async def _types(visit: Visit) -> list[Any]:
    return list((await visit.get("/client-types")).items)


async def types(
    visit: Visit, error: CallctlError | None = None, form: Form | None = None
) -> web.Response:
    return visit.page(
        "clients/types.html",
        error.status if error else 200,
        types=await _types(visit),
        # Of a type that was being renamed, the name is said there.
        renamed=visit.request.match_info.get("id"),
        form=form or Form(),
        error=error,
    )


@told_on(types)
async def add_type(visit: Visit) -> web.StreamResponse:
    await visit.send("POST", "/client-types", (await visit.form()).sent("name"))
    return visit.go("/client-types", "saved")


@told_on(types)
async def save_type(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body: dict[str, Any] = form.sent("name")
    if "retired" in form:
        body["retired"] = form["retired"] == "yes"
    await visit.send("PATCH", f"/client-types/{visit.path('id')}", body)
    return visit.go("/client-types", "saved")


@told_on(types)
async def move_type(visit: Visit) -> web.StreamResponse:
    """One place up or down."""
    form = await visit.form()
    ids = [str(one.id) for one in await _types(visit)]
    if visit.path("id") not in ids:
        raise CallctlError("not_found", "there is no such client type")
    here = ids.index(visit.path("id"))
    there = min(max(here + (-1 if form.get("to") == "up" else 1), 0), len(ids) - 1)
    ids.insert(there, ids.pop(here))
    await visit.send("PUT", "/client-types", {"ids": ids})
    return visit.go("/client-types", "saved")
