"""Calls that could be, or nearly: made by chance, for what must hold of any calls."""

import itertools
import random
from collections.abc import Sequence

from callctl.core.calls.record import (
    Attempt,
    CallRecord,
    CallRecording,
    Completeness,
    Disposition,
    Leg,
)
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction
from callctl.features.calls import store

_ids = itertools.count(1)
EXTENSIONS = ("201", "202", "203", "204")
NUMBERS = (*EXTENSIONS, "+36201234567", "+36201234599", "+36307654321", "+3617000001", None)
UNANSWERED = [d for d in Disposition if d is not Disposition.ANSWERED]
SPRING = 1_774_742_400_000_000
"""2026-03-29 00:00 UTC: in Budapest this day has 23 hours."""


def make_record(
    chance: random.Random, extensions: Sequence[str] = EXTENSIONS, days: int = 3
) -> CallRecord:
    """A call that could be, or nearly: also what the journal would hardly ever give."""
    uniqueid = f"lab-{next(_ids)}.1"
    started = SPRING + chance.randrange(-days * 86_400_000_000, days * 86_400_000_000)
    wait, talk = chance.randrange(60_000_000), chance.randrange(-1_000_000, 600_000_000)
    answered = started + wait if chance.random() < 0.6 else None
    attempts = tuple(
        Attempt(
            extension=chance.choice((*extensions, None)),
            number=None,
            endpoint="PJSIP/x",
            started_us=started,
            seconds=chance.randrange(30_000_000) / 1_000_000,
            result=chance.choice(list(AttemptResult)),
            cause=16,
        )
        for _ in range(chance.randrange(4))
    )
    return CallRecord(
        call_id=uniqueid,
        linkedids=(uniqueid,),
        direction=chance.choice(list(Direction)),
        from_number=chance.choice(NUMBERS),
        from_name=None,
        extension=chance.choice((*extensions, None)),
        to_number=chance.choice(NUMBERS),
        answered_by=chance.choice((*extensions, None)) if answered else None,
        destination_number=chance.choice(NUMBERS),
        started_us=started,
        answered_us=answered,
        ended_us=started + wait + max(talk, -wait),
        disposition=chance.choice(UNANSWERED) if answered is None else Disposition.ANSWERED,
        attempts=attempts,
        legs=(Leg(uniqueid, "PJSIP/x-1", "PJSIP/x", None, None, started, None, started, 16),),
        recordings=(CallRecording(f"{uniqueid}.raw", started),) if chance.random() < 0.3 else (),
        completeness=chance.choice(list(Completeness)),
    )


def as_stored(call: CallRecord, account_id: int) -> store.StoredCall:
    return store.StoredCall(
        call,
        account_id,
        call.from_number,
        call.to_number,
        call.destination_number,
        store.pack_rows([b""]),
    )
