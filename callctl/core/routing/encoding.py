"""The plan as the one channel variable ``CALLCTL_PLAN``, and back.

Grammar (every value percent-encoded outside ``[A-Za-z0-9_.:+*#/@-]``, so that nothing in a plan
can be read as a separator or as a dialplan expression)::

    plan     = head *( "!" step )
    head     = "1|" plan_id "|" account "|" direction "|" did "|" route "|" max_seconds
               "|" caller_number "|" caller_name "|" why
    why      = reason *( "," reason )         reason = code [ "~" subject [ "~" detail ] ]
    step     = kind [ "?" step number ":" results ] fields         (results joined with "&")
    kind and fields
             = "ring|" seconds "|" record "|" extensions "|" endpoints     (joined with "&")
             | "trunk|" seconds "|" record "|" trunk "|" endpoint "|" number "|" caller_id
               "|" withhold "|" emergency [ "|" max_seconds ]
             | "announce|" sound
             | "hangup|" cause
    record   = "0" | "1" [ "~" sound ]        (what both hear before they are recorded)

Empty means none; booleans are 0 and 1; ``hangup|0`` ends as the last attempt did. The dialplan
takes a field with CUT by variable name, so a plan's length is bounded by AGI's line alone
(`MAX_PLAN_CHARS`). On its way to Asterisk a plan gets an end, ``!.`` (agi/route.py).
"""

import re
from functools import lru_cache
from urllib.parse import quote, unquote

from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import (
    AnnounceStep,
    Direction,
    HangupStep,
    Reason,
    RingStep,
    RingTarget,
    RoutePlan,
    Step,
    TrunkStep,
    When,
)

MAX_PLAN_CHARS = 8000
"""An AGI command line holds 8191 characters (Asterisk 22, res_agi.c); the command takes some."""

MAX_WHY_CHARS = 1500
"""What the trace may take of the plan and of the journal's CALLCTL_ROUTE row."""

_SAFE = "_.:+*#/@-"
_PLAIN = re.compile(r"[A-Za-z0-9_.:+*#/@-]*")
"""Most values need no encoding, and finding that out costs a third of doing it."""


class PlanError(ValueError):
    """A plan that cannot be written or read."""


