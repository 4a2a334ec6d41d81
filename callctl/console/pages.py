"""The console's pages and their routes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from callctl.console import words
from callctl.console.filters import HistoryForm
from callctl.console.timeline import WIDTH, build_timeline
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.access.model import AccountView, SignIn
from callctl.features.access.service import AccessService
from callctl.features.calls.model import CallDetail, CallFilters, CallScope, CallSummary
from callctl.http.auth import ACTOR, Origin, identify, require_scope
from callctl.http.decode import field_error, path_id
from callctl.http.endpoint import Actor, Page

_HERE = Path(__file__).resolve().parent
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class CallHistory(Protocol):
    """What the console needs of the calls' service."""

    async def list_calls(self, scope: CallScope, filters: CallFilters, /) -> Page[CallSummary]: ...

    async def get_call(self, scope: CallScope, call: int, /) -> CallDetail: ...


class Console:
    """`recording_url` gives the address of a recording's audio by its id."""

    def __init__(
        self,
        access: AccessService,
        calls: CallHistory,
        *,
        origin: Origin,
        recording_url: Callable[[int], str],
    ) -> None:
        self._access = access
        self._calls = calls
        self._origin = origin
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"recording_url": recording_url, "words": words}
        self._templates.filters |= {"duration": words.duration}

    def routes(self) -> list[web.AbstractRouteDef]:
        """For `build_web_app(pages=...)`, together with `error_page`."""
        return [
            web.get("/", self._start),
            web.get("/sign-in", self._sign_in_page),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.get("/calls", self._history),
            web.get("/calls/{id}", self._call),
            web.static("/static", _HERE / "static"),
        ]

    async def error_page(self, request: web.Request, error: CallctlError) -> web.Response:
        """An error for a person; who is not signed in is asked to."""
        if error.code == "unauthenticated" and request.method == "GET":
            response = web.Response(status=303, headers={"Location": "/sign-in"})
            self._origin.clear_session(response)
            return response
        return self._render("error.html", status=error.status, error=error)

    async def _start(self, _request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/calls")

    async def _sign_in_page(self, _request: web.Request) -> web.StreamResponse:
        return self._render("sign_in.html", login="", problem=None)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        self._origin.require_same_origin(request, browser=True)
        form = await request.post()
        login, password = form.get("login"), form.get("password")
        try:
            credentials = msgspec.convert({"login": login, "password": password}, SignIn)
            opened = await self._access.sign_in(credentials, request.remote or "")
        except msgspec.ValidationError:
            return self._render("sign_in.html", 422, login="", problem="Enter both, please.")
        except CallctlError as error:
            if error.code not in ("wrong_credentials", "too_many_attempts"):
                raise
            problem = error.message[:1].upper() + error.message[1:] + "."
            return self._render("sign_in.html", error.status, login=str(login), problem=problem)
        response = web.Response(status=303, headers={"Location": "/calls"})
        self._origin.set_session(response, opened.secret, opened.max_age)
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        self._origin.require_same_origin(request, browser=True)
        session = self._origin.session_of(request)
        if session is not None:
            await self._access.sign_out(session)
        response = web.Response(status=303, headers={"Location": "/sign-in"})
        self._origin.clear_session(response)
        return response

    async def _history(self, request: web.Request) -> web.StreamResponse:
        actor, account = await self._visitor(request)
        times = words.LocalTime(account.timezone)
        try:
            form = _decode_form(request)
            scope = CallScope(actor.account_id)
            page = await self._calls.list_calls(scope, form.filters(times.zone))
            problem = None
        except CallctlError as error:
            if error.code != "invalid_field":
                raise
            form, page, problem = HistoryForm(), Page[CallSummary](items=[], next=None), error
        older = urlencode(form.fields() | {"cursor": page.next}) if page.next else None
        return self._render(
            "history.html",
            422 if problem else 200,
            actor=actor,
            account=account,
            times=times,
            form=form.fields(),
            calls=page.items,
            is_first=form.cursor is None,
            older=older,
            newest=urlencode(form.fields()),
            problem=problem,
        )

    async def _call(self, request: web.Request) -> web.StreamResponse:
        actor, account = await self._visitor(request)
        detail = await self._calls.get_call(
            CallScope(actor.account_id), path_id(request.match_info)
        )
        return self._render(
            "call.html",
            actor=actor,
            account=account,
            times=words.LocalTime(account.timezone),
            detail=detail,
            call=detail.call,
            bars=build_timeline(detail),
            width=WIDTH,
            may_listen=Scope.RECORDINGS_READ in actor.scopes,
        )

    async def _visitor(self, request: web.Request) -> tuple[Actor, AccountView]:
        actor = await identify(request, self._access, self._origin)
        actor = require_scope(actor, Scope.CALLS_READ)
        request[ACTOR] = actor
        return actor, await self._access.get_account(actor.account_id)

    def _render(self, template: str, status: int = 200, **values: Any) -> web.Response:
        values.setdefault("actor", None)
        return web.Response(
            text=self._templates.get_template(template).render(values),
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY},
        )


def _decode_form(request: web.Request) -> HistoryForm:
    values = {name: value.strip() for name, value in request.query.items() if value.strip()}
    if any("\0" in value for value in values.values()):
        raise CallctlError("invalid_field", "holds a NUL character")
    try:
        return msgspec.convert(values, HistoryForm, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "form") from None
