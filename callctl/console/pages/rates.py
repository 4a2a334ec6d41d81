"""What calls cost: the account's own rates, and a call tried out."""

from aiohttp import web

from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/rates", show, Scope.RATES_READ)])


async def show(visit: Visit) -> web.StreamResponse:
    asked = visit.request.query
    fields = {n: asked[n].strip() for n in ("prefix", "number", "seconds") if asked.get(n)}
    page, quoted, error = None, None, None
    try:
        page = await visit.get("/rates", prefix=fields.get("prefix"), cursor=asked.get("cursor"))
        if fields.get("number"):
            seconds = fields.get("seconds")
            quoted = await visit.get("/rates/quote", number=fields["number"], seconds=seconds)
    except CallctlError as caught:
        if caught.code != "invalid_field":
            raise
        error = caught
    currency = None
    if visit.may(Scope.LEDGER_READ):
        currency = (await visit.get("/wallet")).currency
    return visit.page(
        "money/rates.html",
        error.status if error else 200,
        page=page,
        quoted=quoted,
        fields=fields,
        currency=currency,
        account_id=visit.account.id,
        error=error,
    )
