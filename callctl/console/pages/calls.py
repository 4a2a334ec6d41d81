"""The list of calls: period first, filters in the address, saved ones, pages without an end."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.filters import HistoryForm
from callctl.console.language import gettext as _
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.calls.model import CallFilters, CallSummary
from callctl.features.calls.saved_filters import read_stored
from callctl.http.decode import field_error
from callctl.http.endpoint import Page

_MOST_SAVED = 500
_MOST_GROUPS = 200
_MORE = ("first_time", "last_time", "group", "recorded", "too_long", "client", "saved", "sort")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read = Scope.CALLS_READ
    return routes_of(
        desk,
        [
            ("GET", "/calls", history, read),
            ("POST", "/saved-filters", save_filter, read),
            ("POST", "/saved-filters/{id}/delete", delete_filter, read),
        ],
    )


async def history(visit: Visit) -> web.StreamResponse:
    times = visit.language
    error: CallctlError | None = None
    try:
        form = decode_form(visit.request.query)
        page = await visit.get("/calls", **filters_as_query(await filters_of(visit, form)))
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        form, page, error = HistoryForm(), Page[CallSummary](items=[], next=None), caught
    hints = await visit.get("/display-hints")
    days = words.by_day(page.items, times, hints.rules)
    fields = form.fields()
    following = {"cursor": page.next, "after": days[-1].iso} if page.next else None
    return visit.page(
        "calls/list.html",
        422 if error else 200,
        form=fields,
        form_after=form.after.isoformat() if form.after else "",
        more_open=any(name in fields for name in _MORE),
        periods=_periods(visit, fields),
        days=days,
        is_first=form.cursor is None,
        older=urlencode(fields | following) if following else None,
        newest=urlencode(fields),
        turned=urlencode(form.turned().fields()),
        saved=sorted(
            (await visit.get("/saved-filters", limit=_MOST_SAVED)).items,
            key=lambda one: (one.name.lower(), one.id),
        ),
        groups=(await visit.get("/groups", limit=_MOST_GROUPS)).items
        if visit.may(Scope.USERS_READ)
        else [],
        may_share=visit.may(Scope.SETTINGS_WRITE),
        may_export=visit.may(Scope.EXPORTS_WRITE),
        error=error,
    )


def _periods(visit: Visit, fields: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """What people ask for most, as links that keep the other filters (R001-03)."""
    today = visit.now.astimezone(visit.language.zone).date()
    others = {k: v for k, v in fields.items() if k not in ("first_day", "last_day")}
    yesterday = today - timedelta(days=1)
    days: list[tuple[str, dict[str, str]]] = [
        (_("All"), {}),
        (_("Today"), {"first_day": str(today)}),
        (_("Yesterday"), {"first_day": str(yesterday), "last_day": str(yesterday)}),
        (_("7 days"), {"first_day": str(today - timedelta(days=6))}),
        (_("30 days"), {"first_day": str(today - timedelta(days=29))}),
    ]
    chosen = {k: v for k, v in fields.items() if k in ("first_day", "last_day")}
    return [(text, urlencode(others | period), period == chosen) for text, period in days]


async def filters_of(visit: Visit, form: HistoryForm) -> CallFilters:
    """What the form asks for, over the saved filters that it begins with.

    Raises CallctlError: `not_found`, `invalid_field` for saved ones that no longer work.
    """
    saved = CallFilters()
    if form.saved is not None:
        saved = read_stored((await visit.get(f"/saved-filters/{form.saved}")).filters)
    return form.filters(visit.language.zone, saved)


def filters_as_query(filters: CallFilters) -> dict[str, Any]:
    """As the API's query has them; what is as it is anyway is left out."""
    given = msgspec.to_builtins(filters)
    default = msgspec.to_builtins(CallFilters())
    return {name: value for name, value in given.items() if value != default[name]}


async def save_filter(visit: Visit) -> web.StreamResponse:
    sent = await visit.form()
    form = decode_form(dict(parse_qsl(sent.get("query", ""))))
    filters = (await filters_of(visit, form)).without_page()
    made = await visit.send(
        "POST",
        "/saved-filters",
        {
            "name": sent.get("name", ""),
            "filters": filters_as_query(filters),
            "shared": sent.ticked("shared"),
        },
    )
    return visit.go(f"/calls?saved={made.id}", "saved")


async def delete_filter(visit: Visit) -> web.StreamResponse:
    await visit.send("DELETE", f"/saved-filters/{visit.path('id')}")
    return visit.go("/calls", "deleted")


def decode_form(query: Mapping[str, str]) -> HistoryForm:
    """Raises CallctlError("invalid_field")."""
    values = {name: value.strip() for name, value in query.items() if value.strip()}
    values.pop("done", None)
    if any("\0" in value for value in values.values()):
        raise CallctlError("invalid_field", "holds a NUL character")
    try:
        return msgspec.convert(values, HistoryForm, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "form") from None
