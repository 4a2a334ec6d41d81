"""Who asks: a bearer token for machines, a cookie session for people."""

import ipaddress
from collections.abc import Iterable
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web

from callctl.core.errors import CallctlError
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("callctl.access")

_COOKIE = "callctl_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_SECRET_CHARS = 512

ACTOR = web.RequestKey("actor", Actor)
"""Where a request keeps its actor, for the access log and for pages."""


class Authenticator(Protocol):
    """What turns secrets into actors; None for one that is unknown, expired or revoked."""

    async def by_token(self, token: str) -> Actor | None: ...

    async def by_session(self, session: str) -> Actor | None: ...


class Origin:
    """Our own address as browsers see it: what cookies and the same-origin check go by.

    `proxies` are networks whose word is taken for whom they speak for (X-Forwarded-For).
    """

    def __init__(self, public_url: str | None = None, proxies: Iterable[str] = ()) -> None:
        self._public = urlsplit(public_url) if public_url else None
        self._proxies = tuple(ipaddress.ip_network(proxy) for proxy in proxies)

    @property
    def is_secure(self) -> bool:
        return self._public is not None and self._public.scheme == "https"

    @property
    def cookie(self) -> str:
        """Name of the session's cookie. With ``__Host-`` no neighbouring site can set it."""
        return f"__Host-{_COOKIE}" if self.is_secure else _COOKIE

    def root_of(self, request: web.Request) -> str:
        """The address that the browser reached us by, without a path. Where no public one is set,
        only the browser knows its scheme: a proxy may have ended TLS."""
        given = request.headers.get("Origin")
        if given is not None and self._is_own(request, given):
            return given
        if self._public is not None:
            return f"{self._public.scheme}://{self._public.netloc}"
        return f"{request.scheme}://{request.host}"

    def session_of(self, request: web.Request) -> str | None:
        """The session's secret that a request carries."""
        secret = request.cookies.get(self.cookie)
        return secret if secret and len(secret) <= _MAX_SECRET_CHARS else None

    def set_session(self, response: web.StreamResponse, secret: str, max_age: int) -> None:
        """Put the cookie on a response; `max_age` in seconds. No script can read it."""
        response.set_cookie(
            self.cookie,
            secret,
            max_age=max_age,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self.is_secure,
        )

    def clear_session(self, response: web.StreamResponse) -> None:
        response.del_cookie(
            self.cookie, path="/", httponly=True, samesite="Lax", secure=self.is_secure
        )

    def address_of(self, request: web.Request) -> str:
        """The client's address: the nearest one that is no proxy of ours. Empty where unknown."""
        address = request.remote or ""
        if not self._is_proxy(address):
            return address
        named = ",".join(request.headers.getall("X-Forwarded-For", ()))
        for text in reversed(named.split(",")):
            try:
                address = str(ipaddress.ip_address(text.strip()))
            except ValueError:
                break  # What stands further left, a stranger may have written.
            if not self._is_proxy(address):
                break
        return address

    def _is_proxy(self, address: str) -> bool:
        if not self._proxies or not address:
            return False
        peer = ipaddress.ip_address(address.partition("%")[0])
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._proxies)

    def require_same_origin(self, request: web.Request, *, browser: bool) -> None:
        """Refuse a changing request that a page of another site made.

        `browser`: it is one that only a browser makes (it carries a session), so that the headers
        which tell where it comes from must be there. Raises CallctlError("cross_origin").
        """
        if request.method in _SAFE_METHODS:
            return
        site = request.headers.get("Sec-Fetch-Site")
        origin = request.headers.get("Origin")
        if site is None and origin is None and not browser:
            return
        if (
            (site is None or site == "same-origin")
            and origin is not None
            and self._is_own(request, origin)
        ):
            return
        if site == "same-origin" and origin is None:
            return
        raise CallctlError("cross_origin", "this request does not come from this console's pages")

    def _is_own(self, request: web.Request, origin: str) -> bool:
        try:
            given = urlsplit(origin)
        except ValueError:
            return False
        if self._public is not None:
            return (given.scheme, given.netloc) == (self._public.scheme, self._public.netloc)
        return given.netloc == request.host


async def identify(
    request: web.Request, authenticator: Authenticator, origin: Origin
) -> Actor | None:
    """The actor of a request, None when it carries no token and no valid session.

    Raises CallctlError: `unauthenticated` for a token that is not valid, `cross_origin` for a
    session used from elsewhere, `database_unavailable`.
    """
    header = request.headers.get("Authorization")
    if header is not None:
        kind, _, token = header.partition(" ")
        token = token.strip()
        actor = None
        if kind.lower() == "bearer" and 0 < len(token) <= _MAX_SECRET_CHARS and token.isascii():
            actor = await authenticator.by_token(token)
        if actor is None:
            log.warning("token_refused", address=origin.address_of(request))
            raise CallctlError("unauthenticated", "the token is unknown, expired or revoked")
        return actor
    session = origin.session_of(request)
    if session is None or not session.isascii():
        return None
    actor = await authenticator.by_session(session)
    if actor is not None:
        origin.require_same_origin(request, browser=True)
    return actor


def require_scope(actor: Actor | None, scope: str) -> Actor:
    """Raises CallctlError: `unauthenticated` without an actor, `forbidden` without the scope."""
    if actor is None:
        raise CallctlError("unauthenticated", "send a bearer token, or sign in")
    if scope not in actor.scopes:
        raise CallctlError("forbidden", f"this needs the scope {scope}", detail={"scope": scope})
    return actor
