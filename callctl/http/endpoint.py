"""One declaration per endpoint: it feeds the router, decoding, the check of rights and OpenAPI."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from aiohttp import web
from msgspec import Struct

from callctl.core.author import Author
from callctl.core.scope import CallScope
from callctl.db.idempotency import RequestKey

T = TypeVar("T")
K = TypeVar("K")


class Page(Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    """One page of a list; `next` is the cursor of the following page, null on the last."""

    items: list[T]
    next: str | None


class Empty(Struct, frozen=True, forbid_unknown_fields=True):
    """The response of an endpoint that has nothing to say (declare it with status 204)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a token or a person. `name` is fit for an audit line; `user_id` None = a token.

    `extensions` are those whose calls the actor may see, None = all of the account's.
    `issued_by` is the user who answers for a token, None = the machine's.
    """

    account_id: int
    name: str
    scopes: frozenset[str]
    user_id: int | None = None
    extensions: tuple[str, ...] | None = None
    issued_by: int | None = None

    @property
    def author(self) -> Author:
        """Who the audit log says it was."""
        return Author(self.name, self.user_id, self.issued_by)

    @property
    def viewer_id(self) -> int | None:
        """The user that only sees a part of the account's people; None = sees all of them."""
        return None if self.extensions is None else self.author.responsible_id or 0

    @property
    def calls(self) -> CallScope:
        """Whose calls the actor may see."""
        return CallScope(self.account_id, self.extensions)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request that has passed decoding and the check of rights.

    `actor` is the one who asks; endpoints without a scope get `NOBODY` when none was given.
    `query` and `body` are instances of what the endpoint declares, None where it declares none.
    `request_key` is how the sender of an idempotent request has named it, None when they have not.
    """

    actor: Actor
    path: Mapping[str, str]
    query: Any
    body: Any
    headers: Mapping[str, str]
    raw: web.Request
    request_key: RequestKey | None = None


NOBODY = Actor(account_id=0, name="nobody", scopes=frozenset())

Handler = Callable[[ApiCall], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation of the API.

    `path` is like ``/api/v1/calls/{id}``; `scope` None = open to all. `response` is the type of
    what the handler returns (a Struct, `Page[...]`, `Empty`), or `web.StreamResponse` for files
    of `content_type`. `example` and `body_example`, values of the declared types, are shown in the
    document. `idempotent`: it takes an Idempotency-Key (`callctl.db.idempotency`). `errors` are the
    codes it raises by itself; those of the platform (authentication, decoding, database) are added.
    """

    method: str
    path: str
    summary: str
    tag: str
    scope: str | None
    handler: Handler
    response: Any
    query: type[Struct] | None = None
    body: type[Struct] | None = None
    status: int = 200
    errors: tuple[str, ...] = ()
    content_type: str = "application/json"
    max_body_bytes: int = 1024 * 1024
    example: Any = None
    body_example: Struct | None = None
    idempotent: bool = False
