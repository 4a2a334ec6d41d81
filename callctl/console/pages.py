"""The console's pages and their routes."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from callctl.console import words
from callctl.console.filters import HistoryForm
from callctl.console.services import CallHistory, HeldCalls, Invitations, PlacesCalls
from callctl.console.timeline import WIDTH, build_timeline
from callctl.core.checks.alarms import RaisedAlarm
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.access.model import AccountView, SignIn
from callctl.features.access.service import AccessService
from callctl.features.calls.hints import HintService, find_hint
from callctl.features.calls.model import (
    CallFilters,
    CallSummary,
    NewSavedFilter,
    SavedFilterFilters,
)
from callctl.features.calls.saved_filters import SavedFilterService, read_stored
from callctl.features.limits.model import Approve, HoldFilters, NoticeFilters, Refuse
from callctl.features.originate.model import PlaceCall
from callctl.features.people.model import AcceptInvitation
from callctl.http.auth import ACTOR, Origin, identify, require_scope
from callctl.http.decode import field_error, path_id, read_body
from callctl.http.endpoint import Actor, Page

_HERE = Path(__file__).resolve().parent
_MAX_FORM_BYTES = 16 * 1024
_SHOWN = 100
_MOST_SAVED = 500
_CALL_PROBLEMS = (
    "asterisk_unavailable", "call_failed", "call_uncertain", "idempotency_conflict",
    "invalid_field",
)  # fmt: skip
_ACCEPT = "/accept-invitation"
_SIGN_IN_PROBLEMS = ("wrong_credentials", "second_factor_required", "too_many_attempts")
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def link_to(public_url: str | None) -> Callable[[str], str]:
    """The address of the page on which an invitation's secret is accepted."""
    root = (public_url or "").rstrip("/")
    return lambda secret: f"{root}{_ACCEPT}?{urlencode({'secret': secret})}"


