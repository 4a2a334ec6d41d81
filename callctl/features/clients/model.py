"""What the API says of clients: people and companies outside (R001-17, R003-40, R003-44)."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

MAX_NUMBERS = 100
"""Of one client: a company's desks. More is another system's directory, pasted."""

SHOWN_CONTACTS = 20

Kind = Literal["person", "company"]
Direction = Literal["inbound", "outbound"]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
Short = Annotated[str, Meta(max_length=100)]
Address = Annotated[str, Meta(max_length=500)]
Email = Annotated[str, Meta(max_length=254)]
Notes = Annotated[str, Meta(max_length=4000)]
Label = Annotated[str, Meta(max_length=40)]
TypeName = Annotated[str, Meta(min_length=1, max_length=60)]
GroupName = Annotated[str, Meta(min_length=1, max_length=100)]
Limit = Annotated[int, Meta(ge=1, le=500)]
Cursor = Annotated[str, Meta(max_length=1000)]


class NumberInput(Struct, frozen=True, forbid_unknown_fields=True):
    """A number as people of the account's country write it; kept in E.164."""

    number: Annotated[str, Meta(min_length=1, max_length=40)]
    label: Label = ""


Numbers = Annotated[list[NumberInput], Meta(max_length=MAX_NUMBERS)]


class NewClient(Struct, frozen=True, forbid_unknown_fields=True):
    """A client to add. `type` is a name of the account's list; `numbers` are in their order."""

    name: Name
    kind: Kind = "person"
    type: TypeName | None = None
    service_level: Short = ""
    nature: Short = ""
    address: Address = ""
    email: Email = ""
    owner_id: Id | None = None
    notes: Notes = ""
    numbers: Numbers = []


class ClientChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be another; what is left out stays. `numbers` replace all that there were."""

    name: Name | UnsetType = UNSET
    type: TypeName | UnsetType | None = UNSET
    service_level: Short | UnsetType = UNSET
    nature: Short | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    email: Email | UnsetType = UNSET
    owner_id: Id | UnsetType | None = UNSET
    notes: Notes | UnsetType = UNSET
    numbers: Numbers | UnsetType = UNSET


class Conversion(Struct, frozen=True, forbid_unknown_fields=True):
    """Make a company of a person, or the reverse (R003-42, R003-44)."""

    kind: Kind


class Copy(Struct, frozen=True, forbid_unknown_fields=True):
    """A new client like this one (R003-43); without its numbers, which belong to one client."""

    name: Name | None = None


class Merge(Struct, frozen=True, forbid_unknown_fields=True):
    """`loser` is the client that goes into the one of the path, and is gone."""

    loser: Id


class NumberView(Struct, frozen=True):
    """A number in E.164."""

    number: str
    label: str


class Ref(Struct, frozen=True):
    """A client or a group by name."""

    id: int
    name: str


class ClientView(Struct, frozen=True):
    """A client. `contacts` are the first 20 people of a company, of `contact_count`.

    `registered`: callctl made it from a call.
    """

    id: int
    kind: Kind
    name: str
    type: str | None
    service_level: str
    nature: str
    address: str
    email: str
    owner_id: int | None
    owner_name: str | None
    notes: str
    numbers: list[NumberView]
    companies: list[Ref]
    contacts: list[Ref]
    contact_count: int
    groups: list[Ref]
    registered: bool
    created_at: datetime
    changed_at: datetime


class CompanyFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """All that are given must hold.

    `q` is words, each of which is any part of the name, the address or a number, in any writing:
    accents do not count, Chinese is found by pinyin too. One or two letters find beginnings of
    words. `called_since` finds clients with a call since then that you may see.
    """

    q: Annotated[str, Meta(max_length=100)] | None = None
    type: TypeName | None = None
    owner: Id | None = None
    group: Id | None = None
    company: Id | None = None
    registered: bool | None = None
    called_since: Annotated[datetime, Meta(tz=True)] | None = None
    sort: Literal["name", "-created_at"] = "name"
    limit: Limit = 50
    cursor: Cursor | None = None


class ClientFilters(CompanyFilters, frozen=True, forbid_unknown_fields=True):
    """As `CompanyFilters`, of both kinds or of one."""

    kind: Kind | None = None


class TypeView(Struct, frozen=True):
    """A client type; a retired one is kept by who has it, and given to nobody any more."""

    id: int
    name: str
    retired: bool


class NewType(Struct, frozen=True, forbid_unknown_fields=True):
    name: TypeName


class TypeChange(Struct, frozen=True, forbid_unknown_fields=True):
    name: TypeName | UnsetType = UNSET
    retired: bool | UnsetType = UNSET


class TypeOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """The ids of all types, in their new order. The first one is given to registered clients."""

    ids: Annotated[list[Id], Meta(max_length=200)]


class ClientGroupView(Struct, frozen=True):
    id: int
    name: str
    members: int


class NewGroup(Struct, frozen=True, forbid_unknown_fields=True):
    name: GroupName


class GroupFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Limit = 50
    cursor: Id | None = None


class Members(Struct, frozen=True, forbid_unknown_fields=True):
    """Clients to put into a group; those that are in it already are fine."""

    clients: Annotated[list[Id], Meta(min_length=1, max_length=1000)]


class ClientSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether unknown outside parties become clients by themselves (R001-18), of which calls."""

    register: bool = False
    register_directions: Annotated[list[Direction], Meta(min_length=1, max_length=2)] = field(
        default_factory=lambda: ["inbound"]
    )


class ImportOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run` only tells what would happen. `update`: a row whose `id` is a client of the account
    changes that one. `partial`: lines that are wrong are left out, instead of taking nothing.
    """

    dry_run: bool = False
    update: bool = False
    partial: bool = False


class LineError(Struct, frozen=True):
    """`line` is the row's place in the file, the heading being 1."""

    line: int
    column: str | None
    message: str


class ImportReport(Struct, frozen=True):
    """What an import did, or, with `dry_run`, would do. `errors` are the first 100 of `failed`."""

    dry_run: bool
    created: int
    updated: int
    failed: int
    errors: list[LineError]
