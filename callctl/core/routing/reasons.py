"""Why a call went where it went: every code of the trace, declared once.

A plan's trace, the call record's `why`, ``route explain``, the API and the console all speak of a
decision through these sentences.
"""

import re

from callctl.core.routing.plan import Reason

_FIELD = re.compile(r"\{(subject|detail)\}")

REASONS: dict[str, str] = {
    "did": "{subject} is one of the account's numbers{detail: (|)}",
    "own_did": "{subject} is the account's own number, so the call stays inside",
    "extension": "{subject} is an extension",
    "hunt_group_number": "{subject} is the number of hunt group {detail}",
    "emergency": "{subject} is an emergency number: no permission, limit or schedule applies",
    "emergency_any_trunk": "none of the trunks given for {subject} is usable: any other is tried",
    "transit": "transit from trunk {subject} by route {detail} is allowed",
    "unknown_number": "{subject} is no number of this account",
    "other_account": "{subject} belongs to an account that trunk {detail} does not serve",
    "unknown_endpoint": "endpoint {subject} belongs to no account",
    "caller_disabled": "extension {subject} is disabled: it may dial emergency numbers only",
    "blocked_caller": "the caller matches {subject} of the blocklist{detail:: |}",
    "caller_route": "the caller matches {subject}, which has a way of its own",
    "open": "schedule {subject} is open{detail: (|)}",
    "closed": "schedule {subject} is closed{detail: (|)}",
    "no_clock": "schedule {subject} counts as open: this plan is made without a clock",
    "closed_nowhere": "nothing is set for the time when {subject} is closed",
    "hunt_group": "hunt group {subject} rings {detail}",
    "hunt_limit": "hunt group {subject}: {detail} left out or cut, its time limit is reached",
    "skipped_paused": "{subject} skipped: paused in {detail}",
    "skipped_dnd": "{subject} skipped: do not disturb",
    "skipped_disabled": "{subject} skipped: disabled",
    "skipped_blocked": "{subject} skipped: it does not take calls that match {detail}",
    "skipped_hours": "{subject} skipped: out of hours of {detail}",
    "skipped_self": "{subject} skipped: it is the caller",
    "skipped_forwarded": "{subject} skipped: it forwards all its calls",
    "forward_always": "{subject} forwards all its calls to {detail}",
    "forward_busy": "{subject}, if busy or declining, forwards to {detail}",
    "forward_no_answer": "{subject}, if not answering, forwards to {detail}",
    "forward_unavailable": "{subject}, if unreachable, forwards to {detail}",
    "loop": "{subject} left out: the call is coming from there",
    "missing": "{subject} left out: it does not exist",
    "outbound": "route {subject} takes it by pattern {detail}",
    "least_cost": "route {subject} tries the cheapest trunk first: {detail}",
    "no_route": "no outbound route takes {subject}",
    "no_permission": "{subject} has no permission {detail}",
    "package_required": "the account has no active package{detail:: the last one ended |}",
    "seat_required": "{subject} belongs to no member of the package: it may not call outside",
    "trunk_disabled": "trunk {subject} skipped: disabled",
    "trunk_origin": "trunk {subject} skipped: the call came in by it",
    "trunk_no_transit": "trunk {subject} skipped: it does not take calls from other trunks",
    "no_trunk": "route {subject} has no usable trunk",
    "feature": "{subject} is a feature code: {detail}; Asterisk does it by itself",
    "not_an_extension": "{subject} is no extension: it is taken for a number outside that calls in"
    " by trunk {detail}",
    "money": "what {subject} may spend pays for {detail} seconds of talk",
    "no_money": "refused: {subject} has too little money for this call",
    "no_price": "refused: {subject} pays beforehand, and this number has no price",
    "limit_approved": "calls to {subject} are approved: {detail}",
    "recorded": "recording is set by {subject}",
    "not_in_share": "{subject} has {detail} in a hundred calls recorded, and this is none of them",
    "not_recorded": "{subject} is never recorded, so the common ring is not",
    "nobody": "nobody is left to ring",
    "plan_cut": "the plan is cut after {subject} steps",
    "more": "and more",
}

_LIMITED = {
    "warned": "a limit is passed, the call goes on",
    "held": "held until someone approves it",
    "blocked": "blocked by a limit",
}
_LIMITS = {
    "concurrent": "{subject}: more than {detail} calls at once",
    "calls_per_hour": "{subject}: more than {detail} calls within an hour",
    "destinations_per_hour": "{subject}: more than {detail} different numbers within an hour",
    "minutes_per_hour": "{subject}: {detail} minutes within an hour are used up",
    "minutes_per_day": "{subject}: {detail} minutes within a day are used up",
    "cost_per_day": "{subject}: a budget of {detail} a day is used up",
    "cost_per_month": "{subject}: a budget of {detail} a month is used up",
    "kind": "it is a number of the kind {subject}{detail: (|)}",
    "country": "it is a number of {subject}",
    "off_hours": "calls abroad ({subject}) while {detail} is closed",
}
REASONS |= {
    f"{done}_{limit}": f"{words}: {sentence}"
    for done, words in _LIMITED.items()
    for limit, sentence in _LIMITS.items()
}


def render_reason(reason: Reason) -> str:
    """The sentence for people. An unknown code (of an older or newer version) shows as it is."""
    template = REASONS.get(reason.code)
    if template is None:
        return " ".join(v for v in (reason.code, reason.subject, reason.detail) if v)
    head, mark, tail = template.partition("{detail:")
    if mark:
        # "{detail:A|B}" stands for A, the detail, B, or for nothing when there is none.
        before, after = tail[: tail.rindex("}")].split("|")
        rest = tail[tail.rindex("}") + 1 :]
        template = head + (before + "{detail}" + after if reason.detail else "") + rest
    values = {"subject": reason.subject, "detail": reason.detail}
    return _FIELD.sub(lambda field: values[field[1]], template)
