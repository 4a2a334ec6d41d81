"""A company with every rule there is, its operator, one that has not paid; and what is asked."""

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from callctl.core.routing.gate import StaticGate
from callctl.core.routing.limits import LimitAction, LimitSettings, OffHours
from callctl.core.routing.model import (
    Account,
    AccountKind,
    AccountRouting,
    BlockRule,
    CallerRoute,
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
    RecordPolicy,
    RingStrategy,
    RoutingTable,
    Schedule,
    Trunk,
    TrunkOrder,
    WeeklyPeriod,
    build_table,
)
from callctl.core.routing.package import PackageRights
from callctl.core.routing.plan import RoutePlan, RouteRequest, Source
from callctl.core.routing.planner import plan_route
from callctl.numbers import classify_outgoing, normalise

WORKDAYS = (0, 1, 2, 3, 4)


def chain(*texts: str) -> tuple[Destination, ...]:
    return tuple(Destination.parse(text) for text in texts)


OFFICE = Schedule(
    "office",
    (WeeklyPeriod(WORKDAYS, time(8), time(17, 30)),),
    (
        Holiday(date(2026, 12, 25), "Christmas", yearly=True),
        Holiday(date(2026, 12, 24), "Eve", yearly=True, opens=time(8), closes=time(12)),
        Holiday(date(2027, 3, 26), "Good Friday"),
    ),
)
NIGHT = Schedule(
    "night",
    (WeeklyPeriod((4, 5), time(20), time(2)), WeeklyPeriod((6,), time(1), time(3))),
    (Holiday(date(2026, 10, 24), "closed"),),
    timezone="America/New_York",
)


