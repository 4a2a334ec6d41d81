"""What the API takes and says of users, groups and invitations."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from callctl.core.permissions import Role, Scope
from callctl.http.fields import ExtensionNumber

MAX_HOURS = 24 * 30

Name = Annotated[str, Meta(max_length=100)]
Login = Annotated[str, Meta(max_length=100, pattern=r"^[a-z0-9][a-z0-9._@+\-]*$")]
Password = Annotated[str, Meta(min_length=10, max_length=1000)]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[!-?A-~]+@[!-?A-~]+$")]
EmployeeNumber = Annotated[str, Meta(pattern=r"^[0-9A-Za-z\-]{1,30}$")]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Scopes = Annotated[list[Scope], Meta(max_length=100)]
Limit = Annotated[int, Meta(ge=1, le=500)]


class UserView(Struct, frozen=True):
    """A person. `scopes` are what the role, `granted` and `withdrawn` come to."""

    id: int
    login: str
    name: str
    email: str | None
    employee_number: str | None
    extension: str | None
    role: str
    group_id: int | None
    group: str | None
    active: bool
    granted: list[str]
    withdrawn: list[str]
    scopes: list[str]
    second_factor: bool
    created_at: datetime
    changed_at: datetime


class NewUser(Struct, frozen=True, forbid_unknown_fields=True):
    """A person to add. Finer rights come with editing (R002-07).

    Without a `password` one is made up. An invitation lets people choose their own.
    """

    login: Login
    name: Name
    role: Role
    email: Email | None = None
    employee_number: EmployeeNumber | None = None
    extension: ExtensionNumber | None = None
    group_id: Id | None = None
    password: Password | None = None


class CreatedUser(Struct, frozen=True):
    """`password` is the one that was made up, shown this once; null when it was given."""

    user: UserView
    password: str | None


class GeneratedPassword(Struct, frozen=True):
    """Shown this once."""

    password: str


class UserChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is. `active` false blocks: sessions and tokens end at once.

    A new role starts without finer rights, unless they are given with it.
    """

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    email: Email | UnsetType | None = UNSET
    employee_number: EmployeeNumber | UnsetType | None = UNSET
    extension: ExtensionNumber | UnsetType | None = UNSET
    group_id: Id | UnsetType | None = UNSET
    granted: Scopes | UnsetType = UNSET
    withdrawn: Scopes | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class UserFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`text`: a part of the name or the login. `cursor` is the `next` of the page before."""

    role: Role | None = None
    group_id: Id | None = None
    active: bool | None = None
    text: Annotated[str, Meta(max_length=100)] | None = None
    limit: Limit = 50
    cursor: Annotated[str, Meta(max_length=100)] | None = None


class GroupView(Struct, frozen=True):
    """`members` are those who belong to it, blocked ones too."""

    id: int
    name: str
    description: str
    members: int
    created_at: datetime


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    description: Annotated[str, Meta(max_length=500)] = ""


class GroupChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays as it is."""

    name: Name | UnsetType = UNSET
    description: Annotated[str, Meta(max_length=500)] | UnsetType = UNSET


class GroupFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Limit = 50
    cursor: Annotated[str, Meta(max_length=100)] | None = None


InvitationState = Literal["open", "accepted", "revoked", "expired"]


class NewInvitation(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to invite to be what. `hours`: how long the link works."""

    role: Role
    name: Name = ""
    email: Email | None = None
    employee_number: EmployeeNumber | None = None
    extension: ExtensionNumber | None = None
    group_id: Id | None = None
    hours: Annotated[int, Meta(ge=1, le=MAX_HOURS)] = 72


class InvitationView(Struct, frozen=True):
    """`user_id` is whom it made."""

    id: int
    state: InvitationState
    name: str
    email: str | None
    role: str
    group_id: int | None
    employee_number: str | None
    extension: str | None
    invited_by: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None
    user_id: int | None


class IssuedInvitation(Struct, frozen=True):
    """`link` leads to the page where it is accepted; it holds `secret`. Both shown this once."""

    invitation: InvitationView
    secret: str
    link: str


class OpenInvitation(Struct, frozen=True):
    """What its link offers: `account` is the name of the one that it leads into, `name` whom it
    is for, empty where nobody was named."""

    account: str
    name: str


class InvitationFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: InvitationState | None = None
    limit: Limit = 50
    cursor: Id | None = None


class AcceptInvitation(Struct, frozen=True, forbid_unknown_fields=True):
    """`name`: as invited if left out."""

    secret: Annotated[str, Meta(min_length=1, max_length=100)]
    login: Login
    password: Password
    name: Name = ""


class AcceptedInvitation(Struct, frozen=True):
    """Sign in with it."""

    login: str
    name: str
    role: str
