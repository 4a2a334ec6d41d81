"""Why what is known of calls that go on may be old."""

from dataclasses import dataclass
from enum import StrEnum


class Missing(StrEnum):
    """What callctl would need to see what goes on, as the API names it."""

    DATABASE = "database"
    JOURNAL = "journal"
    ASTERISK = "asterisk"


@dataclass(frozen=True, slots=True)
class NotLive:
    """`reason`: in the words of the part that failed, for whoever mends it. `since`: the last
    moment at which it was live, in epoch seconds; None where it was not yet."""

    missing: Missing
    reason: str
    since: float | None = None
