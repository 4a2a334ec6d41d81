"""From what a dialled party did to what it means: one verdict per attempt, made in one place.

DIALSTATUS alone cannot tell "declined" from "offline", and HANGUPCAUSE is sticky across attempts,
so the cause counts only with BUSY, CONGESTION and CHANUNAVAIL (facts: Asterisk 22 app_dial.c).
"""

from dataclasses import dataclass
from enum import StrEnum


class AttemptResult(StrEnum):
    """How one attempt ended, as the record says it."""

    ANSWER = "ANSWER"
    NOANSWER = "NOANSWER"
    BUSY = "BUSY"
    REJECTED = "REJECTED"
    UNAVAILABLE = "UNAVAILABLE"
    CANCEL = "CANCEL"
    ANSWERED_ELSEWHERE = "ANSWERED_ELSEWHERE"
    PICKUP = "PICKUP"
    FORWARD = "FORWARD"


class Next(StrEnum):
    """What the dialplan does after the attempt."""

    DONE = "done"
    NEXT_STEP = "next_step"
    SKIP_TRUNKS = "skip_trunks"
    """The callee itself has answered for its number: no other carrier would do better."""


@dataclass(frozen=True, slots=True)
class Verdict:
    result: AttemptResult
    next: Next


CALLEE_CAUSES = frozenset({1, 17, 18, 19, 21, 22, 28})
"""Q.850 causes by which the called party, not the route to it, ended an attempt by a trunk:
unallocated, busy, no user responding, no answer, rejected, number changed, invalid format."""


def classify_attempt(dialstatus: str, cause: int, *, by_trunk: bool, rang: bool) -> Verdict:
    """The one table of design section 2. Total: an unknown DIALSTATUS is UNAVAILABLE.

    `cause` is HANGUPCAUSE after Dial; `rang` whether the far side rang (RINGTIME not empty).
    """
    match dialstatus:
        case "ANSWER":
            return Verdict(AttemptResult.ANSWER, Next.DONE)
        case "CANCEL":
            return Verdict(AttemptResult.CANCEL, Next.DONE)
        case "NOANSWER":
            result = AttemptResult.NOANSWER
            callee = rang
        case "BUSY":
            result = AttemptResult.BUSY
            callee = True
        case "CONGESTION" | "CHANUNAVAIL":
            result = AttemptResult.REJECTED if cause == 21 else AttemptResult.UNAVAILABLE
            callee = cause in CALLEE_CAUSES
        case _:
            result = AttemptResult.UNAVAILABLE
            callee = False
    return Verdict(result, Next.SKIP_TRUNKS if by_trunk and callee else Next.NEXT_STEP)
