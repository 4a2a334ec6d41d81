"""Values of routing objects as people read them: in lists of what there is, and in differences."""

from collections.abc import Mapping
from typing import Any

from callctl.console.language import N_, gettext
from callctl.console.routing_objects import KINDS

STRATEGIES = {
    "in_order": N_("in order"),
    "all": N_("all at once"),
    "round_robin": N_("one after the other, starting with the next"),
    "least_recent": N_("longest without a call"),
    "fewest_calls": N_("fewest calls today"),
    "random": N_("random"),
}
CAUSES = {
    "rejected": N_("refused"),
    "busy": N_("busy"),
    "unallocated": N_("no such number"),
    "unavailable": N_("not available"),
}
RECORD_POLICIES = {
    "inherit": N_("as the next rule says"),
    "always": N_("always"),
    "inbound": N_("incoming calls"),
    "outbound": N_("outgoing calls"),
    "internal": N_("internal calls"),
    "external": N_("calls with outside"),
    "never": N_("never"),
}
_TRUNK_ORDERS = {"listed": N_("as listed"), "cheapest": N_("the cheapest first")}
_VALUES: Mapping[str, Mapping[str, str]] = {
    "strategy": STRATEGIES,
    "cause": CAUSES,
    "record": RECORD_POLICIES,
    "order": _TRUNK_ORDERS,
}
FIELDS = {
    "allow_transit": N_("may send calls on to others"),
    "at": N_("at"),
    "blocked_callers": N_("blocked callers"),
    "caller_id_name": N_("name shown"),
    "caller_id_number": N_("number shown"),
    "callers": N_("by caller"),
    "cause": N_("the caller hears"),
    "closed": N_("when closed"),
    "code": N_("code"),
    "country": N_("country"),
    "day": N_("day"),
    "dnd": N_("do not disturb"),
    "enabled": N_("in use"),
    "extension": N_("extension"),
    "forward_always": N_("always forwarded to"),
    "forward_busy": N_("forwarded when busy to"),
    "forward_no_answer": N_("forwarded without an answer to"),
    "forward_unavailable": N_("forwarded when not there to"),
    "from": N_("from"),
    "holidays": N_("holidays"),
    "host": N_("host"),
    "label": N_("label"),
    "limits": N_("limits"),
    "match": N_("matches"),
    "max_call_seconds": N_("longest call (s)"),
    "max_channels": N_("most calls at once"),
    "max_contacts": N_("most phones"),
    "max_seconds": N_("at most (s)"),
    "may_dial": N_("may dial"),
    "members": N_("members"),
    "name": N_("name"),
    "number": N_("number"),
    "number_format": N_("writes numbers as"),
    "open": N_("open"),
    "order": N_("trunks are tried"),
    "patterns": N_("numbers dialled"),
    "paused": N_("paused"),
    "permission": N_("permission needed"),
    "pickup_group": N_("pickup group"),
    "port": N_("port"),
    "prepend": N_("put before it"),
    "qualify_seconds": N_("asked whether it is there every (s)"),
    "reason": N_("reason"),
    "record": N_("recorded"),
    "record_announce": N_("said before recording"),
    "record_share": N_("recorded of 100 calls"),
    "register": N_("registers there"),
    "ring_seconds": N_("rings (s)"),
    "schedule": N_("schedule"),
    "secret": N_("password"),
    "secret_env": N_("password is in"),
    "strategy": N_("strategy"),
    "strip": N_("digits cut off"),
    "then": N_("when nobody answers"),
    "timezone": N_("time zone"),
    "to": N_("goes to"),
    "transport": N_("transport"),
    "trunks": N_("trunks"),
    "trust_identity": N_("caller's number is trusted"),
    "username": N_("user name"),
    "via": N_("by trunk"),
    "weekly": N_("open in the week"),
    "yearly": N_("every year"),
}
"""The fields of the routing's objects, as people call them."""
_PLACES = {
    "extension": N_("extension"),
    "hunt_group": N_("hunt group"),
    "number": N_("number"),
    "did": N_("number"),
    "announce": N_("announcement"),
    "hangup": N_("hang up"),
}
"""Where a call can be sent, by the words before the colon."""
_CHAINS = ("to", "closed", "then")
_ORDERED = (*_CHAINS, "members", "trunks", "order")
_KEYS = ("extension", "match", "day", "name")
"""What names an object that is written within another."""


def kind_in_words(field: str) -> str:
    """One object of the document's `field`: ``hunt_groups`` as "hunt group"."""
    return gettext(KINDS[field].one) if field in KINDS else field.replace("_", " ")


def field_in_words(field: str) -> str:
    """A field of an object; one of a newer version by its own name."""
    return gettext(FIELDS[field]) if field in FIELDS else field.replace("_", " ")


def in_words(field: str, value: Any) -> str:
    """A value of an object's `field`; what is in an order has arrows."""
    if value is None or value == []:
        return "–"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, list):
        return (" → " if field in _ORDERED else ", ").join(in_words(field, one) for one in value)
    if isinstance(value, Mapping):
        return _object_in_words(value)
    if not isinstance(value, str):
        return str(value)
    called = _VALUES.get(field, {}).get(value)
    if called:
        return gettext(called)
    is_place = field in _CHAINS or field.startswith("forward_")
    return _place_in_words(value) if is_place else value


def refusal_in_words(cause: str | None) -> str:
    """What a rule of the blocklist does: refused, and what the caller hears if it is not that."""
    refused = gettext("refused")
    if cause in (None, "rejected"):
        return refused
    return f"{refused}: {in_words('cause', cause)}"


def _place_in_words(value: str) -> str:
    kind, colon, name = value.partition(":")
    if not colon or kind not in _PLACES:
        return value
    place = gettext(_PLACES[kind])
    return f"{place}: {in_words('cause', name)}" if kind == "hangup" else f"{place} {name}"


def _object_in_words(value: Mapping[str, Any]) -> str:
    """``201 (paused)``, ``2026-12-25 (Christmas, every year)``."""
    key = next((name for name in _KEYS if value.get(name)), None)
    more = [
        str(one) if name == "name" else _part_in_words(name, one)
        for name, one in value.items()
        if name != key and one not in (None, "", False, [])
    ]
    named = in_words("", value[key]) if key else ""
    if not more:
        return named or "–"
    return f"{named} ({', '.join(more)})" if named else ", ".join(more)


def _part_in_words(name: str, value: Any) -> str:
    said = field_in_words(name)
    return said if value is True else f"{said} {in_words(name, value)}"