class Console:
    """`recording_url` gives the address of a recording's audio by its id.

    `alarms` are those that are raised now: every page shows them to who may see the system.
    `limits`: with it there is a page of calls held for approval; `invitations`: with it one where
    they are accepted; `originate`: with it a call's page offers to call back.
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
        originate: PlacesCalls | None = None,
    ) -> None:
        self._access = access
        self._limits = limits
        self._invitations = invitations
        self._originate = originate
        self._calls = calls
        self._hints = HintService(calls.db)
        self._saved = SavedFilterService(calls.db)
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
        self._templates.filters |= {
            "duration": words.duration,
            "share": words.share,
            "money": words.money,
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        """For `build_web_app(pages=...)`, together with `error_page`."""
        return [
            web.get("/", self._start),
            web.get("/sign-in", self._sign_in_page),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.get("/calls", self._history),
            web.get("/calls/{id}", self._call),
            web.post("/calls/{id}/call-back", self._call_back),
            web.post("/saved-filters", self._save_filter),
            web.post("/saved-filters/{id}/delete", self._delete_filter),
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
        saved = await self._saved.list_saved(actor, SavedFilterFilters(limit=_MOST_SAVED))
        try:
            form = _decode_form(request.query)
            filters = form.filters(times.zone, await self._chosen(actor, form))
            page = await self._calls.list_calls(actor.calls, filters)
            problem = None
        except CallctlError as error:
            if error.code != "invalid_field":
                raise
            form, page, problem = HistoryForm(), Page[CallSummary](items=[], next=None), error
        hints = await self._hints.get(account.id)
        older = urlencode(form.fields() | {"cursor": page.next}) if page.next else None
        return self._render(
            "history.html",
            422 if problem else 200,
            actor=actor,
            account=account,
            times=times,
            form=form.fields(),
            days=words.by_day(page.items, times, hints.rules),
            is_first=form.cursor is None,
            older=older,
            newest=urlencode(form.fields()),
            turned=urlencode(form.turned().fields()),
            saved=sorted(saved.items, key=lambda one: (one.name.lower(), one.id)),
            may_share=Scope.SETTINGS_WRITE in actor.scopes,
            problem=problem,
        )

    async def _chosen(self, actor: Actor, form: HistoryForm) -> CallFilters:
        """The saved filters that the form begins with. Raises CallctlError: `not_found`,
        `invalid_field` for some that no longer work."""
        if form.saved is None:
            return CallFilters()
        return read_stored((await self._saved.get_saved(actor, form.saved)).filters)

    async def _save_filter(self, request: web.Request) -> web.StreamResponse:
        self._origin.require_same_origin(request, browser=True)
        actor, account = await self._visitor(request)
        sent = await _read_form(request, ("name", "shared", "query"))
        form = _decode_form(dict(parse_qsl(sent.get("query", ""))))
        zone = words.LocalTime(account.timezone).zone
        filters = form.filters(zone, await self._chosen(actor, form)).without_page()
        new = {
            "name": sent.get("name", "").strip(),
            "filters": msgspec.to_builtins(filters),
            "shared": "shared" in sent,
        }
        try:
            made = await self._saved.create(actor, msgspec.convert(new, NewSavedFilter))
        except msgspec.ValidationError as error:
            raise field_error(error, "form") from None
        return web.Response(status=303, headers={"Location": f"/calls?saved={made.id}"})

    async def _delete_filter(self, request: web.Request) -> web.StreamResponse:
        self._origin.require_same_origin(request, browser=True)
        actor, _ = await self._visitor(request)
        await self._saved.delete(actor, path_id(request.match_info))
        return web.Response(status=303, headers={"Location": "/calls"})

    async def _call(
        self, request: web.Request, problem: CallctlError | None = None
    ) -> web.StreamResponse:
        actor, account = await self._visitor(request)
        detail = await self._calls.get_call(actor.calls, path_id(request.match_info))
        hints = await self._hints.get(account.id)
        return self._render(
            "call.html",
            problem.status if problem else 200,
            actor=actor,
            account=account,
            times=words.LocalTime(account.timezone),
            detail=detail,
            call=detail.call,
            hint=find_hint(detail.call, hints.rules),
            bars=build_timeline(detail),
            width=WIDTH,
            may_listen=Scope.RECORDINGS_READ in actor.scopes,
            may_call=self._originate is not None and Scope.CALLS_PLACE in actor.scopes,
            key=secrets.token_urlsafe(16),
            placed="placed" in request.query,
            problem=problem,
        )

    async def _call_back(self, request: web.Request) -> web.StreamResponse:
        """Ring one's own phone, or that of another extension, and let it dial the other party."""
        self._origin.require_same_origin(request, browser=True)
        actor, _ = await self._visitor(request)
        require_scope(actor, Scope.CALLS_PLACE)
        call = path_id(request.match_info)
        form = await _read_form(request, ("from", "key"))
        if self._originate is None:
            raise CallctlError("not_found", "calls are not placed here")
        order = {"call": call} | ({"from": form["from"].strip()} if form.get("from") else {})
        try:
            await self._originate.place(actor, msgspec.convert(order, PlaceCall), form.get("key"))
        except msgspec.ValidationError as error:
            return await self._call(request, field_error(error, "form"))
        except CallctlError as error:
            if error.code not in _CALL_PROBLEMS:
                raise
            return await self._call(request, error)
        return web.Response(status=303, headers={"Location": f"/calls/{call}?placed=yes"})

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


def _decode_form(query: Mapping[str, str]) -> HistoryForm:
    values = {name: value.strip() for name, value in query.items() if value.strip()}
    if any("\0" in value for value in values.values()):
        raise CallctlError("invalid_field", "holds a NUL character")
    try:
        return msgspec.convert(values, HistoryForm, strict=False)
    except msgspec.ValidationError as error:
        raise field_error(error, "form") from None
