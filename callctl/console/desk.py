"""What every page works with: the visitor, the operations, the templates."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from callctl.console import error_words, language, routing_words, trade_words, words
from callctl.console.assets import asset
from callctl.console.forms import FileOfForm, Form, read_form, read_upload
from callctl.console.language import LANGUAGES, N_, Language, gettext, ngettext, speak, zone_of
from callctl.console.navigation import menu_for
from callctl.console.operations import Operations
from callctl.core.checks.alarms import RaisedAlarm
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.db.idempotency import HEADER as KEY_HEADER
from callctl.features.access.model import AccountView
from callctl.features.access.service import AccessService
from callctl.http.auth import ACTOR, Origin, identify, require_scope
from callctl.http.endpoint import Actor

_HERE = Path(__file__).resolve().parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
THEMES = ("auto", "light", "dark")
DENSITIES = ("comfortable", "compact")
LOOK_COOKIES = {"theme": THEMES, "density": DENSITIES, "language": tuple(LANGUAGES)}

NOTICES = {
    "saved": N_("Saved."),
    "deleted": N_("Deleted."),
    "placed": N_("The phone rings: once you pick it up, it dials."),
    "settled": N_("Settled: no call back is owed any more."),
    "acknowledged": N_("Acknowledged."),
    "paused": N_("Nothing is recorded now."),
    "resumed": N_("It is being recorded again."),
    "hung_up": N_("The call is ended."),
    "transferred": N_("On its way to where you sent it."),
    "arranged": N_("Every extension has a place now: move them to where people sit."),
    "merged": N_("Merged: both histories are one now."),
    "revoked": N_("Revoked."),
    "replayed": N_("Put in line to be sent again."),
    "applied": N_("In force: the next call goes this way."),
    "transfer_made": N_("Set aside: somebody else has to approve it."),
    "approved": N_("Approved, and paid."),
    "rejected": N_("Rejected: the money is free again."),
    "tested": N_("The test call is on its way: how it ended will stand beside the number."),
    "held": N_("Set aside for you for ten minutes."),
    "hold_dropped": N_("No longer set aside."),
    "bought": N_("Bought, paid, and routed."),
    "taken": N_("Yours, without charge, and routed."),
    "bought_default": N_(
        "Bought, paid, and routed. It is the number that your calls show now; you can change that."
    ),
    "taken_default": N_(
        "Yours, without charge, and routed. It is the number that your calls show now; you can "
        "change that."
    ),
    "wished": N_("Asked for: the seller will answer."),
    "package_paid": N_("Paid: it is in force."),
    "member_added": N_("The seat is taken."),
    "member_removed": N_("The seat is free."),
    "invoice_asked": N_("The invoice is asked for."),
    "given": N_("Given: it is in the wallet."),
    "tariff_made": N_("Made. Now give it rates by a file."),
    "version_made": N_("Made the next version of the price list."),
    "forgotten": N_("Forgotten: nothing has changed."),
    "offered": N_("Offered, and set aside until the deadline."),
    "declined": N_("Declined."),
    "invoice_invoiced": N_("Invoiced: confirm it here once it is paid."),
    "invoice_paid": N_("Paid: the money is in the wallet."),
    "invoice_declined": N_("Declined."),
    "credited": N_("Credited: it is in the wallet."),
    "undone": N_("Undone: the routing is as it was."),
}
"""What is said after going on to another page, by the word in its address."""

Shown = Callable[["Visit"], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Visit:
    """One request of a person who is signed in."""

    desk: "Desk"
    request: web.Request
    actor: Actor
    account: AccountView
    language: Language
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    sent: Form | None = None

    def may(self, scope: Scope) -> bool:
        return scope in self.actor.scopes

    def path(self, name: str) -> str:
        return self.request.match_info[name]

    def whole(self, link: str) -> str:
        """`link` as another browser opens it: a path of ours with the address before it."""
        return self.desk.origin.root_of(self.request) + link if link.startswith("/") else link

    async def get(self, path: str, **query: Any) -> Any:
        """Read by the API's operation at `path`."""
        return await self.send("GET", path, query=query)

    async def extension_names(self) -> dict[str, str]:
        """What extensions are called, by number; who may not read the routing learns none."""
        if not self.may(Scope.ROUTING_READ):
            return {}
        found = (await self.get("/routing/extensions")).items
        return {one.number: one.name for one in found if one.name}

    async def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        file: FileOfForm | None = None,
    ) -> Any:
        return await self.desk.operations.call(
            self.actor, self.request, method, path, query=query, body=body, headers=headers,
            file=file,
        )  # fmt: skip

    async def send_once(self, form: Form, method: str, path: str, body: Any = None) -> Any:
        """As `send`, of a form with the `key` that its page was made with: sent twice, it is done
        once, and answered alike."""
        key = {KEY_HEADER: form.get("key", "")}
        return await self.send(method, path, body, headers=key)

    async def form(self) -> Form:
        if self.sent is None:
            self.sent = await read_form(self.request)
        return self.sent

    async def upload(self) -> FileOfForm:
        """The file of a form that has one; its fields are the `form` from then on."""
        self.sent, file = await read_upload(self.request)
        return file

    @property
    def is_partial(self) -> bool:
        """Whether a script asks for a part of the page only."""
        return "HX-Request" in self.request.headers

    def page(self, template: str, status: int = 200, **values: Any) -> web.Response:
        return self.desk.render(template, status, visit=self, **values)

    def go(self, path: str, notice: str | None = None) -> web.Response:
        """On to another page, after a change."""
        if notice is not None:
            path += ("&" if "?" in path else "?") + urlencode({"done": notice})
        return web.Response(status=303, headers={"Location": path})


