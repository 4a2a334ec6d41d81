"""Is an account's routing sound? All of it at once, before any of it is saved.

Problems carry the path of the place that is wrong (``dids[0].to[1]``); for a broken reference the
message names the other end. Warnings are things that work but can hardly be meant.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from callctl.core.periods import is_zone
from callctl.core.routing.causes import parse_cause
from callctl.core.routing.check_limits import check_limits
from callctl.core.routing.model import (
    AccountRouting,
    Chain,
    Destination,
    DestinationKind,
    Extension,
    OutboundRoute,
    Schedule,
    Trunk,
)
from callctl.core.routing.outbound import NUMBER_FORMATS, WITHHELD, select_route_in
from callctl.core.routing.patterns import PatternError, parse_pattern
from callctl.core.routing.references import chains_of, find_loops

MAX_RING_SECONDS = 600
MAX_OBJECTS = 20_000
_EXTENSION_NUMBER = re.compile(r"[0-9*#]{1,16}")
_EMERGENCY_NUMBER = re.compile(r"[0-9*#]{1,6}")
"""As long as 116117: whoever edits a routing must not make calls to just any number free and
without limits by calling it one for emergencies."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_E164 = re.compile(r"\+[1-9][0-9]{3,14}")
_CALLER_ID = re.compile(r"\+?[0-9]{1,20}")
_OUTSIDE = re.compile(r"\+?[0-9*#]{1,32}")
_HOST = re.compile(r"[A-Za-z0-9:_][A-Za-z0-9.:_-]{0,252}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]{2,45}(/[0-9]{1,3})?")
_SOUND = re.compile(r"[A-Za-z0-9][A-Za-z0-9_/-]{0,79}")
_USERNAME = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
_TRANSPORTS = ("udp", "tcp", "tls")


@dataclass(frozen=True, slots=True)
class Problem:
    """`path` is the place within the routing; a warning does not keep it from being saved."""

    path: str
    message: str
    warning: bool = False


def check_routing(routing: AccountRouting) -> list[Problem]:
    """Every problem there is, errors before warnings, each in the order of the document."""
    problems = [
        *_check_account(routing),
        *_check_duplicates(routing),
        *_check_extensions(routing),
        *_check_trunks(routing),
        *_check_dids(routing),
        *_check_hunt_groups(routing),
        *_check_schedules(routing),
        *_check_blocklist(routing),
        *_check_outbound(routing),
        *_check_emergency(routing),
        *(Problem(path, message) for path, message in check_limits(routing)),
        *_check_chains(routing),
        *(Problem(path, message) for path, message in find_loops(routing)),
        *_check_unreachable(routing),
    ]
    return sorted(problems, key=lambda problem: problem.warning)


# Values


def _pattern(path: str, text: str, *, withheld: bool = False) -> Iterator[Problem]:
    if withheld and text == WITHHELD:
        return
    try:
        parse_pattern(text)
    except PatternError as error:
        yield Problem(path, str(error))


def _seconds(path: str, value: int | None, most: int = MAX_RING_SECONDS) -> Iterator[Problem]:
    if value is not None and not 1 <= value <= most:
        yield Problem(path, f"{value} is out of range: 1 to {most} seconds")


def _recording(path: str, share: int, announce: str | None) -> Iterator[Problem]:
    if not 1 <= share <= 100:
        message = f"{share} is out of range: 1 to 100 in a hundred; `record: never` is none"
        yield Problem(f"{path}.record_share", message)
    if announce is not None:
        meaning = "the name of a sound file, without its ending"
        yield from _shape(f"{path}.record_announce", announce, _SOUND, meaning)


def _shape(path: str, value: str, shape: re.Pattern[str], meaning: str) -> Iterator[Problem]:
    if not shape.fullmatch(value):
        yield Problem(path, f"{value[:80]!r} is not {meaning}")


def _text(path: str, value: str, most: int = 80) -> Iterator[Problem]:
    if len(value) > most or not value.isprintable():
        yield Problem(path, f"{value[:40]!r}: at most {most} printable characters")


