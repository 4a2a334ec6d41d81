"""Reports: each with chart, table, definition, export and a link that others can open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web

from callctl.console import words
from callctl.console.charts import Chart, bars
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.language import N_
from callctl.console.language import gettext as _
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope

_DATES = ("since", "until")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "direction": ("inbound", "outbound", "internal"),
    "period": ("day", "week", "month", "quarter", "year"),
    "week_start": ("monday", "sunday", "saturday"),
    "of": ("extension", "did", "hunt_group"),
    "by": ("effectiveness", "talk_time"),
    "state": ("waiting", "overdue"),
}
_HIDDEN = ("limit", "cursor")
_IDS = ("number_id", "call")
_MOST_BARS = 40
_MOST_ROWS = 400
_DAYS = 30
"""Of a report by day, or without periods, while nobody asks for certain days."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a report's chart shows: the column of its axis, and series of columns with colours."""

    axis: str
    series: tuple[tuple[str, str, str], ...]


_CHARTS: Mapping[str, Drawn] = {
    "calls-by-period": Drawn(
        "starts_on",
        (("answered", "c2", N_("answered")), ("missed", "c4", N_("missed"))),
    ),
    "employees-distribution": Drawn(
        "extension", (("answered", "c2", N_("answered")), ("placed", "c1", N_("placed")))
    ),
    "employees-answered-missed": Drawn(
        "name", (("answered", "c2", N_("answered")), ("missed", "c4", N_("missed")))
    ),
    "clients-distribution": Drawn(
        "number", (("answered", "c2", N_("answered")), ("missed", "c4", N_("missed")))
    ),
    "numbers": Drawn("did", (("answered", "c2", N_("answered")), ("missed", "c4", N_("missed")))),
    "rankings": Drawn("name", (("answered", "c2", N_("answered")),)),
}


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    read = Scope.REPORTS_READ
    return routes_of(
        desk, [("GET", "/reports", listed, read), ("GET", "/reports/{name}", show, read)]
    )


async def listed(visit: Visit) -> web.StreamResponse:
    return visit.page("reports/list.html", reports=(await visit.get("/reports")).items)


async def show(visit: Visit) -> web.StreamResponse:
    reports = {report.name: report for report in (await visit.get("/reports")).items}
    report = reports.get(visit.path("name"))
    if report is None:
        raise CallctlError("not_found", "there is no such report")
    parameters = [p.name for p in report.parameters if p.name not in _HIDDEN]
    asked = visit.request.query
    fields = {name: asked[name] for name in parameters if asked.get(name)}
    cursor = asked.get("cursor") if "cursor" in [p.name for p in report.parameters] else None
    recent = _recent_day(visit, parameters, fields)
    answer, error = None, None
    try:
        answer = await visit.get(f"/reports/{report.name}", **(recent | fields), cursor=cursor)
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    rows = [msgspec.structs.asdict(row) for row in answer.items] if answer else []
    return visit.page(
        "reports/report.html",
        422 if error else 200,
        report=report,
        parameters=[(name, _CHOICES.get(name), name in _DATES) for name in parameters],
        columns=[column for column in report.columns if column.name not in _IDS],
        fields=fields,
        answer=answer,
        rows=rows[-_MOST_ROWS:] if _by_time(report.name) else rows[:_MOST_ROWS],
        left_out=max(0, len(rows) - _MOST_ROWS),
        recent_days=_DAYS if recent else 0,
        shown=lambda row, name: shown(visit, row, name),
        chart=_chart(visit, report.name, rows),
        query=words.query(recent | fields),
        error=error,
        may_export=visit.may(Scope.EXPORTS_WRITE),
    )


def _recent_day(
    visit: Visit, parameters: Sequence[str], fields: Mapping[str, str]
) -> dict[str, str]:
    """The day that the report begins with, where it is to be short and nobody said which."""
    asked = any(name in fields for name in _DATES)
    if "since" not in parameters or asked or fields.get("period", "day") != "day":
        return {}
    today = visit.now.astimezone(visit.language.zone).date()
    return {"since": str(today - timedelta(days=_DAYS - 1))}


def _by_time(name: str) -> bool:
    """Whether the rows are in the order of time, so that the last ones matter most."""
    return name in _CHARTS and _CHARTS[name].axis == "starts_on"


def shown(visit: Visit, row: Mapping[str, Any], name: str) -> str:
    """A value of a report as people read it."""
    value = row[name]
    if value is None:
        return "–"
    if name.endswith("_seconds"):
        return words.duration(value)
    if name in ("share", "effectiveness", "answer_rate"):
        return visit.language.percent(value)
    if name in ("at", "owed_since", "missed_at", "due_at"):
        return visit.language.moment(value)
    if name == "starts_on":
        return visit.language.day(value)
    if name == "direction":
        return _(words.DIRECTIONS[value].text)
    if name == "disposition":
        return _(words.badge(words.DISPOSITIONS, value).text)
    return visit.language.number(value) if isinstance(value, int | float) else str(value)


def _chart(visit: Visit, name: str, rows: list[dict[str, Any]]) -> Chart | None:
    drawn = _CHARTS.get(name)
    if drawn is None or not rows:
        return None
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        at = row[drawn.axis]
        label = str(at) if isinstance(at, str) else visit.language.short_day(at)
        one = sums.setdefault(label, {column: 0 for column, _colour, _text in drawn.series})
        for column in one:
            one[column] += row[column] or 0
    labels = list(sums)[-_MOST_BARS:] if _by_time(name) else list(sums)[:_MOST_BARS]
    chart = bars(
        labels,
        [
            (_(text), colour, [sums[label][column] for label in labels])
            for column, colour, text in drawn.series
        ],
    )
    return None if chart.is_empty else chart
