"""Quick search: a number or a client, from anywhere."""

from aiohttp import web

from callctl.console import words
from callctl.console.desk import Desk, Visit, routes_of
from callctl.core.permissions import Scope

_OF_NUMBERS = frozenset("0123456789+*#-./() ")


def routes(desk: Desk) -> list[web.AbstractRouteDef]:
    return routes_of(desk, [("GET", "/find", find, None)])


async def find(visit: Visit) -> web.StreamResponse:
    """Digits are a number's, of which people want the calls; words are a client's."""
    text = visit.request.query.get("q", "").strip()[:100]
    is_number = bool(text) and set(text) <= _OF_NUMBERS
    if is_number or not visit.may(Scope.CLIENTS_READ):
        number = "".join(c for c in text if c not in " -./()")
        return visit.go(f"/calls?{words.query({'number': number[:40]})}")
    return visit.go(f"/clients?{words.query({'q': text})}")
