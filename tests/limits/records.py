"""Records of calls, as the journal's reader hands them over and stores them."""

from datetime import datetime
from typing import Any

from callctl.core.calls.record import (
    Attempt,
    CallRecord,
    Completeness,
    Disposition,
    Leg,
)
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction


def record(
    uniqueid: str,
    began: datetime,
    *,
    number: str | None = "442071838750",
    extension: str | None = "101",
    to: str | None = "00442071838750",
    direction: Direction = Direction.OUTBOUND,
    talk: float | None = 60.0,
    **changed: Any,
) -> CallRecord:
    start = int(began.timestamp() * 1_000_000)
    end = start + int((5 + (talk or 0)) * 1_000_000)
    attempts = ()
    if number is not None:
        result = AttemptResult.NOANSWER if talk is None else AttemptResult.ANSWER
        attempts = (Attempt(None, number, "PJSIP/carrier", start, 5.0, result, 16),)
    values: dict[str, Any] = {
        "call_id": uniqueid,
        "linkedids": (uniqueid,),
        "direction": direction,
        "from_number": extension,
        "from_name": None,
        "extension": extension,
        "to_number": to,
        "answered_by": None,
        "destination_number": number,
        "started_us": start,
        "answered_us": None if talk is None else start + 5_000_000,
        "ended_us": end,
        "disposition": Disposition.NO_ANSWER if talk is None else Disposition.ANSWERED,
        "attempts": attempts,
        "legs": (Leg(uniqueid, "PJSIP/x-1", "PJSIP/x", None, None, start, None, end, 16),),
        "recordings": (),
        "completeness": Completeness.COMPLETE,
    }
    return CallRecord(**(values | changed))
