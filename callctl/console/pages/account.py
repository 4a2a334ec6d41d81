"""Coming in and going out, how pages look, and one's own profile (R003-23, R003-31)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from callctl.console.desk import LOOK_COOKIES, Desk, Visit, routes_of
from callctl.console.forms import local_path, read_form
from callctl.console.links import ACCEPT
from callctl.console.qr import qr_svg
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.access.model import SignIn
from callctl.features.people.model import OpenInvitation
from callctl.http.endpoint import NOBODY

_SIGN_IN_PROBLEMS = ("wrong_credentials", "second_factor_required", "too_many_attempts")
_YEAR = 365 * 24 * 3600


Invited = Callable[[str], Awaitable[OpenInvitation]]
"""What an invitation's secret offers. Raises CallctlError("not_found")."""


def routes(desk: Desk, invited: Invited) -> list[web.AbstractRouteDef]:
    door = _Door(desk, invited)
    own = Scope.PROFILE_WRITE
    return [
        web.get("/sign-in", door.sign_in_page),
        web.post("/sign-in", door.sign_in),
        web.post("/sign-out", door.sign_out),
        web.get(ACCEPT, door.invitation),
        web.post(ACCEPT, door.accept),
        web.post("/look", door.look),
        *routes_of(
            desk,
            [
                ("GET", "/profile", profile, own),
                ("POST", "/profile", change_name, own),
                ("POST", "/profile/password", change_password, own),
                ("POST", "/profile/second-factor", enrol, own),
                ("POST", "/profile/second-factor/confirm", confirm, own),
                ("POST", "/profile/second-factor/disable", disable, own),
                ("POST", "/profile/sessions/{id}/end", end_session, own),
            ],
        ),
    ]


class _Door:
    """Pages for those who are not signed in."""

    def __init__(self, desk: Desk, invited: Invited) -> None:
        self._desk = desk
        self._invited = invited

    def _page(
        self, request: web.Request, template: str, status: int = 200, **values: Any
    ) -> web.Response:
        self._desk.listen(request)
        return self._desk.render(template, status, request=request, **values)

    async def sign_in_page(self, request: web.Request) -> web.StreamResponse:
        return self._page(request, "account/sign_in.html", login="", error=None)

    async def sign_in(self, request: web.Request) -> web.StreamResponse:
        origin = self._desk.origin
        origin.require_same_origin(request, browser=True)
        try:
            form = await read_form(request)
        except CallctlError as error:
            return self._page(request, "account/sign_in.html", 422, login="", error=error)
        login = form.get("login", "")
        try:
            given = form.sent("login", "password", "code")
            opened = await self._desk.access.sign_in(
                msgspec.convert(given, SignIn),
                origin.address_of(request),
                user_agent=request.headers.get("User-Agent", ""),
                previous=origin.session_of(request),
            )
        except msgspec.ValidationError:
            missing = CallctlError("invalid_field", "login and password are needed")
            return self._page(request, "account/sign_in.html", 422, login="", error=missing)
        except CallctlError as error:
            if error.code not in _SIGN_IN_PROBLEMS:
                raise
            return self._page(
                request, "account/sign_in.html", error.status, login=login, error=error
            )
        response = web.Response(status=303, headers={"Location": "/"})
        origin.set_session(response, opened.secret, opened.max_age)
        return response

    async def sign_out(self, request: web.Request) -> web.StreamResponse:
        origin = self._desk.origin
        origin.require_same_origin(request, browser=True)
        session = origin.session_of(request)
        if session is not None:
            await self._desk.access.sign_out(session)
        response = web.Response(status=303, headers={"Location": "/sign-in"})
        origin.clear_session(response)
        return response

    async def invitation(self, request: web.Request) -> web.StreamResponse:
        return await self._welcome(request, {"secret": request.query.get("secret", "")})

    async def _welcome(
        self, request: web.Request, form: Mapping[str, str], error: CallctlError | None = None
    ) -> web.Response:
        """Says which account one is invited to; of a link that works no more, only that."""
        invited = None
        try:
            invited = await self._invited(form.get("secret", ""))
        except CallctlError as gone:
            if gone.code != "not_found":
                raise
            error = gone
        status = error.status if error else 200
        return self._page(
            request, "account/accept.html", status, form=form, invited=invited, error=error
        )

    async def accept(self, request: web.Request) -> web.StreamResponse:
        self._desk.origin.require_same_origin(request, browser=True)
        form = await read_form(request)
        body = form.sent("secret", "login", "name", "password")
        try:
            await self._desk.operations.call(
                NOBODY, request, "POST", "/invitations/accept", body=body
            )
        except CallctlError as error:
            if error.code not in ("not_found", "already_exists", "invalid_field"):
                raise
            return await self._welcome(request, form, error)
        return web.Response(status=303, headers={"Location": "/sign-in"})

    async def look(self, request: web.Request) -> web.StreamResponse:
        """Colours, density and language are the browser's own matter: cookies, no account."""
        self._desk.origin.require_same_origin(request, browser=True)
        form = await read_form(request)
        response = web.Response(status=303, headers={"Location": local_path(form.get("back"))})
        for name, allowed in LOOK_COOKIES.items():
            if form.get(name) in allowed:
                response.set_cookie(
                    f"callctl_{name}",
                    form[name],
                    max_age=_YEAR,
                    path="/",
                    samesite="Lax",
                    httponly=True,
                    secure=self._desk.origin.is_secure,
                )
        return response


async def profile(visit: Visit, error: CallctlError | None = None, **more: Any) -> web.Response:
    values = {"codes": [], "enrolment": None, "qr": None} | more
    return visit.page(
        "account/profile.html",
        error.status if error else 200,
        me=await visit.get("/profile"),
        sessions=(await visit.get("/sessions")).items,
        error=error,
        **values,
    )


async def change_name(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    return await _changed(visit, "PATCH", "/profile", {"name": form.get("name", "")})


async def change_password(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    return await _changed(visit, "POST", "/profile/password", form.pick("current", "new"))


async def disable(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    body = form.pick("password", "code")
    return await _changed(visit, "POST", "/profile/second-factor/disable", body)


async def end_session(visit: Visit) -> web.StreamResponse:
    return await _changed(visit, "DELETE", f"/sessions/{visit.path('id')}", None)


async def enrol(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        enrolment = await visit.send("POST", "/profile/second-factor", form.pick("password"))
    except CallctlError as error:
        return await profile(visit, error)
    return await profile(visit, enrolment=enrolment, qr=qr_svg(enrolment.uri))


async def confirm(visit: Visit) -> web.StreamResponse:
    form = await visit.form()
    try:
        codes = await visit.send("POST", "/profile/second-factor/confirm", form.pick("code"))
    except CallctlError as error:
        return await profile(visit, error)
    return await profile(visit, codes=codes.codes)


async def _changed(visit: Visit, method: str, path: str, body: Any) -> web.StreamResponse:
    try:
        await visit.send(method, path, body)
    except CallctlError as error:
        return await profile(visit, error)
    return visit.go("/profile", "saved")