Told = Callable[[Visit, CallctlError, Form], Awaitable[web.Response]]

_REFUSED = (400, 402, 404, 409, 413, 415, 422)


def told_on(page: Told) -> Callable[[Shown], Shown]:
    """Have what an operation refuses said on `page`, which is given the form that was sent.

    What is no matter of the form (no right, no database) is raised.
    """

    def wrap(handler: Shown) -> Shown:
        async def handle(visit: Visit) -> web.StreamResponse:
            try:
                return await handler(visit)
            except CallctlError as error:
                if error.status not in _REFUSED:
                    raise
                return await page(visit, error, visit.sent or Form())

        return handle

    return wrap


class Desk:
    """Makes pages. `alarms` are those that are raised now: whoever may see the system is shown
    them on every page. `pays_online`: a payment provider is set."""

    def __init__(
        self,
        access: AccessService,
        operations: Operations,
        *,
        origin: Origin,
        alarms: Callable[[], Sequence[RaisedAlarm]],
        pays_online: bool = False,
    ) -> None:
        self.access = access
        self.operations = operations
        self.origin = origin
        self.alarms = alarms
        self.pays_online = pays_online
        self.available: set[str] = set()
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        self._templates.install_gettext_callables(  # type: ignore[attr-defined]
            gettext, ngettext, newstyle=True
        )
        self._templates.globals |= {
            "asset": asset,
            "words": words,
            "errors": error_words,
            "said": routing_words,
            "trade": trade_words,
            "LANGUAGES": LANGUAGES,
            "THEMES": THEMES,
            "DENSITIES": DENSITIES,
            "Scope": Scope,
            "new_key": token_urlsafe,
            "N_": N_,
        }
        self._templates.filters |= {
            "duration": words.duration,
            "money": words.money,
            "share": words.share,
        }

    def shown(self, handler: Shown, scope: Scope | None) -> Callable[..., Any]:
        """A route's handler that knows the visitor, who must have `scope`, and that refuses what
        another site's page sends."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if request.method != "GET":
                self.origin.require_same_origin(request, browser=True)
            visit = await self.visit(request)
            if scope is not None:
                require_scope(visit.actor, scope)
            return await handler(visit)

        return handle

    async def visit(self, request: web.Request) -> Visit:
        """Raises CallctlError("unauthenticated")."""
        actor = await identify(request, self.access, self.origin)
        if actor is None:
            raise CallctlError("unauthenticated", "sign in")
        request[ACTOR] = actor
        account = await self.access.get_account(actor.account_id)
        spoken = self.listen(request, account.timezone)
        return Visit(self, request, actor, account, spoken)

    def listen(self, request: web.Request, zone: str = "UTC") -> Language:
        """The language of whoever asks; the page is made in it from here on."""
        code = language.choose_language(
            request.cookies.get("callctl_language"), request.headers.get("Accept-Language", "")
        )
        spoken = Language(code, zone_of(zone))
        speak(spoken)
        return spoken

    def render(
        self,
        template: str,
        status: int = 200,
        *,
        visit: Visit | None = None,
        request: web.Request | None = None,
        **values: Any,
    ) -> web.Response:
        asked = visit.request if visit is not None else request
        cookies = asked.cookies if asked is not None else {}
        said = asked.query.get("done", "") if asked is not None else ""
        look = {name: cookies.get(f"callctl_{name}", "") for name in ("theme", "density")}
        values |= {
            "visit": visit,
            "actor": visit.actor if visit else None,
            "times": visit.language if visit else language.spoken(),
            "lang": language.spoken().code,
            "theme": look["theme"] if look["theme"] in THEMES else "auto",
            "density": look["density"] if look["density"] in DENSITIES else "comfortable",
            "menu": menu_for(visit.actor.scopes, self.available) if visit else [],
            "alarms": self.alarms() if visit and visit.may(Scope.SYSTEM_READ) else (),
            "notice": values.get("notice") or NOTICES.get(said),
            # Where a form was sent to there may be no page.
            "here_path": asked.path_qs if asked is not None and asked.method == "GET" else "/",
        }
        return web.Response(
            text=self._templates.get_template(template).render(values),
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": POLICY},
        )


def routes_of(
    desk: Desk, table: Iterable[tuple[str, str, Shown, Scope | None]]
) -> list[web.AbstractRouteDef]:
    """Routes as (method, path, handler, the scope that it takes to come in)."""
    return [
        (web.get if method == "GET" else web.post)(path, desk.shown(handler, scope))
        for method, path, handler, scope in table
    ]
