"""Changing the routing: a form, then what it would change and where calls would go, then confirm.

Nothing is changed by the form itself. The page between shows the difference, lets the new routing
be tried beside the present one, and carries the object (or the revision to go back to) along.
"""

import re
from typing import Any

import msgspec
from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import Form
from callctl.console.pages.routing import (
    TRY_FIELDS,
    as_object,
    document_of,
    extension_numbers,
    parties_of,
    revision_of,
)
from callctl.console.routing_objects import (
    KINDS,
    ObjectKind,
    as_text,
    fields_of,
    kind_of,
    made_upon,
    object_of,
)
from callctl.console.week import DAYS, bars_of, ranges_by_day
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_PROBLEMS = (
    "invalid_routing", "broken_expectation", "already_exists", "invalid_field", "not_found",
    "revision_conflict",
)  # fmt: skip


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    write = Scope.ROUTING_WRITE
    return routes_of(
        desk,
        [
            ("GET", "/routing/edit/{kind}", edit, write),
            ("POST", "/routing/edit/{kind}", check, write),
            ("GET", "/routing/block", block, write),
            ("POST", "/routing/review", review, write),
            ("POST", "/routing/apply", apply, write),
        ],
    )


async def edit(visit: Visit) -> web.StreamResponse:
    """The form of an object, of a new one without `name`."""
    kind, name = kind_of(visit.path("kind")), visit.request.query.get("name", "")
    document = await document_of(visit)
    one = _find(document, kind, name) if name else {}
    return _form(visit, kind, name, one, document)


async def block(visit: Visit) -> web.StreamResponse:
    """A new rule for who just called."""
    number = visit.request.query.get("number", "")
    return _form(visit, KINDS["blocklist"], "", {"match": number}, await document_of(visit))


def _look_for(document: dict[str, Any], kind: ObjectKind, name: str) -> dict[str, Any] | None:
    there = (as_object(one, kind.key) for one in document.get(kind.field, []))
    return next((one for one in there if str(one.get(kind.key)) == name), None)


def _find(document: dict[str, Any], kind: ObjectKind, name: str) -> dict[str, Any]:
    """Raises CallctlError("not_found")."""
    found = _look_for(document, kind, name)
    if found is None:
        raise CallctlError("not_found", f"there is no {kind.one} {name}")
    return found


def _form(
    visit: Visit,
    kind: ObjectKind,
    name: str,
    one: dict[str, Any],
    document: dict[str, Any],
    error: CallctlError | None = None,
    *,
    clash: bool = False,
) -> web.Response:
    week = ranges_by_day(one.get("weekly", []))
    return visit.page(
        f"routing/{kind.form or 'text'}.html",
        error.status if error else 200,
        kind=kind,
        name=name,
        one=fields_of(one),
        blank=fields_of({}),
        text=as_text(one) if one else "",
        places=_places(document),
        schedules=[schedule["name"] for schedule in document.get("schedules", [])],
        extensions=document.get("extensions", []),
        days=[(day, ", ".join(week[day]), bars_of(week[day])) for day in DAYS],
        error=error,
        clash=clash,
    )


