"""The plan of a call: what the dialplan will do, step by step, and why."""

from dataclasses import dataclass
from enum import StrEnum

from callctl.core.outcomes import AttemptResult

EMERGENCY_ROUTE = "emergency:"
"""How the route of a call to an emergency number begins; the number follows."""


def is_emergency_route(route: str | None) -> bool:
    """The one rule by which a call is known to be an emergency call, once it was routed."""
    return (route or "").startswith(EMERGENCY_ROUTE)


class Direction(StrEnum):
    """Of the call as it began (R001-08)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Source(StrEnum):
    """What kind of endpoint the caller's channel belongs to. Never taken from a caller's words."""

    TRUNK = "trunk"
    EXTENSION = "extension"


@dataclass(frozen=True, slots=True)
class RouteRequest:
    """A call that asks where to go.

    `uniqueid` is the caller's channel's. `key` is the extension's number or the trunk's name
    behind the caller's endpoint. `dialled` is what was dialled, reduced to ``[0-9A-Za-z*#+]`` by
    the dialplan. `dialled_e164` and `caller_e164` are None when they are no outside number (or
    the caller withheld it). `caller_name` is data only.
    """

    uniqueid: str
    account_id: int
    source: Source
    key: str
    dialled: str
    dialled_e164: str | None = None
    caller_number: str | None = None
    caller_e164: str | None = None
    caller_name: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of the trace: a declared code (`reasons.py`) and the things it speaks of."""

    code: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """The step runs only if step number `step` (1-based, earlier) ended in one of `results`.

    A step that did not run has no result, so conditions carry on by themselves: what follows a
    skipped step is skipped too.
    """

    step: int
    results: tuple[AttemptResult, ...]


@dataclass(frozen=True, slots=True)
class RingTarget:
    extension: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class RingStep:
    """Ring `targets` at once for `seconds`. Every outcome but ANSWER and caller-gone goes on.

    `record_announce`: the sound that both hear once it is answered, before they are recorded.
    """

    targets: tuple[RingTarget, ...]
    seconds: int
    record: bool = False
    when: When | None = None
    record_announce: str | None = None


@dataclass(frozen=True, slots=True)
class TrunkStep:
    """Dial `number` through a trunk.

    A route's failure goes on to the next step; the callee's own answer (busy, declined,
    unallocated) also skips the trunk steps that directly follow and dial the same digits.
    `max_seconds` bounds the talk if this step is answered, and is never over the plan's.
    """

    trunk: str
    endpoint: str
    number: str
    seconds: int
    caller_id_number: str | None = None
    withhold: bool = False
    record: bool = False
    emergency: bool = False
    when: When | None = None
    record_announce: str | None = None
    max_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class AnnounceStep:
    """Play a sound file (a name under the sounds directory, without its ending)."""

    sound: str
    when: When | None = None


@dataclass(frozen=True, slots=True)
class HangupStep:
    """End with a Q.850 cause: 1 unallocated, 16 normal, 17 busy, 21 rejected, 34 congestion.

    `LAST_CAUSE` ends as the last attempt that ran did (busy stays busy for the caller).
    """

    cause: int
    when: When | None = None


LAST_CAUSE = 0


Step = RingStep | TrunkStep | AnnounceStep | HangupStep


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """A decided call. `route` names the rule that decided (``did:+36…``, ``outbound:national``).

    `max_seconds` bounds the talk time; None = unlimited. The caller's identity shown to whom is
    rung: `caller_number` and `caller_name` (None = leave as it came).
    """

    plan_id: str
    account_id: int
    direction: Direction
    route: str
    steps: tuple[Step, ...]
    trace: tuple[Reason, ...]
    did: str | None = None
    max_seconds: int | None = None
    caller_number: str | None = None
    caller_name: str | None = None
    first_offered: tuple[tuple[str, str], ...] = ()
    """(hunt group, extension put first), for round robin's memory."""
