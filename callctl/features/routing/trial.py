"""Calls that nobody places: what would happen if `from` called `to`?"""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from callctl.core.errors import CallctlError
from callctl.core.routing.expectations import Expectation, keeps, plan_words
from callctl.core.routing.features import find_feature
from callctl.core.routing.gate import StaticGate
from callctl.core.routing.model import AccountIndex, HuntMemory, RoutingTable, Trunk
from callctl.core.routing.outbound import WITHHELD
from callctl.core.routing.plan import Direction, Reason, RoutePlan, RouteRequest, Source
from callctl.core.routing.planner import plan_route
from callctl.numbers import classify_outgoing, normalise

_DROPPED = re.compile(r"[^0-9A-Za-z*#+]")
MAX_DIALLED = 64
NO_COUNTS = StaticGate(classify_outgoing)
"""The gate of plans that are made without a moment: destinations decide, counts do not."""


def clean_dialled(text: str) -> str:
    """What the dialplan makes of a dialled text: ``[0-9A-Za-z*#+]``, at most `MAX_DIALLED`."""
    return _DROPPED.sub("", text[: 4 * MAX_DIALLED])[:MAX_DIALLED]


def parse_at(text: str, zone: str) -> datetime:
    """ISO 8601; without an offset it is local time of `zone`. Raises CallctlError."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        message = f"{text[:40]!r} is no time: write 2026-07-05 15:00 or 2026-07-05T15:00:00+02:00"
        raise CallctlError("invalid_field", message, field="at") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))


def build_request(
    table: RoutingTable,
    account_id: int,
    from_: str,
    to: str,
    via: str | None = None,
    uniqueid: str = "",
) -> RouteRequest:
    """The request that a call of `from_` (see `Expectation`) to `to` would make.

    Raises CallctlError when there is no such account, extension or trunk.
    """
    index = table.accounts.get(account_id)
    if index is None:
        raise CallctlError("not_found", f"there is no account {account_id}")
    country = index.account.country
    dialled = clean_dialled(to)
    if not dialled:
        raise CallctlError("invalid_field", f"{to[:40]!r} is nothing to dial", field="to")
    dialled_e164 = normalise(dialled, country)
    caller = from_.strip()
    named = caller.startswith("extension:")
    number = caller.removeprefix("extension:")
    if named or (via is None and number in index.extensions):
        if number not in index.extensions:
            raise CallctlError("invalid_field", f"there is no extension {number}", field="from")
        return RouteRequest(
            uniqueid, account_id, Source.EXTENSION, number, dialled, dialled_e164, number
        )
    trunk_account, trunk = _trunk(table, index, via)
    outside = None if caller in ("", WITHHELD) else clean_dialled(caller)
    return RouteRequest(
        uniqueid=uniqueid,
        account_id=trunk_account,
        source=Source.TRUNK,
        key=trunk.name,
        dialled=dialled,
        dialled_e164=dialled_e164,
        caller_number=outside,
        caller_e164=normalise(outside, country) if outside else None,
    )


def _trunk(table: RoutingTable, index: AccountIndex, via: str | None) -> tuple[int, Trunk]:
    """The trunk named, or the first enabled one of the account or of those above it."""
    node: AccountIndex | None = index
    seen: set[int] = set()
    while node is not None and node.account.id not in seen:
        seen.add(node.account.id)
        for trunk in node.routing.trunks:
            if trunk.name == via or (via is None and trunk.enabled):
                return node.account.id, trunk
        parent = node.account.parent_id
        node = table.accounts.get(parent) if parent is not None else None
    message = f"there is no trunk {via}" if via else "there is no trunk that calls could come in by"
    raise CallctlError("invalid_field", message, field="via" if via else "from")


def plan_feature(request: RouteRequest) -> RoutePlan | None:
    """What stands for a plan where an extension dials a feature code: callctl is not asked."""
    feature = find_feature(request.dialled) if request.source is Source.EXTENSION else None
    if feature is None:
        return None
    reason = Reason("feature", request.dialled, feature.what)
    route = f"feature:{feature.name}"
    return RoutePlan("", request.account_id, Direction.INTERNAL, route, (), (reason,))


def remarks_on(request: RouteRequest) -> tuple[Reason, ...]:
    """What whoever asks may not have meant: a short number that is no extension's calls in."""
    if request.source is Source.TRUNK and request.caller_number and request.caller_e164 is None:
        return (Reason("not_an_extension", request.caller_number, request.key),)
    return ()


def plan_expectation(table: RoutingTable, account_id: int, wanted: Expectation) -> RoutePlan:
    """The plan of an expectation's call, in the configured order. Raises CallctlError."""
    request = build_request(table, account_id, wanted.from_, wanted.to, wanted.via)
    zone = table.accounts[account_id].account.timezone
    now = parse_at(wanted.at, zone) if wanted.at is not None else None
    return plan_route(request, table, now, HuntMemory(), NO_COUNTS)


def broken_expectations(
    table: RoutingTable,
    before: RoutingTable | None,
    account_id: int,
    expectations: tuple[Expectation, ...],
) -> list[dict[str, object]]:
    """Each expectation that `table` does not keep: what it wants, gets, and got from `before`."""
    broken: list[dict[str, object]] = []
    for place, wanted in enumerate(expectations):
        entry: dict[str, object] = {
            "path": f"expectations[{place}]",
            "name": wanted.name,
            "from": wanted.from_,
            "to": wanted.to,
            "at": wanted.at,
            "expected": list(wanted.then),
        }
        try:
            plan = plan_expectation(table, account_id, wanted)
        except CallctlError as error:
            broken.append({**entry, "planned": None, "problem": error.message})
            continue
        if not keeps(plan, wanted.then):
            entry["planned"] = list(plan_words(plan))
            entry["before"] = _words_before(before, account_id, wanted)
            broken.append(entry)
    return broken


def _words_before(
    before: RoutingTable | None, account_id: int, wanted: Expectation
) -> list[str] | None:
    if before is None or account_id not in before.accounts:
        return None
    try:
        return list(plan_words(plan_expectation(before, account_id, wanted)))
    except CallctlError:
        return None