def _places(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a call can be sent, for fields that take it."""
    return [
        *((f"extension:{e['number']}", e.get("name", "")) for e in document.get("extensions", [])),
        *((f"hunt_group:{g['name']}", "") for g in document.get("hunt_groups", [])),
        *((f"hangup:{word}", "") for word in ("busy", "unavailable", "rejected")),
    ]


async def check(visit: Visit) -> web.StreamResponse:
    """From the form to the page before confirming; a wrong form comes back with what is wrong."""
    form, kind = await visit.form(), kind_of(visit.path("kind"))
    document, name = await document_of(visit), form.get("was", "")
    before = _find(document, kind, name) if name else {}
    one: dict[str, Any] | None = before
    try:
        if form.get("step") == "delete":
            one = None
        else:
            one = object_of(kind, form, before)
        changed = changed_document(document, kind, name, one)
        changes = (await visit.send("POST", "/routing/diff", changed)).changes
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return _form(visit, kind, name, one or before, document, error)
    return await _review(visit, changes, changed, _carried(kind, name, one))


def changed_document(
    document: dict[str, Any], kind: ObjectKind, name: str, one: dict[str, Any] | None
) -> dict[str, Any]:
    """`document` with `one` in the place of the object `name`; at the end for a new one, without
    the old one for None."""
    objects: list[Any] = []
    for present in document.get(kind.field, []):
        if not name or str(as_object(present, kind.key).get(kind.key)) != name:
            objects.append(present)
        elif one is not None:
            objects.append(one)
    if not name and one is not None:
        objects.append(one)
    return {**document, kind.field: objects}


def _carried(kind: ObjectKind, name: str, one: dict[str, Any] | None) -> dict[str, str]:
    """What the page before confirming sends on."""
    text = "" if one is None else msgspec.json.encode(one).decode()
    return {"kind": kind.field, "was": name, "object": text}


async def review(visit: Visit, *, clash: bool = False) -> web.StreamResponse:
    """The page before confirming again, with a call that was tried; or of going back."""
    form = await visit.form()
    changed, carried = await _proposed(visit, form)
    try:
        changes = (await visit.send("POST", "/routing/diff", changed)).changes
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        return await _review(visit, [], changed, carried, error=error, clash=clash)
    return await _review(visit, changes, changed, carried, form=form, clash=clash)


async def apply(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    if "revision" in form and form["revision"] != str(await revision_of(visit)):
        # Not left to the conflict: what changes nothing there, or is wrong there, has none.
        return await _confirm_again(visit, form)
    changed, carried = await _proposed(visit, form)
    query = form.pick("revision")
    try:
        await visit.send("PUT", "/routing", changed, query=query)
    except CallctlError as error:
        if error.code == "revision_conflict":
            return await _confirm_again(visit, form)
        if error.code not in _PROBLEMS:
            raise
        return await _review(visit, [], changed, carried, error=error)
    if "restore" in carried:
        return visit.go("/routing/history", "undone")
    kind, added = carried["kind"], None
    if kind == "extensions" and carried["object"] and not carried["was"]:
        # Its next step is a phone.
        added = extension_numbers(changed)[-1]
    return visit.go(f"/routing?{words.query({'kind': kind}, added=added)}", "applied")


async def _confirm_again(visit: Visit, form: Form) -> web.StreamResponse:
    """Somebody else changed the routing since the page before was made: the change upon what there
    is now, to be confirmed again; its form with what was written where it does not go there."""
    if form.get("restore"):
        return await review(visit, clash=True)
    kind, name, one = _sent(form)
    document = await document_of(visit)
    still = name if _look_for(document, kind, name) else ""
    try:
        if name and one is not None:
            base = _find(await _document_at(visit, form["revision"]), kind, name)
            one = made_upon(kind, one, base, _find(document, kind, name))
        changed = changed_document(document, kind, name, one)
        changes = (await visit.send("POST", "/routing/diff", changed)).changes
    except CallctlError as error:
        if error.code not in _PROBLEMS:
            raise
        shown = _find(document, kind, still) if one is None else one
        return _form(visit, kind, still, shown, document, error, clash=True)
    if not changes:
        # Somebody did the same, or it was sent twice.
        return visit.go(f"/routing?{words.query({'kind': kind.field})}", "applied")
    return await _review(visit, changes, changed, _carried(kind, name, one), clash=True)


def _sent(form: Form) -> tuple[ObjectKind, str, dict[str, Any] | None]:
    """What the page before confirming carries: the kind, the name until now, the object.

    Raises CallctlError("invalid_field").
    """
    kind, name = kind_of(form.get("kind", "")), form.get("was", "")
    if not form.get("object"):
        return kind, name, None
    try:
        return kind, name, msgspec.json.decode(form["object"], type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise CallctlError("invalid_field", f"is no object: {error}", "object") from None


async def _proposed(visit: Visit, form: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """The document that is proposed, and what stands for it in a form."""
    if form.get("restore"):
        return await _document_before(visit, form["restore"]), {"restore": form["restore"]}
    kind, name, one = _sent(form)
    changed = changed_document(await document_of(visit), kind, name, one)
    return changed, _carried(kind, name, one)


async def _document_before(visit: Visit, revision: str) -> dict[str, Any]:
    """The routing as it was before a revision: that of the one before it."""
    if not revision.isdecimal():
        raise CallctlError("not_found", "there is no such revision")
    found = (await visit.get("/routing/history", limit=1, cursor=revision)).items
    if not found:
        raise CallctlError("not_found", "nothing is on record from before that")
    document: dict[str, Any] = found[0].document
    return document


async def _document_at(visit: Visit, revision: str) -> dict[str, Any]:
    """The routing as a revision left it. Raises CallctlError("not_found")."""
    if not re.fullmatch("[0-9]{1,18}", revision):
        raise CallctlError("not_found", "there is no such revision")
    return await _document_before(visit, str(int(revision) + 1))


async def _review(
    visit: Visit,
    changes: list[Any],
    changed: dict[str, Any],
    carried: dict[str, str],
    *,
    form: Form | None = None,
    error: CallctlError | None = None,
    clash: bool = False,
) -> web.Response:
    """`clash`: somebody changed the routing since the page was shown first."""
    tried = form.pick(*TRY_FIELDS) if form else {}
    now = then = problem = None
    if "from" in tried and "to" in tried:
        try:
            now = await visit.send("POST", "/routing/explain", tried)
            then = await visit.send("POST", "/routing/explain", {**tried, "document": changed})
        except CallctlError as caught:
            if caught.code not in _PROBLEMS:
                raise
            problem = caught
    return visit.page(
        "routing/review.html",
        error.status if error else 409 if clash else 200,
        changes=changes,
        carried=carried,
        revision=await revision_of(visit),
        tried=tried,
        parties=parties_of(changed),
        now=now,
        then=then,
        problem_=problem,
        error=error,
        clash=clash,
    )
