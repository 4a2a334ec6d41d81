"""The console: all pages, put together."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from callctl.console.assets import STATIC
from callctl.console.desk import Desk
from callctl.console.operations import Operations
from callctl.console.pages import (
    account,
    accounts,
    audit,
    call,
    callbacks,
    calls,
    client_lists,
    clients,
    connect_phone,
    design,
    exports,
    find,
    first_steps,
    home,
    limits,
    live,
    live_map,
    numbers,
    package,
    people,
    rates,
    recordings,
    reports,
    routing,
    routing_forms,
    sales,
    settings,
    stock,
    tariffs,
    tokens,
    wallet,
    webhooks,
)
from callctl.console.setting_rows import SettingRow
from callctl.core.checks.alarms import RaisedAlarm
from callctl.core.errors import CallctlError
from callctl.features.access.service import AccessService
from callctl.features.people.model import OpenInvitation
from callctl.http.auth import Origin
from callctl.http.endpoint import Endpoint

_PAGES = (
    home, calls, call, exports, callbacks, live_map, live, client_lists, clients, recordings,
    reports, limits, people, routing, routing_forms, connect_phone, first_steps, wallet, numbers,
    package, rates, accounts, tariffs, stock, sales, tokens, webhooks, audit, find, design,
)  # fmt: skip


class Console:
    """`endpoints` are the API's operations, which pages call. `alarms` are those that are raised
    now. `invited` tells what an invitation's secret offers (raises `not_found`). `pays_online`: a
    payment provider is set."""

    def __init__(
        self,
        access: AccessService,
        endpoints: Sequence[Endpoint],
        *,
        origin: Origin,
        invited: Callable[[str], Awaitable[OpenInvitation]],
        alarms: Callable[[], Sequence[RaisedAlarm]] = lambda: (),
        setting_rows: Sequence[SettingRow] = (),
        pays_online: bool = False,
    ) -> None:
        self._desk = Desk(
            access, Operations(endpoints), origin=origin, alarms=alarms, pays_online=pays_online
        )
        self._invited = invited
        self._setting_rows = setting_rows

    def routes(self) -> list[web.AbstractRouteDef]:
        """For `build_web_app(pages=...)`, together with `error_page`."""
        found: list[web.AbstractRouteDef] = [
            *account.routes(self._desk, self._invited),
            *(route for page in _PAGES for route in page.routes(self._desk)),
            *settings.routes(self._desk, self._setting_rows),
            web.static("/static", STATIC),
        ]
        # The menu shows what there is.
        self._desk.available = {route.path for route in found if isinstance(route, web.RouteDef)}
        return found

    async def error_page(self, request: web.Request, error: CallctlError) -> web.Response:
        """An error for a person; who is not signed in is asked to."""
        self._desk.listen(request)
        if error.code == "unauthenticated" and request.method == "GET":
            response = web.Response(status=303, headers={"Location": "/sign-in"})
            self._desk.origin.clear_session(response)
            return response
        return self._desk.render("error.html", error.status, request=request, error=error)
