"""Endpoints of sessions, tokens and one's own profile."""

from typing import Any

from aiohttp import web
from msgspec import json

from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.access.model import (
    Confirm,
    Disable,
    Enrol,
    Enrolment,
    IssuedToken,
    NewToken,
    PasswordChange,
    PhoneChange,
    ProfileChange,
    ProfileView,
    RecoveryCodes,
    SessionList,
    SessionView,
    SignIn,
    TokenFilters,
    TokenView,
)
from callctl.features.access.service import AccessService
from callctl.http.auth import Origin
from callctl.http.decode import path_id
from callctl.http.endpoint import ApiCall, Empty, Endpoint, Page

_PLATFORM = ("cross_origin", "database_unavailable")
_TAG = "access"
_SESSIONS = "/api/v1/sessions"
_TOKENS = "/api/v1/tokens"
_PROFILE = "/api/v1/profile"
_GUESSES = ("not_found", "conflict", "too_many_attempts")


def endpoints(service: AccessService, origin: Origin | None = None) -> list[Endpoint]:
    """`origin` must be the one that the web application is built with."""
    origin = origin or Origin()
    return [
        *_session_endpoints(_SessionApi(service, origin)),
        *_token_endpoints(service),
        *_profile_endpoints(_ProfileApi(service, origin)),
    ]


def _session_endpoints(api: "_SessionApi") -> list[Endpoint]:
    own = Scope.PROFILE_WRITE
    sign_in_errors = (
        "wrong_credentials", "second_factor_required", "too_many_attempts", "conflict", *_PLATFORM,
    )  # fmt: skip
    return [
        Endpoint(
            "POST", _SESSIONS, "Sign in; the session comes as a cookie", _TAG, None, api.sign_in,
            SessionView, body=SignIn,
            body_example=SignIn("anna", "a long pass phrase"),
            status=201, errors=sign_in_errors,
        ),
        Endpoint(
            "DELETE", _SESSIONS, "Sign out: end the session of the cookie, if there is one", _TAG,
            None, api.sign_out, Empty, status=204, errors=_PLATFORM,
        ),
        Endpoint(
            "GET", _SESSIONS, "One's own sessions, the newest first", _TAG, own, api.list_own,
            SessionList, errors=("not_found",),
        ),
        Endpoint(
            "DELETE", f"{_SESSIONS}/{{id}}", "End one of one's own sessions", _TAG, own, api.end,
            Empty, status=204, errors=("not_found",),
        ),
    ]  # fmt: skip


def _token_endpoints(service: AccessService) -> list[Endpoint]:
    async def list_tokens(call: ApiCall) -> Page[TokenView]:
        return await service.list_tokens(call.actor, call.query)

    async def create_token(call: ApiCall) -> IssuedToken:
        return await service.create_token(call.actor, call.body)

    async def revoke_token(call: ApiCall) -> Empty:
        await service.revoke_token(call.actor, path_id(call.path))
        return Empty()

    scope = Scope.TOKENS_WRITE
    return [
        Endpoint(
            "GET", _TOKENS, "Tokens of the account, newest first, without their secrets", _TAG,
            scope, list_tokens, Page[TokenView], query=TokenFilters,
        ),
        Endpoint(
            "POST", _TOKENS, "Issue a token; its secret is shown this once", _TAG, scope,
            create_token, IssuedToken, body=NewToken,
            body_example=NewToken("CRM", [Scope.CALLS_READ]),
            status=201,
        ),
        Endpoint(
            "DELETE", f"{_TOKENS}/{{id}}", "Revoke a token at once", _TAG, scope, revoke_token,
            Empty, status=204,
        ),
    ]  # fmt: skip