def _caller_id(path: str, value: str | None, *, withheld: bool = False) -> Iterator[Problem]:
    if value is not None and not (withheld and value == WITHHELD):
        yield from _shape(path, value, _CALLER_ID, "a caller ID: digits, + in front if need be")


def _zone(path: str, name: str) -> Iterator[Problem]:
    if not is_zone(name):
        yield Problem(path, f"{name!r} is no time zone; write one such as Europe/Budapest")


# Kinds


def _check_account(routing: AccountRouting) -> Iterator[Problem]:
    yield from _zone("account.timezone", routing.account.timezone)
    if not re.fullmatch("[A-Z]{2}", routing.account.country):
        yield Problem("account.country", f"{routing.account.country!r} is no country such as HU")
    yield from _seconds("account.max_call_seconds", routing.max_call_seconds, 7 * 86400)
    yield from _caller_id("account.caller_id_number", routing.caller_id_number)
    yield from _recording("account", routing.record_share, routing.record_announce)
    for kind in ("extensions", "dids", "hunt_groups", "outbound"):
        for place, item in enumerate(getattr(routing, kind)):
            yield from _recording(f"{kind}[{place}]", item.record_share, item.record_announce)
    count = sum(len(getattr(routing, kind)) for kind in ("extensions", "trunks", "dids"))
    if count > MAX_OBJECTS:
        yield Problem("account", f"{count} objects; at most {MAX_OBJECTS} fit one account")


def _check_duplicates(routing: AccountRouting) -> Iterator[Problem]:
    def repeated(kind: str, field: str, values: Iterable[str]) -> Iterator[Problem]:
        first: dict[str, int] = {}
        for place, value in enumerate(values):
            if value in first:
                path = f"{kind}[{place}].{field}"
                yield Problem(path, f"{value} is there already, as {kind}[{first[value]}]")
            first.setdefault(value, place)

    yield from repeated("extensions", "number", (e.number for e in routing.extensions))
    yield from repeated("trunks", "name", (t.name for t in routing.trunks))
    yield from repeated("dids", "number", (d.number for d in routing.dids))
    yield from repeated("hunt_groups", "name", (g.name for g in routing.hunt_groups))
    yield from repeated("schedules", "name", (s.name for s in routing.schedules))
    yield from repeated("outbound", "name", (r.name for r in routing.outbound))
    yield from repeated("emergency", "number", (n.number for n in routing.emergency))
    yield from repeated("blocklist", "match", (b.match for b in routing.blocklist))
    extensions = {e.number: i for i, e in enumerate(routing.extensions)}
    groups: dict[str, str] = {}
    for place, group in enumerate(routing.hunt_groups):
        path = f"hunt_groups[{place}].number"
        if group.number is None:
            continue
        if group.number in extensions:
            other = f"extensions[{extensions[group.number]}]"
            yield Problem(path, f"{group.number} is there already, as {other}")
        if group.number in groups:
            yield Problem(path, f"{group.number} is there already, of {groups[group.number]}")
        groups[group.number] = f"hunt_groups[{place}]"
    for place, emergency in enumerate(routing.emergency):
        if emergency.number in extensions or emergency.number in groups:
            path = f"emergency[{place}].number"
            yield Problem(path, f"{emergency.number} is an extension's or a hunt group's number")


def _check_extensions(routing: AccountRouting) -> Iterator[Problem]:
    schedules = {s.name for s in routing.schedules}
    permissions = {route.permission for route in routing.outbound}
    for place, extension in enumerate(routing.extensions):
        path = f"extensions[{place}]"
        yield from _check_extension(path, extension)
        name = extension.schedule
        if name is not None and name not in schedules:
            message = f"extension {extension.number} keeps schedule {name}, which does not exist"
            yield Problem(f"{path}.schedule", message)
        for i, permission in enumerate(extension.may_dial):
            # "national" is the default: an account without outbound routes needs no such one.
            if permission not in permissions and (permissions or permission != "national"):
                message = f"extension {extension.number} may dial {permission}, but no outbound"
                message += f" route asks for {permission}; there are {_names(permissions)}"
                yield Problem(f"{path}.may_dial[{i}]", message, warning=permission == "national")


