"""Reports: each with chart, table, definition, export and a link that others can open."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from aiohttp import web

from callctl.console import words
from callctl.console.charts import Chart, bars
from callctl.console.desk import Desk, Visit, routes_of
from callctl.console.language import N_
from callctl.console.language import gettext as _
from callctl.core.errors import CallctlError
from callctl.core.money.tariffs import NO_AMOUNT_MEANINGS
from callctl.core.permissions import Scope
from callctl.core.tables import Unit
from callctl.features.reports.model import ColumnView, ReportView

_DATES = ("since", "until")
_LAST_DAY = "last_day"
"""The field for the day before `until`: to people both days count, as on the list of calls."""
_TO_DAY = N_("To day")
_CHOICES = ("direction", "period", "week_start", "of", "by", "state")
_HIDDEN = ("limit", "cursor")
_FIELD = re.compile(r"`(\w+)`")
_WORD = re.compile(r"\w+")
_IDS = ("number_id", "call", "account_id")
_MOST_BARS = 40
_MOST_ROWS = 400
_DAYS = 30
"""Of a report by day, or without periods, while nobody asks for certain days."""


_KINDS = {
    "extension": N_("Extension"),
    "did": N_("Number"),
    "hunt_group": N_("Hunt group"),
}
_STATES = {"waiting": N_("waits"), "overdue": N_("overdue")}
_WEEKDAYS = {"monday": N_("Monday"), "sunday": N_("Sunday"), "saturday": N_("Saturday")}
_PERIODS = {
    "day": N_("Day"),
    "week": N_("Week"),
    "month": N_("Month"),
    "quarter": N_("Quarter"),
    "year": N_("Year"),
}
_MEASURES = {
    "cost": N_("Cost"),
    "effectiveness": N_("Effectiveness"),
    "talk_time": N_("Talk"),
}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "direction": {value: badge.text for value, badge in words.DIRECTIONS.items()},
    "disposition": {value: badge.text for value, badge in words.DISPOSITIONS.items()},
    "kind": _KINDS,
    "of": _KINDS,
    "state": _STATES,
    "week_start": _WEEKDAYS,
    "period": _PERIODS,
    "by": _MEASURES,
    "reason": NO_AMOUNT_MEANINGS,
}
"""What the values of a column or a choice are called. Others are data, and stay as they are."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A field of the form above a report; `choices`: values and what they are called, None: it is
    written."""

    name: str
    title: str
    value: str
    choices: Mapping[str, str] | None = None
    is_day: bool = False


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
    asked_for = [p for p in report.parameters if p.name not in _HIDDEN]
    parameters = [p.name for p in asked_for]
    asked = visit.request.query
    fields = {name: asked[name] for name in parameters if asked.get(name)}
    if "until" in parameters and asked.get(_LAST_DAY):
        fields["until"] = _shifted(asked[_LAST_DAY], 1)
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
    names = await visit.extension_names()
    currency = answer.currency if answer else ""
    columns = _columns(report.columns)
    return visit.page(
        "reports/report.html",
        422 if error else 200,
        report=report,
        filters=[_filter(p, fields) for p in asked_for],
        columns=columns,
        looks={c.name: _look(c, rows) for c in columns},
        definition=_for_people(report),
        formula=_formula_for_people(report),
        fields=fields,
        answer=answer,
        rows=rows[-_MOST_ROWS:] if _by_time(report.name) else rows[:_MOST_ROWS],
        left_out=max(0, len(rows) - _MOST_ROWS),
        recent_days=_DAYS if recent else 0,
        shown=lambda row, column: _named(
            shown(visit, row, column, currency), row, column, fields, names
        ),
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


def _columns(columns: Sequence[ColumnView]) -> list[ColumnView]:
    """Those that say something to people: amounts are shown with their currency."""
    paid = any(column.unit is Unit.MONEY for column in columns)
    left_out = {*_IDS, "currency"} if paid else _IDS
    return [column for column in columns if column.name not in left_out]


def _look(column: ColumnView, rows: Sequence[Mapping[str, Any]]) -> str:
    """The class of its cells: figures stand at the end, days and words of ours in one line."""
    if column.name in ("number", "did"):
        return "number"
    values = [row[column.name] for row in rows]
    if any(isinstance(value, int | float) for value in values):
        return "num"
    short = column.name in _VALUES or any(isinstance(value, date) for value in values)
    return "time" if short and column.name != "reason" else ""


def _for_people(report: ReportView) -> str:
    """The definition with columns and parameters called as they are on the page."""
    titles = {one.name: one.title for one in (*report.columns, *report.parameters)}
    titles["until"] = _TO_DAY
    return _FIELD.sub(lambda field: f"“{_(titles.get(field[1], field[1]))}”", report.definition)


def _formula_for_people(report: ReportView) -> str:
    titles = {one.name: one.title for one in report.columns}
    return _WORD.sub(lambda word: _(titles.get(word[0], word[0])), report.formula)


def _filter(parameter: ColumnView, fields: Mapping[str, str]) -> Filter:
    name, value = parameter.name, fields.get(parameter.name, "")
    if name == "until":
        return Filter(_LAST_DAY, _TO_DAY, _shifted(value, -1), is_day=True)
    choices = _VALUES[name] if name in _CHOICES else None
    return Filter(name, parameter.title, value, choices, is_day=name in _DATES)


def _shifted(day: str, days: int) -> str:
    """What is no day, or has none there, stays as it is: the API says what is wrong."""
    try:
        return str(date.fromisoformat(day) + timedelta(days=days))
    except (ValueError, OverflowError):
        return day


def _named(
    text: str,
    row: Mapping[str, Any],
    column: ColumnView,
    fields: Mapping[str, str],
    names: Mapping[str, str],
) -> str:
    """`text`, and if it is an extension's number, how the extension is called."""
    kind = row.get("kind", fields.get("of", "extension"))
    if column.name in ("extension", "owner") or (column.name == "name" and kind == "extension"):
        return f"{text} {names[text]}" if text in names else text
    return text


def shown(visit: Visit, row: Mapping[str, Any], column: ColumnView, currency: str) -> str:
    """A value of a report as people read it."""
    value = row[column.name]
    if value is None:
        return "–"
    match column.unit:
        case Unit.SECONDS:
            return words.duration(value)
        case Unit.MONEY:
            return words.money(value, row.get("currency", currency))
        case Unit.SHARE:
            return visit.language.percent(value)
    if isinstance(value, datetime):
        return visit.language.moment(value)
    if isinstance(value, date):
        return visit.language.day(value)
    if isinstance(value, str):
        called = _VALUES.get(column.name, {}).get(value)
        return _(called) if called else value
    return visit.language.number(value)


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
