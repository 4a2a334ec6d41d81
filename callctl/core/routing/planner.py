"""The decision itself: a call and the routing table make a plan.

Pure and deterministic: no clock, no chance, no await. The source of a call is the kind of endpoint
its channel belongs to (`Source`), never a word of the caller, so a forged internal caller ID on a
trunk stays an inbound call.
"""

from datetime import datetime
from hashlib import blake2b

from callctl.core.routing.builder import PlanBuilder
from callctl.core.routing.eligible import caller_matches
from callctl.core.routing.gate import Gate, limits_of
from callctl.core.routing.model import (
    AccountIndex,
    EmergencyNumber,
    Extension,
    HuntMemory,
    RoutingTable,
)
from callctl.core.routing.outbound import (
    WITHHELD,
    select_emergency,
    select_route,
)
from callctl.core.routing.package import missing_package, missing_seat
from callctl.core.routing.plan import (
    EMERGENCY_ROUTE,
    AnnounceStep,
    Direction,
    HangupStep,
    Reason,
    RoutePlan,
    RouteRequest,
    Source,
    TrunkStep,
)
from callctl.core.routing.recorded import rule_of_extension
from callctl.core.routing.way import Way

CAUSE_UNALLOCATED = 1
CAUSE_REJECTED = 21

EMERGENCY_RING_SECONDS = 120


def plan_route(
    request: RouteRequest,
    table: RoutingTable,
    now: datetime | None,
    memory: HuntMemory,
    gate: Gate | None = None,
) -> RoutePlan:
    """Decide `request`. Never raises for what a caller can send; every plan ends with a hangup.

    `gate` is asked for each number outside, emergency numbers excepted; without one all may pass.

    `now` must be aware; None makes the plan without a clock, every schedule counting as open.
    With an empty `request.uniqueid` and an empty memory every strategy gives the configured
    order: so the fallback dialplan is made.
    """
    index = table.accounts.get(request.account_id)
    if index is None:
        return _refusal(request, table, Reason("unknown_endpoint", request.key), now)
    if request.source is Source.TRUNK:
        return _plan_inbound(request, table, index, now, memory, gate)
    return _plan_from_extension(request, table, index, now, memory, gate)


# Calls that came in by a trunk


def _plan_inbound(
    request: RouteRequest,
    table: RoutingTable,
    index: AccountIndex,
    now: datetime | None,
    memory: HuntMemory,
    gate: Gate | None,
) -> RoutePlan:
    number = _did_number(request, table)
    if number is None:
        return _plan_transit(request, table, index, now, memory, gate)
    owner = table.accounts[table.did_accounts[number]]
    if not _serves(table, index.account.id, owner.account.id):
        return _refusal(request, table, Reason("other_account", number, request.key), now)
    builder = PlanBuilder(owner, request, Direction.INBOUND, now, memory, gate)
    did = owner.dids[number]
    builder.note("did", number, did.label)
    if _refuse_without_package(builder):
        return _finish(builder, table, f"did:{number}", did=number)
    for rule in owner.routing.blocklist:
        if caller_matches(request, rule.match):
            builder.note("blocked_caller", rule.match, rule.reason)
            builder.add(HangupStep(rule.cause), 30)
            return _finish(builder, table, f"blocklist:{rule.match}", did=number)
    builder.did(did, Way())
    return _finish(builder, table, f"did:{number}", did=number)


def _did_number(request: RouteRequest, table: RoutingTable) -> str | None:
    known = table.did_accounts
    for number in (request.dialled_e164, request.dialled, f"+{request.dialled}"):
        if number is not None and number in known:
            return number
    return None


def _serves(table: RoutingTable, trunk_account: int, did_account: int) -> bool:
    """A trunk serves its own account and those below it in the tree."""
    seen: set[int] = set()
    node: int | None = did_account
    while node is not None and node not in seen:
        if node == trunk_account:
            return True
        seen.add(node)
        index = table.accounts.get(node)
        node = index.account.parent_id if index else None
    return False