def _check_extension(path: str, extension: Extension) -> Iterator[Problem]:
    number = extension.number
    yield from _shape(f"{path}.number", number, _EXTENSION_NUMBER, "a number of up to 16 digits")
    yield from _text(f"{path}.name", extension.name)
    yield from _text(f"{path}.caller_id_name", extension.caller_id_name)
    yield from _shape(f"{path}.pickup_group", extension.pickup_group, _NAME, "a name")
    yield from _seconds(f"{path}.ring_seconds", extension.ring_seconds)
    yield from _caller_id(f"{path}.caller_id_number", extension.caller_id_number, withheld=True)
    if not 1 <= extension.max_contacts <= 20:
        yield Problem(f"{path}.max_contacts", f"{extension.max_contacts} is out of range: 1 to 20")
    for i, pattern in enumerate(extension.blocked_callers):
        yield from _pattern(f"{path}.blocked_callers[{i}]", pattern, withheld=True)


def _check_trunks(routing: AccountRouting) -> Iterator[Problem]:
    matched: dict[str, str] = {}
    for place, trunk in enumerate(routing.trunks):
        path = f"trunks[{place}]"
        yield from _check_trunk(path, trunk)
        for i, address in enumerate(trunk.match):
            yield from _shape(f"{path}.match[{i}]", address, _ADDRESS, "an address or a network")
            if address in matched:
                message = f"trunk {trunk.name} and trunk {matched[address]} both match {address}"
                yield Problem(f"{path}.match[{i}]", message)
            matched[address] = trunk.name


def _check_trunk(path: str, trunk: Trunk) -> Iterator[Problem]:
    yield from _shape(f"{path}.name", trunk.name, _NAME, "a name of letters, digits, . _ -")
    yield from _shape(f"{path}.host", trunk.host, _HOST, "a host name or an address")
    if not 1 <= trunk.port <= 65535:
        yield Problem(f"{path}.port", f"{trunk.port} is no port")
    if trunk.transport not in _TRANSPORTS:
        yield Problem(f"{path}.transport", f"{trunk.transport!r}: one of {_names(_TRANSPORTS)}")
    if trunk.number_format not in NUMBER_FORMATS:
        path_format = f"{path}.number_format"
        yield Problem(path_format, f"{trunk.number_format!r}: one of {_names(NUMBER_FORMATS)}")
    if trunk.username:
        yield from _shape(f"{path}.username", trunk.username, _USERNAME, "a SIP user name")
    if trunk.register and not trunk.username:
        yield Problem(f"{path}.username", f"trunk {trunk.name} registers, so it needs a user name")
    if not trunk.register and not trunk.match:
        message = f"trunk {trunk.name} neither registers nor matches an address: no call comes in"
        yield Problem(f"{path}.match", message, warning=True)
    if trunk.max_channels is not None and trunk.max_channels < 1:
        yield Problem(f"{path}.max_channels", "must be 1 or more; leave it out for no limit")
    if not 0 <= trunk.qualify_seconds <= 3600:
        yield Problem(f"{path}.qualify_seconds", "must be 0 (never) to 3600")
    yield from _caller_id(f"{path}.caller_id_number", trunk.caller_id_number)


def _check_dids(routing: AccountRouting) -> Iterator[Problem]:
    schedules = {s.name for s in routing.schedules}
    for place, did in enumerate(routing.dids):
        path = f"dids[{place}]"
        yield from _shape(f"{path}.number", did.number, _E164, "a number such as +3612345678")
        yield from _text(f"{path}.label", did.label)
        if not did.to:
            yield Problem(f"{path}.to", f"number {did.number} leads nowhere")
        if did.schedule is not None and did.schedule not in schedules:
            message = f"number {did.number} keeps schedule {did.schedule}, which does not exist"
            yield Problem(f"{path}.schedule", message)
        if did.schedule is None and did.closed:
            message = f"number {did.number} is never closed: it has no schedule"
            yield Problem(f"{path}.closed", message, warning=True)
        for i, rule in enumerate(did.callers):
            yield from _pattern(f"{path}.callers[{i}].match", rule.match, withheld=True)
            if not rule.to:
                yield Problem(f"{path}.callers[{i}].to", f"callers {rule.match} lead nowhere")