def _enc(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    text = str(value)
    if _PLAIN.fullmatch(text):
        return text
    # quote() never escapes "~"; it separates the parts of a reason here.
    return quote(text, safe=_SAFE, errors="replace").replace("~", "%7E")


def encode_why(trace: tuple[Reason, ...]) -> str:
    """The trace in short form; what is past `MAX_WHY_CHARS` becomes ``more``."""
    parts: list[str] = []
    room = MAX_WHY_CHARS - len(",more")
    for reason in trace:
        text = "~".join(_enc(v) for v in (reason.code, reason.subject, reason.detail)).rstrip("~")
        room -= len(text) + 1
        if room < 0:
            parts.append("more")
            break
        parts.append(text)
    return ",".join(parts)


def decode_why(text: str) -> tuple[Reason, ...]:
    """Inverse of `encode_why`. Total: any text gives some reasons; NUL becomes U+FFFD."""
    return tuple(_decode_reason(part) for part in text.split(",") if part)


@lru_cache(maxsize=1024)  # A house has few reasons; calls differ in which of them come together.
def _decode_reason(text: str) -> Reason:
    return Reason(*(_storable(unquote(v, errors="replace")) for v in text.split("~")[:3]))


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text


def encode_plan(plan: RoutePlan) -> str:
    """One line without blanks, quotes, commas outside `why`, or dialplan expressions.

    Raises PlanError when it would not fit into `MAX_PLAN_CHARS`.
    """
    head = [
        "1",
        *map(
            _enc,
            (
                plan.plan_id,
                plan.account_id,
                plan.direction,
                plan.did,
                plan.route,
                plan.max_seconds,
                plan.caller_number,
                plan.caller_name,
            ),
        ),
        encode_why(plan.trace),
    ]
    text = "!".join(["|".join(head), *(_encode_step(step) for step in plan.steps)])
    if len(text) > MAX_PLAN_CHARS:
        raise PlanError(f"plan of {len(text)} characters with {len(plan.steps)} steps is too long")
    return text


def _encode_step(step: Step) -> str:
    text = _encode_body(step)
    if step.when is None:
        return text
    kind, bar, fields = text.partition("|")
    return f"{kind}?{step.when.step}:{'&'.join(step.when.results)}{bar}{fields}"


def _enc_record(step: RingStep | TrunkStep) -> str:
    text = _enc(step.record)
    return text if step.record_announce is None else f"{text}~{_enc(step.record_announce)}"


def _encode_body(step: Step) -> str:
    match step:
        case RingStep():
            return "|".join(
                (
                    "ring",
                    _enc(step.seconds),
                    _enc_record(step),
                    "&".join(_enc(t.extension) for t in step.targets),
                    "&".join(_enc(t.endpoint) for t in step.targets),
                )
            )
        case TrunkStep():
            return "|".join(
                (
                    "trunk",
                    _enc(step.seconds),
                    _enc_record(step),
                    _enc(step.trunk),
                    _enc(step.endpoint),
                    _enc(step.number),
                    _enc(step.caller_id_number),
                    _enc(step.withhold),
                    _enc(step.emergency),
                    *(() if step.max_seconds is None else (_enc(step.max_seconds),)),
                )
            )
        case AnnounceStep():
            return f"announce|{_enc(step.sound)}"
        case HangupStep():
            return f"hangup|{_enc(step.cause)}"


def decode_plan(text: str) -> RoutePlan:
    """Inverse of `encode_plan` (``first_offered`` aside, which never leaves the daemon).

    Raises PlanError on anything that `encode_plan` did not write.
    """
    head_text, *step_texts = text.split("!")
    head = head_text.split("|")
    if len(head) != 10 or head[0] != "1":
        raise PlanError(f"not a plan of version 1: {head_text[:40]!r}")
    values = [unquote(v) for v in head[1:9]]
    try:
        return RoutePlan(
            plan_id=values[0],
            account_id=int(values[1]),
            direction=Direction(values[2]),
            did=values[3] or None,
            route=values[4],
            max_seconds=int(values[5]) if values[5] else None,
            caller_number=values[6] or None,
            caller_name=values[7] or None,
            trace=decode_why(head[9]),
            steps=tuple(_decode_step(s) for s in step_texts),
        )
    except (ValueError, IndexError) as error:
        raise PlanError(f"broken plan: {error}") from error


def _decode_when(text: str) -> When | None:
    if not text:
        return None
    step, results = text.split(":")
    return When(int(step), tuple(AttemptResult(r) for r in results.split("&")))


def _decode_step(text: str) -> Step:
    head, *fields = text.split("|")
    kind, _, condition = head.partition("?")
    when = _decode_when(condition)
    if kind == "ring":
        seconds, record, extensions, endpoints = fields
        recorded, _, sound = record.partition("~")
        pairs = zip(extensions.split("&"), endpoints.split("&"), strict=True)
        return RingStep(
            targets=tuple(RingTarget(unquote(x), unquote(e)) for x, e in pairs),
            seconds=int(seconds),
            record=recorded == "1",
            record_announce=unquote(sound) or None,
            when=when,
        )
    values = [unquote(f) for f in fields]
    if kind == "trunk":
        seconds, record, trunk, endpoint, number, caller_id, withhold, emergency, *most = values
        recorded, _, sound = record.partition("~")
        return TrunkStep(
            trunk=trunk,
            endpoint=endpoint,
            number=number,
            seconds=int(seconds),
            caller_id_number=caller_id or None,
            withhold=withhold == "1",
            record=recorded == "1",
            record_announce=sound or None,
            emergency=emergency == "1",
            when=when,
            max_seconds=int(*most) if most else None,
        )
    if kind == "announce":
        (sound,) = values
        return AnnounceStep(sound, when)
    if kind == "hangup":
        (cause,) = values
        return HangupStep(int(cause), when)
    raise PlanError(f"no step of kind {kind!r}")
