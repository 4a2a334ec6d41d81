"""What the API says of sessions and tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from callctl.core.permissions import Scope

Login = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[^\\x00]*$")]
Password = Annotated[str, Meta(min_length=1, max_length=1000)]


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's login and password."""

    login: Login
    password: Password


class SessionView(Struct, frozen=True):
    """A session that was opened; its secret is in the cookie, nowhere else."""

    login: str
    name: str
    role: str
    scopes: list[str]
    expires_at: datetime


class NewToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token to issue. It can have no scope that whoever asks for it lacks."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=50)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class TokenView(Struct, frozen=True):
    """A token without its secret, which nobody can see again."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class IssuedToken(Struct, frozen=True):
    """A token just issued, with its secret: shown this once."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    token: str


class TokenFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=20, pattern=r"^[0-9]{1,18}$")] | None = None


@dataclass(frozen=True, slots=True)
class AccountView:
    """The account that someone works for. `timezone` is an IANA name."""

    id: int
    code: str
    name: str
    timezone: str


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """`secret` goes into the cookie; `max_age` is in seconds."""

    view: SessionView
    secret: str
    max_age: int


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What `bootstrap` made. None where it existed already: secrets cannot be shown again."""

    account_id: int
    login: str
    password: str | None
    token: str | None