def _check_hunt_groups(routing: AccountRouting) -> Iterator[Problem]:
    known = {e.number for e in routing.extensions}
    for place, group in enumerate(routing.hunt_groups):
        path = f"hunt_groups[{place}]"
        yield from _shape(f"{path}.name", group.name, _NAME, "a name of letters, digits, . _ -")
        if group.number is not None:
            yield from _shape(f"{path}.number", group.number, _EXTENSION_NUMBER, "a number")
        yield from _seconds(f"{path}.ring_seconds", group.ring_seconds)
        yield from _seconds(f"{path}.max_seconds", group.max_seconds, 3600)
        if not group.members:
            yield Problem(f"{path}.members", f"hunt group {group.name} has no members", True)
        count = Counter(member.extension for member in group.members)
        for i, member in enumerate(group.members):
            where = f"{path}.members[{i}]"
            if member.extension not in known:
                message = f"hunt group {group.name} has member {member.extension},"
                yield Problem(where, f"{message} but extension {member.extension} does not exist")
            if count[member.extension] > 1:
                yield Problem(where, f"{member.extension} is in hunt group {group.name} twice")
            yield from _seconds(f"{where}.ring_seconds", member.ring_seconds)


def _check_schedules(routing: AccountRouting) -> Iterator[Problem]:
    for place, schedule in enumerate(routing.schedules):
        yield from _check_schedule(f"schedules[{place}]", schedule)


def _check_schedule(path: str, schedule: Schedule) -> Iterator[Problem]:
    yield from _shape(f"{path}.name", schedule.name, _NAME, "a name of letters, digits, . _ -")
    if schedule.timezone is not None:
        yield from _zone(f"{path}.timezone", schedule.timezone)
    if not schedule.weekly and not any(h.opens for h in schedule.holidays):
        yield Problem(f"{path}.weekly", f"schedule {schedule.name} is never open", warning=True)
    for i, period in enumerate(schedule.weekly):
        if not period.days or any(not 0 <= day <= 6 for day in period.days):
            yield Problem(f"{path}.weekly[{i}]", "days must be mon to sun")
    for i, holiday in enumerate(schedule.holidays):
        if (holiday.opens is None) != (holiday.closes is None):
            yield Problem(f"{path}.holidays[{i}]", "opens and closes go together")
        yield from _text(f"{path}.holidays[{i}].name", holiday.name)


def _check_blocklist(routing: AccountRouting) -> Iterator[Problem]:
    for place, rule in enumerate(routing.blocklist):
        yield from _pattern(f"blocklist[{place}].match", rule.match, withheld=True)
        yield from _text(f"blocklist[{place}].reason", rule.reason)
        if not 1 <= rule.cause <= 127:
            yield Problem(f"blocklist[{place}].cause", f"{rule.cause} is no cause: 1 to 127")


def _check_outbound(routing: AccountRouting) -> Iterator[Problem]:
    for place, route in enumerate(routing.outbound):
        path = f"outbound[{place}]"
        yield from _shape(f"{path}.name", route.name, _NAME, "a name of letters, digits, . _ -")
        yield from _shape(f"{path}.permission", route.permission, _NAME, "a permission's name")
        yield from _caller_id(f"{path}.caller_id_number", route.caller_id_number)
        yield from _seconds(f"{path}.ring_seconds", route.ring_seconds)
        yield from _seconds(f"{path}.max_seconds", route.max_seconds, 7 * 86400)
        yield from _check_patterns(path, route)
        yield from _check_route_trunks(path, f"outbound route {route.name}", route.trunks, routing)


def _check_patterns(path: str, route: OutboundRoute) -> Iterator[Problem]:
    if not route.patterns:
        yield Problem(f"{path}.patterns", f"outbound route {route.name} takes no number", True)
    for i, dial in enumerate(route.patterns):
        where = f"{path}.patterns[{i}]"
        yield from _pattern(where, dial.match)
        if not 0 <= dial.strip <= 32:
            yield Problem(where, f"strip {dial.strip} is out of range: 0 to 32")
        if dial.prepend:
            yield from _shape(where, dial.prepend, _OUTSIDE, "digits to prepend")


