"""Which outbound route takes a dialled number, and how each trunk wants it written."""

from dataclasses import dataclass

from callctl.core.routing.model import AccountIndex, EmergencyNumber, OutboundRoute, Trunk
from callctl.core.routing.patterns import apply_pattern, parse_pattern
from callctl.core.routing.plan import Reason

WITHHELD = "withheld"
"""A caller without a number, in block rules; as an extension's caller ID: show none."""

NUMBER_FORMATS = ("e164", "digits", "dialled")
"""How a trunk wants numbers: ``+36…`` where known, that without ``+``, or as the route left it."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A match: `number` as the pattern left it; `e164` is set where it changed nothing.

    `bare` is `number` before the pattern put anything in front.
    """

    route: OutboundRoute
    pattern: str
    number: str
    e164: str | None
    bare: str


def select_route(index: AccountIndex, dialled: str, e164: str | None) -> Outgoing | None:
    """`select_route_in` all routes of the account."""
    return select_route_in(index.routing.outbound, dialled, e164)


def select_route_in(
    routes: tuple[OutboundRoute, ...], dialled: str, e164: str | None
) -> Outgoing | None:
    """The most specific pattern of all routes over `dialled` and its E.164 form; None if no match.

    Equally specific: the earlier route, the earlier pattern, and `dialled` before its E.164 form.
    """
    best: Outgoing | None = None
    best_rank: tuple[int, ...] = ()
    candidates = (dialled,) if e164 is None or e164 == dialled else (dialled, e164)
    for route in routes:
        for dial in route.patterns:
            pattern = parse_pattern(dial.match)
            if best is not None and pattern.rank >= best_rank:
                continue
            for number in candidates:
                if pattern.matches(number):
                    changed = apply_pattern(dial, number)
                    kept = e164 if changed == number else None
                    best = Outgoing(route, dial.match, changed, kept, number[dial.strip :])
                    best_rank = pattern.rank
                    break
    return best


def select_emergency(index: AccountIndex, dialled: str) -> EmergencyNumber | None:
    """By `dialled` as it is, without its ``+``, or as an outbound pattern (a prefix) leaves it."""
    emergency = index.emergency
    if not emergency:
        return None
    found = emergency.get(dialled) or emergency.get(dialled.removeprefix("+"))
    if found is not None:
        return found
    for route in index.routing.outbound:
        for dial in route.patterns:
            if dial.strip or dial.prepend:
                found = emergency.get(apply_pattern(dial, dialled))
                if found is not None and parse_pattern(dial.match).matches(dialled):
                    return found
    return None


def number_for_trunk(number_format: str, number: str, e164: str | None) -> str:
    """What to dial on a trunk of `number_format` (one of `NUMBER_FORMATS`)."""
    if number_format == "dialled":
        return number
    wanted = e164 or number
    return wanted.removeprefix("+") if number_format == "digits" else wanted


def usable_trunks(
    index: AccountIndex, route: OutboundRoute, transit_from: str | None
) -> tuple[list[Trunk], list[Reason]]:
    """Those of the route, in order, and why the others are none. `transit_from`: the trunk that the
    call came in by."""
    usable: list[Trunk] = []
    unusable: list[Reason] = []
    for name in route.trunks:
        trunk = index.trunks.get(name)
        if trunk is None:
            unusable.append(Reason("missing", f"trunk:{name}"))
        elif not trunk.enabled:
            unusable.append(Reason("trunk_disabled", name))
        elif transit_from is not None and name == transit_from:
            unusable.append(Reason("trunk_origin", name))
        elif transit_from is not None and not trunk.allow_transit:
            unusable.append(Reason("trunk_no_transit", name))
        else:
            usable.append(trunk)
    return usable, unusable
