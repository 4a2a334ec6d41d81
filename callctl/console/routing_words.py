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
_VALUES: Mapping[str, Mapping[str, str]] = {"strategy": STRATEGIES, "cause": CAUSES}
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
    """``201 (paused)``, ``2026-12-25 (Christmas, yearly)``."""
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
    said = name.replace("_", " ")
    return said if value is True else f"{said} {in_words(name, value)}"
