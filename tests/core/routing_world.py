"""A small company to plan calls in: what the tests of routing share."""

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from callctl.core.routing.expectations import plan_words
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    BlockRule,
    CallerRoute,
    Chain,
    Destination,
    DialPattern,
    Did,
    EmergencyNumber,
    Extension,
    Holiday,
    HuntGroup,
    HuntMemory,
    Member,
    OutboundRoute,
    RoutingTable,
    Schedule,
    Trunk,
    WeeklyPeriod,
    build_table,
)
from callctl.core.routing.plan import RoutePlan, RouteRequest, Source
from callctl.core.routing.planner import plan_route

MONDAY_NOON = datetime(2026, 7, 6, 10, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 7, 5, 10, 0, tzinfo=UTC)


def chain(*texts: str) -> Chain:
    return tuple(Destination.parse(text) for text in texts)


def company(**changed: Any) -> AccountRouting:
    """Extensions 101 to 105, group sales (600), trunks a and b, DIDs ending in 1 to 3."""
    routing = AccountRouting(
        account=Account(1, "main", "Main", timezone="Europe/Budapest", country="HU"),
        extensions=tuple(
            Extension(str(n), f"Phone {n}", endpoint=f"ep{n}", ring_seconds=20)
            for n in range(101, 106)
        ),
        trunks=(
            Trunk("a", "192.0.2.1", endpoint="trunk-a", caller_id_number="+3611110000"),
            Trunk("b", "192.0.2.2", endpoint="trunk-b", number_format="digits"),
        ),
        dids=(
            Did("+3617000001", chain("extension:101", "extension:102"), label="front desk"),
            Did(
                "+3617000002",
                chain("hunt_group:sales"),
                schedule="office",
                closed=chain("announce:closed", "hangup:normal"),
                callers=(CallerRoute("+36205550100", chain("extension:105")),),
            ),
            Did("+3617000003", chain("number:+36301112222", "extension:103")),
        ),
        hunt_groups=(
            HuntGroup(
                "sales",
                (Member("101"), Member("102", 5), Member("103")),
                number="600",
                ring_seconds=15,
                max_seconds=60,
            ),
        ),
        schedules=(
            Schedule(
                "office",
                (WeeklyPeriod((0, 1, 2, 3, 4), time(8), time(17)),),
                (Holiday(date(2026, 12, 25), "Christmas", yearly=True),),
            ),
        ),
        blocklist=(BlockRule("+3690.", "premium"), BlockRule("withheld", cause=17)),
        outbound=(
            OutboundRoute("national", (DialPattern("+36."),), ("a", "b")),
            OutboundRoute("foreign", (DialPattern("+."),), ("b",), permission="international"),
        ),
        emergency=(EmergencyNumber("112", ("b", "a")),),
        max_call_seconds=7200,
    )
    return replace(routing, **changed)


def edit(routing: AccountRouting, kind: str, key: str, **changed: Any) -> AccountRouting:
    """`routing` with fields of one object changed, found by its number or name."""
    objects = tuple(
        replace(o, **changed)
        if key in (getattr(o, "number", None), getattr(o, "name", None))
        else o
        for o in getattr(routing, kind)
    )
    assert objects != getattr(routing, kind), f"{kind} has no {key}, or nothing changes"
    return replace(routing, **{kind: objects})


def table(*routings: AccountRouting) -> RoutingTable:
    return build_table(routings or (company(),))


def request(source: str, key: str, dialled: str, **changed: Any) -> RouteRequest:
    e164 = dialled if dialled.startswith("+") else None
    if dialled.startswith("06"):
        e164 = "+36" + dialled[2:]
    values: dict[str, Any] = {"uniqueid": "1.1", "account_id": 1, "dialled_e164": e164}
    return RouteRequest(source=Source(source), key=key, dialled=dialled, **(values | changed))


def inbound(
    dialled: str, caller: str | None = "+36201234567", trunk: str = "a", **changed: Any
) -> RouteRequest:
    e164 = caller if caller and caller.startswith("+") else None
    return request("trunk", trunk, dialled, caller_number=caller, caller_e164=e164, **changed)


def outbound(caller: str, dialled: str, **changed: Any) -> RouteRequest:
    return request("extension", caller, dialled, caller_number=caller, **changed)


def plan(
    call: RouteRequest,
    routing: AccountRouting | RoutingTable | None = None,
    now: datetime | None = MONDAY_NOON,
    memory: HuntMemory | None = None,
) -> RoutePlan:
    if not isinstance(routing, RoutingTable):
        routing = table(routing or company())
    return plan_route(call, routing, now, memory or HuntMemory())


def words(*args: Any, **kwargs: Any) -> list[str]:
    return list(plan_words(plan(*args, **kwargs)))


def codes(decided: RoutePlan) -> list[str]:
    return [reason.code for reason in decided.trace]
