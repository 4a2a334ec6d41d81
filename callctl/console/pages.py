"""The console's pages and their routes."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from callctl.console import words
from callctl.console.filters import HistoryForm
from callctl.console.timeline import WIDTH, build_timeline
from callctl.core.author import Author
from callctl.core.checks.alarms import RaisedAlarm
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.core.scope import CallScope
from callctl.features.access.model import AccountView, SignIn
from callctl.features.access.service import AccessService
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary
from callctl.features.limits.model import (
    Approve,
    HoldFilters,
    HoldView,
    NoticeFilters,
    NoticeView,
    Refuse,
)
from callctl.features.people.model import AcceptedInvitation, AcceptInvitation
from callctl.http.auth import ACTOR, Origin, identify, require_scope
from callctl.http.decode import field_error, path_id, read_body
from callctl.http.endpoint import Actor, Page

_HERE = Path(__file__).resolve().parent
_MAX_FORM_BYTES = 16 * 1024
_SHOWN = 100
_ACCEPT = "/accept-invitation"
_SIGN_IN_PROBLEMS = ("wrong_credentials", "second_factor_required", "too_many_attempts")
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class CallHistory(Protocol):
    """What the console needs of the calls' service."""

    async def list_calls(self, scope: CallScope, filters: CallFilters, /) -> Page[CallSummary]: ...

    async def get_call(self, scope: CallScope, call: int, /) -> CallDetail: ...


class HeldCalls(Protocol):
    """What the console needs of the limits' service."""

    async def list_holds(self, scope: CallScope, filters: HoldFilters, /) -> Page[HoldView]: ...

    async def list_notices(
        self, scope: CallScope, filters: NoticeFilters, /
    ) -> Page[NoticeView]: ...

    async def approve(
        self, scope: CallScope, hold: int, body: Approve, who: Author, /
    ) -> HoldView: ...

    async def refuse(
        self, scope: CallScope, hold: int, body: Refuse, who: Author, /
    ) -> HoldView: ...


class Invitations(Protocol):
    """What the console needs of the invitations' service."""

    async def accept(self, order: AcceptInvitation, /) -> AcceptedInvitation: ...


def link_to(public_url: str | None) -> Callable[[str], str]:
    """The address of the page on which an invitation's secret is accepted."""
    root = (public_url or "").rstrip("/")
    return lambda secret: f"{root}{_ACCEPT}?{urlencode({'secret': secret})}"


