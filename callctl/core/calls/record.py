"""The record of one call: what `build_call` makes of the journal's rows (design section 3)."""

from dataclasses import dataclass
from enum import StrEnum

from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction, Reason


class Disposition(StrEnum):
    """How the call ended for the caller."""

    ANSWERED = "ANSWERED"
    CANCELLED = "CANCELLED"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


class Completeness(StrEnum):
    """Whether the rows tell all: `REPAIRED` = some were late, doubled or damaged."""

    COMPLETE = "complete"
    REPAIRED = "repaired"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One party that was tried. Times are microseconds since the epoch; `seconds` a float.

    `rang`: our own row says that the far side told of ringing (of several that were rung together,
    that one did).
    """

    extension: str | None
    number: str | None
    endpoint: str | None
    started_us: int
    seconds: float
    result: AttemptResult
    cause: int
    rang: bool = False


@dataclass(frozen=True, slots=True)
class Leg:
    """One channel of the call."""

    uniqueid: str
    channel: str
    endpoint: str | None
    extension: str | None
    number: str | None
    started_us: int
    answered_us: int | None
    ended_us: int | None
    cause: int | None


@dataclass(frozen=True, slots=True)
class CallRecording:
    """A file that the call left (its name under the recordings' root, without directories)."""

    file: str
    started_us: int


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, however many channels it had. Integers of microseconds inside, never floats."""

    call_id: str
    linkedids: tuple[str, ...]
    direction: Direction
    from_number: str | None
    from_name: str | None
    extension: str | None
    to_number: str | None
    answered_by: str | None
    destination_number: str | None
    started_us: int
    answered_us: int | None
    ended_us: int
    disposition: Disposition
    attempts: tuple[Attempt, ...]
    legs: tuple[Leg, ...]
    recordings: tuple[CallRecording, ...]
    completeness: Completeness
    account_id: int | None = None
    did: str | None = None
    route: str | None = None
    plan_id: str | None = None
    trunk: str | None = None
    why: tuple[Reason, ...] = ()

    @property
    def refused_by_rule(self) -> bool:
        """A rule of the house refused it: nobody was tried (docs/journal.md)."""
        return self.disposition is Disposition.REJECTED and not self.attempts


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as it is being stored: the call's id, its account, its numbers in E.164 where they
    have such a form. `new` is false for a record that was rebuilt from rows that came late."""

    id: int
    account_id: int
    record: CallRecord
    from_number: str | None
    to_number: str | None
    customer_number: str | None
    new: bool