def _profile_endpoints(api: "_ProfileApi") -> list[Endpoint]:
    own = Scope.PROFILE_WRITE
    second_factor = f"{_PROFILE}/second-factor"
    return [
        Endpoint(
            "GET", _PROFILE, "Who one is, and what one may do", _TAG, own, api.get, ProfileView,
            errors=("not_found",),
        ),
        Endpoint(
            "PATCH", _PROFILE, "Change one's own name", _TAG, own, api.change, ProfileView,
            body=ProfileChange, body_example=ProfileChange("Anna Adams"), errors=("not_found",),
        ),
        Endpoint(
            "PUT", f"{_PROFILE}/phone", "Say whose phone one sits at, until one signs out", _TAG,
            own, api.sit, ProfileView, body=PhoneChange, body_example=PhoneChange("205"),
            errors=("not_found", "conflict"),
        ),
        Endpoint(
            "POST", f"{_PROFILE}/password", "Change one's own password; other sessions end", _TAG,
            own, api.change_password, Empty, body=PasswordChange,
            body_example=PasswordChange("a long pass phrase", "another pass phrase"),
            status=204, errors=_GUESSES,
        ),
        Endpoint(
            "POST", second_factor, "Ask for a second factor (RFC 6238)", _TAG, own, api.enrol,
            Enrolment, body=Enrol,
            body_example=Enrol("a long pass phrase"),
            status=201, errors=_GUESSES,
        ),
        Endpoint(
            "POST", f"{second_factor}/confirm", "Put it into force by its first code", _TAG, own,
            api.confirm, RecoveryCodes, body=Confirm,
            body_example=Confirm("123456"),
            errors=_GUESSES,
        ),
        Endpoint(
            "POST", f"{second_factor}/disable", "Give the second factor up", _TAG, own,
            api.disable, Empty, body=Disable,
            body_example=Disable("a long pass phrase", "123456"),
            status=204, errors=_GUESSES,
        ),
    ]  # fmt: skip


class _SessionApi:
    def __init__(self, service: AccessService, origin: Origin) -> None:
        self._service = service
        self._origin = origin

    async def sign_in(self, call: ApiCall) -> web.Response:
        origin = self._origin
        origin.require_same_origin(call.raw, browser=False)
        opened = await self._service.sign_in(
            call.body,
            origin.address_of(call.raw),
            user_agent=call.headers.get("User-Agent", ""),
            previous=origin.session_of(call.raw),
        )
        response = _json(opened.view, 201)
        origin.set_session(response, opened.secret, opened.max_age)
        return response

    async def sign_out(self, call: ApiCall) -> web.Response:
        response = web.Response(status=204)
        session = self._origin.session_of(call.raw)
        if session is not None:
            self._origin.require_same_origin(call.raw, browser=True)
            await self._service.sign_out(session)
            self._origin.clear_session(response)
        return response

    async def list_own(self, call: ApiCall) -> SessionList:
        session = self._origin.session_of(call.raw) or ""
        return await self._service.profile.list_sessions(call.actor, session)

    async def end(self, call: ApiCall) -> Empty:
        await self._service.profile.end_session(call.actor, path_id(call.path))
        return Empty()


class _ProfileApi:
    """What changes how one signs in gives the session a new secret."""

    def __init__(self, service: AccessService, origin: Origin) -> None:
        self._profile = service.profile
        self._origin = origin

    async def get(self, call: ApiCall) -> ProfileView:
        return await self._profile.get(call.actor)

    async def change(self, call: ApiCall) -> ProfileView:
        return await self._profile.change(call.actor, call.body)

    async def sit(self, call: ApiCall) -> ProfileView:
        return await self._profile.sit(call.actor, call.body, self._session(call))

    async def change_password(self, call: ApiCall) -> web.Response:
        renewed = await self._profile.change_password(call.actor, call.body, self._session(call))
        return self._renewed(web.Response(status=204), renewed)

    async def enrol(self, call: ApiCall) -> Enrolment:
        return await self._profile.enrol(call.actor, call.body.password)

    async def confirm(self, call: ApiCall) -> web.Response:
        codes, renewed = await self._profile.confirm(
            call.actor, call.body.code, self._session(call)
        )
        return self._renewed(_json(codes, 200), renewed)

    async def disable(self, call: ApiCall) -> web.Response:
        renewed = await self._profile.disable(call.actor, call.body, self._session(call))
        return self._renewed(web.Response(status=204), renewed)

    def _session(self, call: ApiCall) -> str:
        session = self._origin.session_of(call.raw)
        if session is None or call.actor.user_id is None:
            raise CallctlError("not_found", "a token has no profile; sign in")
        return session

    def _renewed(self, response: web.Response, renewed: tuple[str, int]) -> web.Response:
        self._origin.set_session(response, *renewed)
        return response


def _json(value: Any, status: int) -> web.Response:
    return web.Response(body=json.encode(value), status=status, content_type="application/json")
