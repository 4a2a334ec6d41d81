"""What the API takes and says about placing a call."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct, field

from callctl.http.fields import ExtensionNumber

Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class PlaceCall(Struct, frozen=True, forbid_unknown_fields=True):
    """Ring the extension `from`; when it answers, dial `to` as if it had been dialled there.

    Without `from` it is one's own extension; who does not see all calls has no other one. Exactly
    one of `to`, `call` and `client` says whom to call. What `to` may be (an extension, a number
    outside) and which way it goes is the routing's to say; blanks, brackets, dots and hyphens in it
    are ignored. `call`, the id of a call: its other party. `client`: the first of its numbers.
    """

    from_: ExtensionNumber | None = field(name="from", default=None)
    to: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    call: Id | None = None
    client: Id | None = None
    ring_seconds: Annotated[int, Meta(ge=5, le=120)] = 30


class PlacedCall(Struct, frozen=True):
    """An order to call that Asterisk has accepted: the phone of `from` rings now.

    The call itself appears in the history under an id of its own once it is over.
    """

    id: int
    from_: str = field(name="from")
    to: str
    placed_at: datetime
