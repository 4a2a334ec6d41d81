"""Who changed what."""

from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.filters import day_bounds
from callctl.core.changes import ACTIONS
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_PLAIN = ("author", "action", "subject")
_MOST_CHARACTERS = 120


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/audit", listed, Scope.AUDIT_READ)])


async def listed(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {n: asked[n] for n in (*_PLAIN, "first_day", "last_day") if asked.get(n)}
    page, error = None, None
    try:
        days = fields.get("first_day"), fields.get("last_day")
        since, until = day_bounds(*days, visit.language.zone)
        plain = {name: fields[name] for name in _PLAIN if name in fields}
        page = await visit.get(
            "/audit", **plain, since=since, until=until, cursor=asked.get("cursor")
        )
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    return visit.page(
        "settings/audit.html",
        422 if error else 200,
        page=page,
        fields=fields,
        actions=ACTIONS,
        differences=differences,
        error=error,
    )


def differences(before: Any, after: Any) -> Iterator[tuple[str, str, str]]:
    """What a change was about, field by field: its name, what it was, what it is."""
    was = before if isinstance(before, dict) else {}
    became = after if isinstance(after, dict) else {}
    for name in dict.fromkeys([*was, *became]):
        if was.get(name) != became.get(name):
            yield name, _short(was.get(name)), _short(became.get(name))


def _short(value: Any) -> str:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"
