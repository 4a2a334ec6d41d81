"""What the API says of the log of changes."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

Time = Annotated[datetime, Meta(tz=True)]
Text = Annotated[str, Meta(max_length=120)]


class AuditEntry(Struct, frozen=True):
    """One change. `author` is a login, ``token:NAME`` or ``command line``; `author_id` the user's.

    `action` is like ``user.changed``, `subject` like ``user:12``. `before` and `after` hold the
    fields that the change is about: null where there was nothing, or is nothing now.
    """

    id: int
    at: datetime
    author_id: int | None
    author: str
    action: str
    subject: str
    before: Any
    after: Any


class AuditFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """The period is half open: `since` belongs to it, `until` does not; either may be missing.

    `action` is a whole one (``user.changed``) or the part before the dot (``user``). `cursor` is
    the `next` of the page before.
    """

    author: Text | None = None
    action: Text | None = None
    subject: Text | None = None
    since: Time | None = None
    until: Time | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=60)] | None = None
