"""Endpoints of sessions and tokens."""

from aiohttp import web
from msgspec import json

from callctl.core.permissions import Scope
from callctl.features.access.model import (
    IssuedToken,
    NewToken,
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


def endpoints(service: AccessService, origin: Origin | None = None) -> list[Endpoint]:
    """`origin` must be the one that the web application is built with."""
    api = _AccessApi(service, origin or Origin())
    return [
        Endpoint(
            "POST",
            "/api/v1/sessions",
            "Sign in; the session comes as a cookie",
            "access",
            None,
            api.sign_in,
            SessionView,
            body=SignIn,
            status=201,
            errors=(
                "wrong_credentials",
                "too_many_attempts",
                "cross_origin",
                "database_unavailable",
            ),
        ),
        Endpoint(
            "DELETE",
            "/api/v1/sessions",
            "Sign out: end the session of the cookie, if there is one",
            "access",
            None,
            api.sign_out,
            Empty,
            status=204,
            errors=_PLATFORM,
        ),
        Endpoint(
            "GET",
            "/api/v1/tokens",
            "Tokens of the account, newest first, without their secrets",
            "access",
            Scope.TOKENS_WRITE,
            api.list_tokens,
            Page[TokenView],
            query=TokenFilters,
        ),
        Endpoint(
            "POST",
            "/api/v1/tokens",
            "Issue a token; its secret is shown this once",
            "access",
            Scope.TOKENS_WRITE,
            api.create_token,
            IssuedToken,
            body=NewToken,
            status=201,
        ),
        Endpoint(
            "DELETE",
            "/api/v1/tokens/{id}",
            "Revoke a token at once",
            "access",
            Scope.TOKENS_WRITE,
            api.revoke_token,
            Empty,
            status=204,
        ),
    ]


class _AccessApi:
    def __init__(self, service: AccessService, origin: Origin) -> None:
        self._service = service
        self._origin = origin

    async def sign_in(self, call: ApiCall) -> web.Response:
        self._origin.require_same_origin(call.raw, browser=False)
        opened = await self._service.sign_in(call.body, self._origin.address_of(call.raw))
        response = web.Response(
            body=json.encode(opened.view), status=201, content_type="application/json"
        )
        self._origin.set_session(response, opened.secret, opened.max_age)
        return response

    async def sign_out(self, call: ApiCall) -> web.Response:
        response = web.Response(status=204)
        session = self._origin.session_of(call.raw)
        if session is not None:
            self._origin.require_same_origin(call.raw, browser=True)
            await self._service.sign_out(session)
            self._origin.clear_session(response)
        return response

    async def list_tokens(self, call: ApiCall) -> Page[TokenView]:
        return await self._service.list_tokens(call.actor, call.query)

    async def create_token(self, call: ApiCall) -> IssuedToken:
        return await self._service.create_token(call.actor, call.body)

    async def revoke_token(self, call: ApiCall) -> Empty:
        await self._service.revoke_token(call.actor, path_id(call.path))
        return Empty()