def _plan_transit(
    request: RouteRequest,
    table: RoutingTable,
    index: AccountIndex,
    now: datetime | None,
    memory: HuntMemory,
    gate: Gate | None,
) -> RoutePlan:
    """Not one of our numbers: on by a trunk that allows transit, or refused as unallocated."""
    builder = PlanBuilder(index, request, Direction.INBOUND, now, memory, gate)
    found = None
    if any(trunk.allow_transit for trunk in index.routing.trunks):
        found = select_route(index, request.dialled, request.dialled_e164)
    if found is not None and _refuse_without_package(builder):
        return _finish(builder, table, f"transit:{found.route.name}")
    if found is not None:
        builder.trunks(found, request.caller_e164 or WITHHELD, Way(), transit_from=request.key)
        if builder.refused:
            builder.add(HangupStep(CAUSE_REJECTED), 30)
            return _finish(builder, table, f"transit:{found.route.name}")
        if builder.steps:
            builder.note("transit", request.key, found.route.name)
            return _finish(builder, table, f"transit:{found.route.name}")
    builder.note("unknown_number", request.dialled)
    builder.add(HangupStep(CAUSE_UNALLOCATED), 30)
    return _finish(builder, table, "unknown")


def _refuse_without_package(builder: PlanBuilder) -> bool:
    reason = missing_package(builder.index.account.package, builder.now)
    if reason is None:
        return False
    builder.trace.append(reason)
    builder.add(HangupStep(CAUSE_REJECTED), 30)
    return True


# Calls of our own extensions


def _plan_from_extension(
    request: RouteRequest,
    table: RoutingTable,
    index: AccountIndex,
    now: datetime | None,
    memory: HuntMemory,
    gate: Gate | None,
) -> RoutePlan:
    caller = index.extensions.get(request.key)
    emergency = select_emergency(index, request.dialled)
    if emergency is not None:
        builder = PlanBuilder(index, request, Direction.OUTBOUND, now, memory, gate)
        _dial_emergency(builder, emergency, caller)
        return _finish(builder, table, f"{EMERGENCY_ROUTE}{emergency.number}", caller=caller)
    if caller is None:
        return _refusal(request, table, Reason("unknown_endpoint", request.key), now)
    if not caller.enabled:
        reason = Reason("caller_disabled", caller.number)
        return _refusal(request, table, reason, now, cause=CAUSE_REJECTED)
    lacking = missing_package(index.account.package, now)
    if lacking is not None:
        return _refusal(request, table, lacking, now, cause=CAUSE_REJECTED)
    builder = PlanBuilder(index, request, Direction.INTERNAL, now, memory, gate)
    route = _dial_inside(builder, caller)
    if route is not None:
        return _finish(builder, table, route, caller=caller)
    builder = PlanBuilder(index, request, Direction.OUTBOUND, now, memory, gate)
    route = _dial_outside(builder, caller)
    return _finish(builder, table, route, caller=caller)


def _dial_inside(builder: PlanBuilder, caller: Extension) -> str | None:
    """Ring an extension, a hunt group or an own DID; None when the number is none of them."""
    request, index = builder.request, builder.index
    # The caller's own policy counts after those of whom it calls.
    way = Way(records=(rule_of_extension(caller),))
    if extension := index.extensions.get(request.dialled):
        builder.note("extension", extension.number)
        builder.extension(extension, way)
        return f"extension:{extension.number}"
    if group := index.hunt_group_numbers.get(request.dialled):
        builder.note("hunt_group_number", request.dialled, group.name)
        builder.hunt_group(group, way)
        return f"hunt_group:{group.name}"
    if request.dialled_e164 is not None and (did := index.dids.get(request.dialled_e164)):
        builder.note("own_did", did.number)
        builder.did(did, way)
        return f"did:{did.number}"
    return None


