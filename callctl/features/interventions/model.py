"""What the API takes and says about acting on a call that goes on."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from callctl.core.calls.interventions import InterventionKind
from callctl.http.fields import ExtensionNumber


class TransferCall(Struct, frozen=True, forbid_unknown_fields=True):
    """Send the other party of `extension` to `to`, as if that phone had transferred it: the same
    routing, rights and limits. Without `extension` it is one's own where one takes part, else the
    one that answered."""

    to: Annotated[str, Meta(min_length=1, max_length=60)]
    extension: ExtensionNumber | None = None


class SuperviseCall(Struct, frozen=True, forbid_unknown_fields=True):
    """Ring the extension `from`; once it answers, it hears the call. `listen`: nobody hears it;
    `whisper`: `extension` alone does; `barge`: both sides do.

    Without `from` it is one's own extension, as in placing a call. Without `extension` it is the
    first that one may see of those that talk.
    """

    mode: Literal["listen", "whisper", "barge"]
    extension: ExtensionNumber | None = None
    from_: ExtensionNumber | None = field(name="from", default=None)
    ring_seconds: Annotated[int, Meta(ge=5, le=120)] = 30


class InterventionView(Struct, frozen=True):
    """Something that was done to a call. `extension`: to whose side of it; `target`: where it was
    transferred to, or who listens."""

    id: int
    call_id: str
    kind: InterventionKind
    extension: str | None
    target: str | None
    by: str
    at: datetime