def _check_route_trunks(
    path: str, who: str, names: tuple[str, ...], routing: AccountRouting
) -> Iterator[Problem]:
    trunks = {trunk.name: trunk for trunk in routing.trunks}
    for i, name in enumerate(names):
        if name not in trunks:
            message = f"{who} uses trunk {name}, which does not exist"
            yield Problem(f"{path}.trunks[{i}]", f"{message}; there are {_names(trunks)}")
    if not names:
        yield Problem(f"{path}.trunks", f"{who} has no trunk")
    elif all(name in trunks and not trunks[name].enabled for name in names):
        yield Problem(f"{path}.trunks", f"{who}: all its trunks are disabled", warning=True)


def _check_emergency(routing: AccountRouting) -> Iterator[Problem]:
    for place, emergency in enumerate(routing.emergency):
        path = f"emergency[{place}]"
        yield from _shape(
            f"{path}.number", emergency.number, _EMERGENCY_NUMBER,
            "a short number: at most 6 digits, since calls to it are free and skip every limit",
        )  # fmt: skip
        yield from _caller_id(f"{path}.caller_id_number", emergency.caller_id_number)
        who = f"emergency number {emergency.number}"
        yield from _check_route_trunks(path, who, emergency.trunks, routing)


# References


def _check_chains(routing: AccountRouting) -> Iterator[Problem]:
    known = {
        DestinationKind.EXTENSION: {e.number for e in routing.extensions},
        DestinationKind.HUNT_GROUP: {g.name for g in routing.hunt_groups},
        DestinationKind.DID: {d.number for d in routing.dids},
    }
    for owner, path, chain in chains_of(routing):
        for i, destination in enumerate(chain):
            where = f"{path}[{i}]"
            if destination.kind in known and destination.target not in known[destination.kind]:
                message = f"{_spoken(owner)} leads to {destination}, which does not exist"
                yield Problem(where, message)
            yield from _check_target(where, destination, routing)
        yield from _after_hangup(path, chain)


def _check_target(
    path: str, destination: Destination, routing: AccountRouting
) -> Iterator[Problem]:
    target = destination.target
    match destination.kind:
        case DestinationKind.NUMBER:
            yield from _shape(path, target, _OUTSIDE, "a number to dial")
            try:
                found = select_route_in(routing.outbound, target, None)
            except PatternError:
                return
            if found is None:
                yield Problem(path, f"{destination}: no outbound route takes this number")
        case DestinationKind.ANNOUNCE:
            yield from _shape(path, target, _SOUND, "the name of a sound file, without its ending")
        case DestinationKind.HANGUP:
            try:
                parse_cause(target)
            except ValueError as error:
                yield Problem(path, str(error))


def _after_hangup(path: str, chain: Chain) -> Iterator[Problem]:
    for i, destination in enumerate(chain[:-1]):
        if destination.kind is DestinationKind.HANGUP:
            yield Problem(f"{path}[{i + 1}]", f"never reached: it follows {destination}", True)


def _check_unreachable(routing: AccountRouting) -> Iterator[Problem]:
    reached = {d for _, _, chain in chains_of(routing) for d in chain}
    for place, group in enumerate(routing.hunt_groups):
        if (
            group.number is None
            and Destination(DestinationKind.HUNT_GROUP, group.name) not in reached
        ):
            message = f"hunt group {group.name} is never rung: no number, nothing leads to it"
            yield Problem(f"hunt_groups[{place}]", message, warning=True)
    kept = {d.schedule for d in routing.dids} | {e.schedule for e in routing.extensions}
    limits = (routing.limits, *(e.limits for e in routing.extensions))
    kept |= {held.off_hours.schedule for held in limits if held and held.off_hours}
    for place, schedule in enumerate(routing.schedules):
        if schedule.name not in kept:
            message = f"schedule {schedule.name} is kept by nothing"
            yield Problem(f"schedules[{place}]", message, warning=True)


def _spoken(owner: Destination) -> str:
    return f"{owner.kind.value.replace('_', ' ')} {owner.target}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