def _dial_outside(builder: PlanBuilder, caller: Extension) -> str:
    request, index = builder.request, builder.index
    found = select_route(index, request.dialled, request.dialled_e164)
    if found is None:
        builder.note("no_route", request.dialled)
        builder.add(HangupStep(CAUSE_UNALLOCATED), 30)
        return "unknown"
    route = found.route
    if route.permission not in caller.may_dial:
        builder.note("no_permission", f"extension:{caller.number}", route.permission)
        builder.add(HangupStep(CAUSE_REJECTED), 30)
        return f"outbound:{route.name}"
    lacking = missing_seat(index.account.package, caller.number)
    if lacking is not None:
        builder.trace.append(lacking)
        builder.add(HangupStep(CAUSE_REJECTED), 30)
        return f"outbound:{route.name}"
    way = Way(records=(rule_of_extension(caller),))
    builder.trunks(found, caller.caller_id_number, way, by=caller.number)
    if builder.refused:
        _tell_refused(builder, caller)
    return f"outbound:{route.name}"


def _tell_refused(builder: PlanBuilder, caller: Extension) -> None:
    sound = limits_of(builder.index, caller.number).announce
    if sound is not None:
        builder.add(AnnounceStep(sound), 20 + len(sound))
    builder.add(HangupStep(CAUSE_REJECTED), 30)


def _dial_emergency(
    builder: PlanBuilder, emergency: EmergencyNumber, caller: Extension | None
) -> None:
    """Its trunks in order; if none of them is usable, every other: it must get out."""
    index = builder.index
    builder.note("emergency", emergency.number)
    builder.max_seconds = None
    usable = [t for n in emergency.trunks if (t := index.trunks.get(n)) and t.enabled]
    if not usable:
        builder.note("emergency_any_trunk", emergency.number)
        usable = [t for t in index.routing.trunks if t.enabled] or list(index.routing.trunks)
    # Never announced: nobody is to wait for help longer than needed.
    record = builder.recorded((rule_of_extension(caller),) if caller else ()).wanted
    own = caller.caller_id_number if caller and caller.caller_id_number != WITHHELD else None
    default = index.routing.caller_id_number
    for trunk in usable:
        builder.dial_trunk(
            TrunkStep(
                trunk=trunk.name,
                endpoint=trunk.endpoint,
                number=emergency.number,
                seconds=EMERGENCY_RING_SECONDS,
                caller_id_number=(
                    emergency.caller_id_number or own or trunk.caller_id_number or default
                ),
                record=record,
                emergency=True,
            )
        )


# Ends


def _finish(
    builder: PlanBuilder,
    table: RoutingTable,
    route: str,
    *,
    did: str | None = None,
    caller: Extension | None = None,
) -> RoutePlan:
    builder.finish()
    return RoutePlan(
        plan_id=_plan_id(builder.request, table, builder.now),
        account_id=builder.index.account.id,
        direction=builder.direction,
        route=route,
        did=did,
        steps=tuple(builder.steps),
        trace=tuple(builder.trace),
        max_seconds=builder.max_seconds,
        caller_number=caller.number if caller else None,
        caller_name=(caller.name or None) if caller else None,
        first_offered=tuple(builder.first_offered),
    )


def _refusal(
    request: RouteRequest,
    table: RoutingTable,
    reason: Reason,
    now: datetime | None,
    cause: int = CAUSE_UNALLOCATED,
) -> RoutePlan:
    inbound = request.source is Source.TRUNK
    return RoutePlan(
        plan_id=_plan_id(request, table, now),
        account_id=request.account_id,
        direction=Direction.INBOUND if inbound else Direction.OUTBOUND,
        route="unknown",
        steps=(HangupStep(cause),),
        trace=(reason,),
    )


def _plan_id(request: RouteRequest, table: RoutingTable, now: datetime | None) -> str:
    """Names this decision: the same call at the same moment by the same rules has the same id."""
    moment = now.timestamp() if now else None
    text = f"{request.uniqueid}|{request.key}|{request.dialled}|{table.revision}|{moment}"
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