class Console:
    """`recording_url` gives the address of a recording's audio by its id.

    `alarms` are those that are raised now: every page shows them to who may see the system.
    `limits`: with it there is a page of calls held for approval; `invitations`: with it one where
    they are accepted.
    """

    def __init__(
        self,
        access: AccessService,
        calls: CallHistory,
        *,
        origin: Origin,
        recording_url: Callable[[int], str],
        alarms: Callable[[], Sequence[RaisedAlarm]] = lambda: (),
        limits: HeldCalls | None = None,
        invitations: Invitations | None = None,
    ) -> None:
        self._access = access
        self._limits = limits
        self._invitations = invitations
        self._calls = calls
        self._origin = origin
        self._alarms = alarms
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "recording_url": recording_url,
            "words": words,
            "has_limits": limits is not None,
        }
        self._templates.filters |= {"duration": words.duration, "share": words.share}

    def routes(self) -> list[web.AbstractRouteDef]:
        """For `build_web_app(pages=...)`, together with `error_page`."""
        return [
            web.get("/", self._start),
            web.get("/sign-in", self._sign_in_page),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.get("/calls", self._history),
            web.get("/calls/{id}", self._call),
            *self._limit_routes(),
            *self._invitation_routes(),
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
        form = await _read_form(request)
        login = form.get("login", "")
        try:
            credentials = msgspec.convert(form, SignIn)
            opened = await self._access.sign_in(
                credentials,
                self._origin.address_of(request),
                user_agent=request.headers.get("User-Agent", ""),
                previous=self._origin.session_of(request),
            )
        except msgspec.ValidationError:
            return self._render("sign_in.html", 422, login="", problem="Enter both, please.")
        except CallctlError as error:
            if error.code not in _SIGN_IN_PROBLEMS:
                raise
            return self._render("sign_in.html", error.status, login=login, problem=_sentence(error))
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
            scope = actor.calls
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
        detail = await self._calls.get_call(actor.calls, path_id(request.match_info))
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

    def _limit_routes(self) -> list[web.AbstractRouteDef]:
        limits = self._limits
        if limits is None:
            return []

        async def show(request: web.Request) -> web.StreamResponse:
            actor, account = await self._visitor(request, Scope.LIMITS_READ)
            held = await limits.list_holds(actor.calls, HoldFilters(limit=_SHOWN))
            notices = await limits.list_notices(actor.calls, NoticeFilters(limit=_SHOWN))
            return self._render(
                "limits.html",
                actor=actor,
                account=account,
                times=words.LocalTime(account.timezone),
                held=held.items,
                notices=notices.items,
                may_decide=Scope.LIMITS_APPROVE in actor.scopes,
            )

        async def decide(request: web.Request) -> web.StreamResponse:
            self._origin.require_same_origin(request, browser=True)
            actor, _ = await self._visitor(request, Scope.LIMITS_APPROVE)
            form = await _read_form(request, ("hours", "whole_account", "any_destination"))
            hold = path_id(request.match_info)
            try:
                if request.match_info["verb"] == "approve":
                    approve = msgspec.convert(form, Approve, strict=False)
                    await limits.approve(actor.calls, hold, approve, actor.author)
                else:
                    refuse = msgspec.convert(
                        {"hours": form.get("hours", "24")}, Refuse, strict=False
                    )
                    await limits.refuse(actor.calls, hold, refuse, actor.author)
            except msgspec.ValidationError as error:
                raise field_error(error, "form") from None
            return web.Response(status=303, headers={"Location": "/limits"})

        return [
            web.get("/limits", show),
            web.post("/limits/{id}/{verb:approve|refuse}", decide),
        ]

    def _invitation_routes(self) -> list[web.AbstractRouteDef]:
        invitations = self._invitations
        if invitations is None:
            return []

        async def show(request: web.Request) -> web.StreamResponse:
            secret = request.query.get("secret", "")
            return self._render("accept.html", form={"secret": secret}, problem=None)

        async def accept(request: web.Request) -> web.StreamResponse:
            self._origin.require_same_origin(request, browser=True)
            form = await _read_form(request, ("secret", "login", "name", "password"))
            try:
                await invitations.accept(msgspec.convert(form, AcceptInvitation))
            except msgspec.ValidationError as error:
                problem = field_error(error, "")
                return self._render("accept.html", 422, form=form, problem=_sentence(problem))
            except CallctlError as error:
                if error.code not in ("not_found", "already_exists", "invalid_field"):
                    raise
                return self._render(
                    "accept.html", error.status, form=form, problem=_sentence(error)
                )
            return web.Response(status=303, headers={"Location": "/sign-in"})

        return [web.get(_ACCEPT, show), web.post(_ACCEPT, accept)]

    async def _visitor(
        self, request: web.Request, scope: Scope = Scope.CALLS_READ
    ) -> tuple[Actor, AccountView]:
        actor = await identify(request, self._access, self._origin)
        actor = require_scope(actor, scope)
        request[ACTOR] = actor
        return actor, await self._access.get_account(actor.account_id)

    def _render(self, template: str, status: int = 200, **values: Any) -> web.Response:
        actor: Actor | None = values.setdefault("actor", None)
        sees_system = actor is not None and Scope.SYSTEM_READ in actor.scopes
        values["alarms"] = self._alarms() if sees_system else ()
        return web.Response(
            text=self._templates.get_template(template).render(values),
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY},
        )


def _sentence(error: CallctlError) -> str:
    """An error's words for a person: the field is named where there is one."""
    field = (error.field or "").rpartition(".")[2].replace("_", " ")
    words = f"{field}: {error.message}" if field else error.message
    return words[:1].upper() + words[1:] + "."


async def _read_form(
    request: web.Request, names: Sequence[str] = ("login", "password", "code")
) -> dict[str, str]:
    """The fields `names` of a form that was sent, as far as they are there.

    Not by aiohttp's own `post`, which waits for ever and takes files. Raises CallctlError.
    """
    raw = await read_body(request, _MAX_FORM_BYTES)
    try:
        sent = dict(parse_qsl(raw.decode(), max_num_fields=10, errors="strict"))
    except ValueError:
        return {}
    if "\0" in "".join(sent.values()):
        return {}
    return {name: sent[name] for name in names if name in sent}


def _decode_form(request: web.Request) -> HistoryForm:
    values = {name: value.strip() for name, value in request.query.items() if value.strip()}
    if any("\0" in value for value in values.values()):
        raise CallctlError("invalid_field", "holds a NUL character")
    try:
        return msgspec.convert(values, HistoryForm, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "form") from None