def company() -> AccountRouting:
    return AccountRouting(
        account=Account(
            2,
            "company",
            "Company",
            parent_id=1,
            timezone="Europe/Budapest",
            country="HU",
            # Extension 108 is no member's.
            package=PackageRights(
                datetime(2100, 1, 1, tzinfo=UTC),
                extensions=frozenset(
                    {"101", "102", "103", "104", "106", "107", "109", "110", "111"}
                ),
            ),
        ),
        extensions=(
            Extension(
                "101", endpoint="101", may_dial=("national", "world"), record=RecordPolicy.ALWAYS
            ),
            Extension(
                "102",
                endpoint="co-102",
                schedule="office",
                forward_unavailable=chain("extension:103"),
                caller_id_number="+3617000002",
            ),
            Extension("103", endpoint="103", blocked_callers=("+3670X.", "withheld")),
            Extension("104", endpoint="104", dnd=True, forward_busy=chain("number:+36301234567")),
            Extension("105", endpoint="105", enabled=False),
            Extension(
                "106",
                endpoint="106",
                forward_always=chain("extension:101"),
                caller_id_number="withheld",
            ),
            Extension(
                "107",
                endpoint="107",
                forward_busy=chain("extension:108"),
                may_dial=(),
                record=RecordPolicy.INTERNAL,
                record_share=1,
                record_announce="recorded/107",
            ),
            Extension(
                "108", endpoint="108", forward_no_answer=chain("announce:sorry", "hangup:busy")
            ),
            Extension("109", endpoint="109", forward_busy=chain("number:+5371234567")),
            Extension(
                "110",
                endpoint="110",
                may_dial=("national", "world"),
                limits=LimitSettings(
                    destinations=(
                        ("premium", LimitAction.ALLOW),
                        ("DE", LimitAction.BLOCK),
                        ("CU", LimitAction.ALLOW),
                        ("others", LimitAction.HOLD),
                    ),
                    announce="refused",
                ),
            ),
            Extension(
                "111",
                endpoint="111",
                may_dial=("national", "world"),
                limits=LimitSettings(off_hours=OffHours("office"), max_seconds_abroad=300),
            ),
        ),
        trunks=(
            Trunk("own", "192.0.2.9", endpoint="own", number_format="digits"),
            Trunk("cheap", "192.0.2.10", endpoint="cheap"),
            Trunk("spare", "192.0.2.11", endpoint="spare"),
        ),
        dids=(
            Did("+3617000001", chain("extension:101", "hunt_group:all")),
            Did(
                "+3617000002",
                chain("hunt_group:sales", "extension:102"),
                schedule="office",
                closed=chain("did:+3617000003"),
                callers=(
                    CallerRoute("+36301111111", chain("extension:103")),
                    CallerRoute("+3630X.", chain("extension:107")),
                    CallerRoute("withheld", chain("hangup:21")),
                ),
                record=RecordPolicy.EXTERNAL,
                record_share=30,
                record_announce="recorded/did",
            ),
            Did(
                "+3617000003",
                chain("extension:103"),
                schedule="night",
                closed=chain("announce:closed"),
            ),
            Did("+3617000004", chain("extension:102", "number:+36301234567")),
        ),
        hunt_groups=(
            HuntGroup(
                "sales",
                (Member("101", 7), Member("102"), Member("104"), Member("107", paused=True)),
                number="600",
                strategy=RingStrategy.LEAST_RECENT,
                max_seconds=40,
                then=chain("extension:103"),
            ),
            HuntGroup(
                "all", (Member("101"), Member("103")), number="601", strategy=RingStrategy.ALL
            ),
        ),
        schedules=(OFFICE, NIGHT),
        blocklist=(
            BlockRule("+36209999999", "nuisance"),
            BlockRule("+3690.", "premium", cause=1),
        ),
        outbound=(
            OutboundRoute(
                "national", (DialPattern("+36ZXXXXXXX"), DialPattern("+36[237]0X.")), ("own",)
            ),
            OutboundRoute(
                "world",
                (DialPattern("+."), DialPattern("9.", strip=1)),
                ("own", "cheap", "spare"),
                "world",
                max_seconds=600,
                order=TrunkOrder.CHEAPEST,
            ),
            OutboundRoute("prefix", (DialPattern("8X.", strip=1, prepend="+36"),), ("own",)),
            OutboundRoute(
                "short", (DialPattern("1XXX"),), ("own",), caller_id_number="+3617999999"
            ),
        ),
        emergency=(EmergencyNumber("112", ("own",), caller_id_number="+3617000001"),),
        record=RecordPolicy.NEVER,
        record_announce="recorded/both",
        limits=LimitSettings(destinations=(("CU", LimitAction.HOLD), ("JM", LimitAction.BLOCK))),
        trunk_orders={
            "world": {
                "49": ("cheap", "own", "spare"),
                "491": ("spare", "cheap", "own"),
                "4477": ("own", "cheap", "spare"),
                "44": ("cheap", "own", "spare"),
                "53": ("spare", "own", "cheap"),
                "1": ("spare", "cheap", "own"),
            }
        },
    )


def operator() -> AccountRouting:
    return AccountRouting(
        account=Account(1, "main", "Operator", AccountKind.OPERATOR, country="US"),
        extensions=(Extension("200", endpoint="200"), Extension("201", endpoint="201")),
        trunks=(Trunk("carrier", "192.0.2.1", endpoint="carrier"),),
        dids=(Did("+12125550100", chain("extension:200")),),
        outbound=(OutboundRoute("us", (DialPattern("+1NXXNXXXXXX"),), ("carrier",)),),
    )


def unpaid() -> AccountRouting:
    """Its package is over: only emergency calls go."""
    return AccountRouting(
        account=Account(
            3,
            "unpaid",
            "Unpaid",
            parent_id=1,
            country="HU",
            package=PackageRights(
                datetime(2026, 1, 1, tzinfo=UTC), over=True, extensions=frozenset({"101"})
            ),
        ),
        extensions=(
            Extension("101", endpoint="un-101"),
            Extension("102", endpoint="un-102", enabled=False),
        ),
        trunks=(Trunk("un", "192.0.2.10", endpoint="un"),),
        dids=(Did("+3617000009", chain("extension:101")),),
        outbound=(OutboundRoute("national", (DialPattern("+36."),), ("un",)),),
        emergency=(EmergencyNumber("112", ("un",)),),
    )


TABLE = build_table((operator(), company(), unpaid()), revision=3)


