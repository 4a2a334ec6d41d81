"""What the API says of sessions and tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from callctl.core.permissions import Scope
from callctl.http.fields import ExtensionNumber

Login = Annotated[str, Meta(min_length=1, max_length=100, pattern="^[^\\x00]*$")]
Password = Annotated[str, Meta(min_length=1, max_length=1000)]
NewPassword = Annotated[str, Meta(min_length=10, max_length=1000)]
Code = Annotated[str, Meta(max_length=40)]
"""The six digits of an authenticator app, or a recovery code; blanks do not count."""


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """A person's login and password, and the code of the second factor where there is one.

    `extension`: whose phone the person sits at (R003-20).
    """

    login: Login
    password: Password
    code: Code = ""
    extension: ExtensionNumber | None = None


class SessionView(Struct, frozen=True):
    """A session that was opened; its secret is in the cookie, nowhere else."""

    login: str
    name: str
    role: str
    scopes: list[str]
    expires_at: datetime


class SessionItem(Struct, frozen=True):
    """One of one's own sessions; `current` is the one that asks."""

    id: int
    created_at: datetime
    expires_at: datetime
    address: str
    user_agent: str
    current: bool


class SessionList(Struct, frozen=True):
    items: list[SessionItem]


class ProfileView(Struct, frozen=True):
    """Whoever is signed in. `extensions`: whose calls they see, null = all of the account's.
    `phone`: the extension whose phone they sit at, null = their own's.

    `recovery_codes` are those that are left.
    """

    id: int
    account: str
    login: str
    name: str
    email: str | None
    employee_number: str | None
    extension: str | None
    phone: str | None
    role: str
    group: str | None
    scopes: list[str]
    extensions: list[str] | None
    second_factor: bool
    recovery_codes: int


class ProfileChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What one may change of oneself (R003-31)."""

    name: Annotated[str, Meta(max_length=100)]


class PhoneChange(Struct, frozen=True, forbid_unknown_fields=True):
    """The extension whose phone one sits at, until one signs out; null: one's own."""

    extension: ExtensionNumber | None


class PasswordChange(Struct, frozen=True, forbid_unknown_fields=True):
    """One's own password; all other sessions end."""

    current: Password
    new: NewPassword


class Enrol(Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a second factor; it is in force once a code has confirmed it."""

    password: Password


class Enrolment(Struct, frozen=True):
    """For the authenticator app: `uri` as a QR code, or `secret` typed in. Shown this once."""

    secret: str
    uri: str


class Confirm(Struct, frozen=True, forbid_unknown_fields=True):
    code: Code


class RecoveryCodes(Struct, frozen=True):
    """Each stands in for the app once. Shown this once."""

    codes: list[str]


class Disable(Struct, frozen=True, forbid_unknown_fields=True):
    """Give the second factor up."""

    password: Password
    code: Code


class NewToken(Struct, frozen=True, forbid_unknown_fields=True):
    """A token to issue. It can have no scope that whoever asks for it lacks."""

    name: Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\S")]
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=50)]
    expires_at: Annotated[datetime, Meta(tz=True)] | None = None


class TokenView(Struct, frozen=True):
    """A token without its secret, which nobody can see again.

    `created_by` is the login of who answers for it: it can do no more than they can.
    """

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    created_by: str | None


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
