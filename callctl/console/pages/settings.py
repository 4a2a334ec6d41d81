"""Settings: the account's own, and the installation's with where each value comes from."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any, get_args

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.forms import Form
from callctl.console.setting_rows import SettingRow
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.calls.hints import ColourName, IconName, OutcomeName

_RULE_FIELDS = ("seconds", "direction", "extension", "group", "prefix", "hang_up")
_HINT_FIELDS = ("colour", "icon", "direction", "outcome")
_ANY_SETTING = (
    Scope.SETTINGS_WRITE, Scope.SYSTEM_READ, Scope.RECORDINGS_MANAGE, Scope.THRESHOLDS_WRITE,
    Scope.CLIENTS_SETTINGS,
)  # fmt: skip


def routes(desk: Desk, rows: Sequence[SettingRow]) -> list[web.AbstractRouteDef]:
    async def show(visit: Visit) -> web.StreamResponse:
        return await _show(visit, rows)

    async def save(visit: Visit) -> web.StreamResponse:
        return await _save(visit, rows)

    return routes_of(
        desk, [("GET", "/settings", show, None), ("POST", "/settings/{part}", save, None)]
    )


async def _show(
    visit: Visit, rows: Sequence[SettingRow], error: CallctlError | None = None
) -> web.Response:
    if not any(visit.may(scope) for scope in _ANY_SETTING):
        raise CallctlError("forbidden", "this is for those who may change settings")
    sees_system = visit.may(Scope.SYSTEM_READ)
    hints = await visit.get("/display-hints") if visit.may(Scope.SETTINGS_WRITE) else None
    return visit.page(
        "settings/settings.html",
        error.status if error else 200,
        rows=rows if sees_system else [],
        raised=(await visit.get("/system/alarms", state="all", limit=20)).items
        if sees_system
        else [],
        recording=await _if_may(visit, Scope.RECORDINGS_MANAGE, "/recording-settings"),
        too_long=await _if_may(visit, Scope.THRESHOLDS_WRITE, "/too-long"),
        registering=await _if_may(visit, Scope.CLIENTS_SETTINGS, "/client-settings"),
        hints=hints,
        colours=get_args(ColourName),
        icons=get_args(IconName),
        outcomes=[name for part in get_args(OutcomeName) for name in (get_args(part) or (part,))],
        error=error,
    )


async def _if_may(visit: Visit, scope: Scope, path: str) -> Any:
    return await visit.get(path) if visit.may(scope) else None


async def _save(visit: Visit, rows: Sequence[SettingRow]) -> web.StreamResponse:
    """Each part is replaced whole, as its operation has it."""
    form, part = await visit.form(), visit.path("part")
    parts = {
        "recordings": ("/recording-settings", _recordings),
        "too-long": ("/too-long", _too_long),
        "clients": ("/client-settings", _clients),
        "hints": ("/display-hints", _hints),
    }
    if part not in parts:
        raise CallctlError("not_found", "there are no such settings")
    path, body_of = parts[part]
    try:
        await visit.send("PUT", path, body_of(form))
    except CallctlError as error:
        if error.code not in ("invalid_field", "conflict"):
            raise
        return await _show(visit, rows, error)
    return visit.go("/settings", "saved")


def _recordings(form: Form) -> dict[str, Any]:
    return {
        "format": form.get("format") or None,
        "encrypt": form.ticked("encrypt"),
        **form.pick("recording_days", "call_days"),
    }


def _clients(form: Form) -> dict[str, Any]:
    directions = form.all("register_directions")
    body: dict[str, Any] = {"register": form.ticked("register")}
    return body | ({"register_directions": directions} if directions else {})


def _too_long(form: Form) -> dict[str, Any]:
    rules = [rule for rule in _table(form, _RULE_FIELDS) if rule.get("seconds")]
    for rule in rules:
        rule["hang_up"] = rule.get("hang_up") == "yes"
    return {"rules": rules, "mail_to": form.lines("mail_to")}


def _hints(form: Form) -> dict[str, Any]:
    return {"rules": [rule for rule in _table(form, _HINT_FIELDS) if rule.get("colour")]}


def _table(form: Form, names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a form, whose fields of one name come one after the other."""
    columns = [form.column(name) for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in zip_longest(*columns, fillvalue="")]
    return [{name: value for name, value in row.items() if value} for row in rows]