@dataclass(frozen=True)
class Question:
    endpoint: str
    dialled: str
    caller: str | None
    at: datetime

    def dialplan(self, number: int) -> list[str]:
        shown = "allowed" if self.caller else "prohib"
        return [
            f"exten => q{number},1,Set(TEST_EPOCH={int(self.at.timestamp())})",
            f" same => n,Set(CALLERID(num)={self.caller or 'anonymous'})",
            f" same => n,Set(CALLERID(num-pres)={shown})",
            f" same => n,Set(CALLCTL_ENDPOINT={self.endpoint})",
            f" same => n,Set(CALLCTL_DIALLED={self.dialled})",
            " same => n,Set(CALLCTL_PLAN=)",
            " same => n,Gosub(callctl-fallback,s,1)",
            f" same => n,CELGenUserEvent(ANSWER_{number},${{CALLCTL_PLAN}})",
            f" same => n,Goto(q{number + 1},1)",
        ]

    def planned(self, table: RoutingTable) -> RoutePlan:
        """What the daemon would say, memory empty."""
        account, source, key = table.endpoints[self.endpoint]
        country = table.accounts[account].account.country
        inside = source == "extension"
        number = key if inside else self.caller
        request = RouteRequest(
            uniqueid="",
            account_id=account,
            source=Source(source),
            key=key,
            dialled=self.dialled,
            dialled_e164=normalise(self.dialled, country),
            caller_number=number,
            caller_e164=None if inside or number is None else normalise(number, country),
        )
        return plan_route(request, table, self.at, HuntMemory(), StaticGate(classify_outgoing))


MOMENTS = [
    datetime(2026, 7, 6, 10, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2026, 7, 6, 17, 29, 59, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2026, 7, 6, 17, 30, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2027, 12, 25, 10, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2027, 12, 24, 11, 59, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2027, 3, 26, 9, tzinfo=ZoneInfo("Europe/Budapest")),
    datetime(2026, 7, 4, 1, 30, tzinfo=ZoneInfo("America/New_York")),
    datetime(2026, 11, 1, 1, 30, tzinfo=ZoneInfo("America/New_York")),
    datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=ZoneInfo("America/New_York")),
    datetime(2026, 10, 25, 1, 0, tzinfo=ZoneInfo("America/New_York")),
]
CALLERS = [
    None,
    "+36201234567",
    "06301111111",
    "+36301111112",
    "36701234567",
    "+36209999999",
    "0690123456",
    "12345",
    "+4915112345678",
]


def questions() -> list[Question]:
    noon = MOMENTS[0]
    dids = ["+3617000001", "0617000002", "3617000003", "003617000004", "17000002", "+3617999999"]
    asked = [
        Question("own", did, caller, at)
        for did, caller, at in itertools.product(dids, CALLERS, MOMENTS)
    ]
    asked += [
        Question("carrier", did, caller, noon)
        for did, caller in itertools.product(
            ["2125550100", "12125550100", "+3617000001", "0113617000002", "0113617000009"],
            ["+12125550199", "2125550199"],
        )
    ]
    dialled = [
        *("101", "102", "103", "104", "105", "106", "107", "108", "600", "601", "999"),
        *("+3617000001", "0617000002", "17000003", "06301234567", "+36301234567", "0630123456"),
        *(
            "9123456",
            "8301234567",
            "1234",
            "112",
            "+112",
            "9112",
            "004915112345678",
            "*77",
            "h",
            "s",
        ),
        *("+12125550100", "2125550100", "200", "201", "109", "110"),
        *("0690123456", "+3690123456", "80690123456", "890123456", "90690123456"),
        *("005371234567", "+5371234567", "95371234567", "+18765550123", "+14165550123"),
        *("+881612345678", "00447012345678", "+447797712345", "+97912345678", "+80012345678"),
        *("+4930123456", "004930123456", "+447700900123", "+442071838750", "0044"),
    ]
    endpoints = [name for name, (_, kind, _) in TABLE.endpoints.items() if kind == "extension"]
    asked += [
        Question(endpoint, to, None, at)
        for endpoint, to, at in itertools.product(endpoints, dialled, (noon, MOMENTS[3]))
    ]
    return asked
