"""People, their rights, invitations and groups (R002-02 to R002-09)."""

from typing import Any

from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import Form
from callctl.console.language import gettext as _
from callctl.core.errors import CallctlError
from callctl.core.permissions import SCOPE_MEANINGS, Role, Scope, grantable_scopes, scopes_of_role

_FILTERS = ("text", "role", "group_id", "active")
_FIELDS = ("email", "employee_number", "extension", "group_id")
_PROBLEMS = ("invalid_field", "already_exists", "conflict", "last_administrator", "forbidden")
_MOST = 200


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read, write, groups = Scope.USERS_READ, Scope.USERS_WRITE, Scope.GROUPS_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/people", listed, read),
            ("GET", "/people/new", new, write),
            ("POST", "/people/new", create, write),
            ("POST", "/people/invite", invite, write),
            ("GET", "/people/{id}", show, read),
            ("POST", "/people/{id}", save, write),
            ("POST", "/people/{id}/active", set_active, write),
            ("POST", "/people/{id}/reset-password", reset_password, write),
            ("POST", "/people/{id}/reset-second-factor", reset_second_factor, write),
            ("POST", "/invitations/{id}/revoke", revoke, write),
            ("POST", "/groups", create_group, groups),
            ("POST", "/groups/{id}", save_group, groups),
            ("POST", "/groups/{id}/delete", delete_group, groups),
        ],
    )


async def _groups(visit: Visit) -> list[Any]:
    return list((await visit.get("/groups", limit=_MOST)).items)


async def listed(visit: Visit, error: CallctlError | None = None) -> web.Response:
    asked = visit.request.query
    fields = {name: asked[name] for name in _FILTERS if asked.get(name)}
    may_write = visit.may(Scope.USERS_WRITE)
    invited = await visit.get("/invitations", state="open", limit=_MOST) if may_write else None
    return visit.page(
        "people/list.html",
        error.status if error else 200,
        page=await visit.get("/users", **fields, cursor=asked.get("cursor")),
        fields=fields,
        groups=await _groups(visit),
        invited=invited.items if invited else [],
        may_write=may_write,
        may_group=visit.may(Scope.GROUPS_WRITE),
        error=error,
    )


async def new(
    visit: Visit, sent: Form | None = None, error: CallctlError | None = None, **more: Any
) -> web.Response:
    values: dict[str, Any] = {"issued": None, "created": None} | more
    return visit.page(
        "people/new.html",
        error.status if error else 200,
        sent=sent or Form(),
        groups=await _groups(visit),
        error=error,
        **values,
    )


async def create(visit: Visit) -> web.StreamResponse:
    """The form sets the role only; finer rights come with editing (R002-07)."""
    form = await visit.form()
    try:
        made = await visit.send("POST", "/users", form.pick("login", "name", "role", *_FIELDS))
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await new(visit, form, error)
    return await new(visit, created=made)


async def invite(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        if not form.get("name"):
            raise CallctlError("invalid_field", _("write who is invited"), "form.name")
        issued = await visit.send("POST", "/invitations", form.pick("name", "role", *_FIELDS))
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await new(visit, form, error)
    return await new(visit, issued=issued)


async def show(visit: Visit, error: CallctlError | None = None, **more: Any) -> web.Response:
    user = await visit.get(f"/users/{visit.path('id')}")
    own = scopes_of_role(user.role)
    rights = [
        (scope, meaning, scope in own, scope in user.scopes)
        for scope, meaning in SCOPE_MEANINGS.items()
        if scope in own or scope in grantable_scopes(user.role)
    ]
    values: dict[str, Any] = {"password": None} | more
    return visit.page(
        "people/person.html",
        error.status if error else 200,
        user=user,
        groups=await _groups(visit),
        roles=words.ROLES,
        rights=rights,
        may_write=visit.may(Scope.USERS_WRITE),
        error=error,
        **values,
    )


async def save(visit: Visit) -> web.StreamResponse:
    """Rights are ticks over what the role gives: what is ticked beyond it is granted, what of it
    is not ticked is withdrawn."""
    form = await visit.form()
    body: dict[str, Any] = {**form.sent("name", "role"), **form.replace(*_FIELDS)}
    before = await visit.get(f"/users/{visit.path('id')}")
    if form.ticked("rights_shown") and before.role in (form.get("role"), None):
        role = Role(before.role)
        ticked = set(form.all("right"))
        own = scopes_of_role(role)
        body["granted"] = sorted((ticked & grantable_scopes(role)) - own)
        body["withdrawn"] = sorted(own - ticked)
    return await _changed(visit, "PATCH", f"/users/{visit.path('id')}", body)


async def set_active(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = {"active": form.ticked("active")}
    return await _changed(visit, "PATCH", f"/users/{visit.path('id')}", body)


async def reset_second_factor(visit: Visit) -> web.StreamResponse:
    return await _changed(visit, "POST", f"/users/{visit.path('id')}/reset-second-factor", None)


async def _changed(visit: Visit, method: str, path: str, body: Any) -> web.StreamResponse:
    try:
        await visit.send(method, path, body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await show(visit, error)
    return visit.go(f"/people/{visit.path('id')}", "saved")


async def reset_password(visit: Visit) -> web.StreamResponse:
    made = await visit.send("POST", f"/users/{visit.path('id')}/reset-password")
    return await show(visit, password=made.password)


async def revoke(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/invitations/{visit.path('id')}")
    return visit.go("/people", "revoked")


async def create_group(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    return await _group(visit, "POST", "/groups", form.sent("name", "description"), "saved")


async def save_group(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.sent("name", "description")
    return await _group(visit, "PATCH", f"/groups/{visit.path('id')}", body, "saved")


async def delete_group(visit: Visit) -> web.StreamResponse:
    return await _group(visit, "DELETE", f"/groups/{visit.path('id')}", None, "deleted")


async def _group(
    visit: Visit, method: str, path: str, body: Any, notice: str
) -> web.StreamResponse:
    try:
        await visit.send(method, path, body)
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await listed(visit, error)
    return visit.go("/people", notice)
