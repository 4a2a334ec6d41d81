"""The design system, shown with its own parts."""

from aiohttp import web

from callctl.console.charts import bars
from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.errors import CallctlError
from callctl.features.calls.hints import DEFAULTS

_SPACES = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
_LOOKS = ("green", "amber", "red", "blue", "purple", "grey")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/design", show, None)])


async def show(visit: Visit) -> web.StreamResponse:
    chart = bars(
        ["Mon", "Tue", "Wed", "Thu", "Fri"],
        [("Answered", "c2", [12, 18, 9, 22, 17]), ("Missed", "c4", [2, 4, 1, 0, 3])],
    )
    return visit.page(
        "design/design.html",
        spaces=_SPACES,
        looks=_LOOKS,
        hints=DEFAULTS,
        chart=chart,
        sample_error=CallctlError("invalid_field", "is no number", field="body.number"),
    )
