"""Does a call's record say what the phones saw? Pure: a record, what was seen, the differences."""

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi
from typing import Any

from callctl.demo.sip_log import PhoneSaw

TOLERANCE_SECONDS = 0.35
"""Two processes' clocks and the wire between them."""

_RESULT_OF_CODE = {
    None: "NOANSWER",
    200: "ANSWER",
    480: "NOANSWER",
    486: "BUSY",
    487: "NOANSWER",
    600: "BUSY",
    603: "REJECTED",
}
"""What a record says of a phone by its last word (None: it said none). Others: UNAVAILABLE."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the wire showed of one call: the caller, and each party tried (None: not there)."""

    caller: PhoneSaw
    tried: tuple[tuple[str, PhoneSaw | None], ...]


def differences(
    record: dict[str, Any],
    seen: Seen,
    *,
    tolerance: float = TOLERANCE_SECONDS,
    completeness: Collection[str] = ("complete",),
) -> list[str]:
    """What is wrong in `record` (``GET /api/v1/calls/{id}``), in words; empty when nothing is.

    Times may differ by `tolerance` seconds; `completeness` is what the record may say of itself.
    """
    call = record["call"]
    found: list[str] = []

    def expect(what: str, recorded: object, real: object) -> None:
        if recorded != real:
            found.append(f"{what}: recorded {recorded!r}, real {real!r}")

    tried = [(a["extension"] or _trunk(a["endpoint"]), a["result"]) for a in record["attempts"]]
    expect("tried", tried, [(name, _result(saw, seen.caller)) for name, saw in seen.tried])
    answered = [name for name, saw in seen.tried if saw and saw.answered_at]
    expect("disposition is ANSWERED", call["disposition"] == "ANSWERED", bool(answered))
    inside = [name for name in answered if name.isdecimal()]
    expect("answered by", call["answered_by"], inside[0] if inside else None)
    if call["completeness"] not in completeness:
        expect("completeness", call["completeness"], " or ".join(sorted(completeness)))
    found += _time_differences(call, seen.caller, tolerance)
    return found


def _time_differences(call: dict[str, Any], caller: PhoneSaw, tolerance: float) -> list[str]:
    end = caller.ended_at or caller.invited_at
    talk = caller.talk_seconds or 0.0
    wait = (caller.answered_at or end) - caller.invited_at
    pairs = (("wait", call["wait_seconds"], wait), ("talk", call["talk_seconds"], talk))
    return [
        f"{name}: recorded {recorded:.2f} s, real {real:.2f} s"
        for name, recorded, real in pairs
        if abs(recorded - real) > tolerance
    ]


def charge_differences(
    record: dict[str, Any], payee: PhoneSaw | None, *, tolerance: float = TOLERANCE_SECONDS
) -> list[str]:
    """What is wrong with the seconds that the one paid part of a call was charged for.

    They are those begun of the talk that the record has of that leg (docs/rates.md); whether that
    talk is right is told by `payee`, the outside party's phone.
    """
    if len(record["costs"]) != 1:
        return [f"parts paid for: recorded {len(record['costs'])}, real 1"]
    (cost,) = record["costs"]
    leg = record["legs"][cost["leg"]]
    ended_at = leg["ended_at"] or record["call"]["ended_at"]
    talk = datetime.fromisoformat(ended_at) - datetime.fromisoformat(leg["answered_at"])
    begun = -(-talk // timedelta(seconds=1))
    heard = (payee and payee.talk_seconds) or 0.0
    found = []
    if cost["talk_seconds"] != begun:
        talked = f"{begun} begun of {talk.total_seconds():.3f} s"
        found.append(f"seconds charged: recorded {cost['talk_seconds']}, {talked}")
    if abs(talk.total_seconds() - heard) > tolerance:
        found.append(f"talk paid for: recorded {talk.total_seconds():.2f} s, real {heard:.2f} s")
    return found


def _trunk(endpoint: str | None) -> str:
    return (endpoint or "").partition("/")[2]


def _result(saw: PhoneSaw | None, caller: PhoneSaw) -> str:
    if saw is None:
        return "UNAVAILABLE"
    if saw.final_code == 487:
        if saw.ended_by == "far" and "elsewhere" in (saw.reason or "").lower():
            return "ANSWERED_ELSEWHERE"
        left = caller.answered_at is None and caller.ended_by == "self"
        # The CANCEL itself says why it came: a ring that timed out has no cause (RFC 3326). The
        # order of two parties' clocks would not do, SIPp reads its own but once a turn.
        timed_out = (saw.reason or "").rstrip().endswith("cause=0")
        if left and not timed_out:
            return "CANCEL"
    return _RESULT_OF_CODE.get(saw.final_code, "UNAVAILABLE")


def sides_of(audio: bytes) -> tuple[list[int], list[int], float]:
    """(left samples, right samples, seconds) of a stereo WAV or Opus, 8000 samples a second."""
    import av  # Some 40 MB, which no other command is to load.

    left: list[int] = []
    right: list[int] = []
    resampler = av.AudioResampler(format="s16p", layout="stereo", rate=8000)
    with av.open(io.BytesIO(audio), "r") as container:
        for frame in (*container.decode(audio=0), None):
            for part in resampler.resample(frame):
                sides = part.to_ndarray()
                left += sides[0].tolist()
                right += sides[1].tolist()
    return left, right, len(left) / 8000


def strongest_tone(samples: Sequence[int], candidates: Sequence[int], rate: int = 8000) -> int:
    """Which of `candidates` (Hz) is the loudest in `samples` (Goertzel's algorithm)."""

    def power(hz: int) -> float:
        coefficient = 2 * cos(2 * pi * hz / rate)
        one = two = 0.0
        for sample in samples:
            one, two = sample + coefficient * one - two, one
        return one * one + two * two - coefficient * one * two

    return max(candidates, key=power)
