"""The fallback answers as the planner does: asked in a real Asterisk, question by question.

Every question is one of (who dials, what, with which caller ID, when). The dialplan's clock is a
variable here, so that a Sunday, a holiday and the night of a change of the clock can be asked.
"""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from phonenumbers import (
    SUPPORTED_REGIONS,
    PhoneNumberFormat,
    PhoneNumberType,
    example_number_for_type,
    format_number,
    national_significant_number,
)

from callctl.asterisk.fallback_limits import WORLD, render_world
from callctl.asterisk.fallback_numbers import dialling_plan, render_normaliser
from callctl.asterisk.fallback_plans import sample_number
from callctl.asterisk.fallback_schedule import hours_on
from callctl.asterisk.program import AsteriskProgram
from callctl.asterisk.provision import DIALPLAN_FILE, render_provisioning
from callctl.asterisk.runtime import AsteriskInstance
from callctl.core.routing.encoding import PlanError, decode_plan
from callctl.core.routing.gate import StaticGate
from callctl.core.routing.limits import LimitAction, LimitSettings, OffHours, OutsideKind
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
from callctl.core.routing.patterns import parse_pattern
from callctl.core.routing.plan import RoutePlan, RouteRequest, Source
from callctl.core.routing.planner import plan_route
from callctl.core.routing.schedule import opening_at
from callctl.numbers import classify, classify_outgoing, normalise
from tests.asterisk.manager import originate
from tests.asterisk.switch import complaints, read_rows

ADDRESS = "127.0.2.200"
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


async def ask(
    program: AsteriskProgram, directory: Path, dialplan: str, asked: Sequence[Sequence[str]]
) -> dict[int, str]:
    """Run every question in one call of a real Asterisk; what the rows ANSWER_<n> say."""
    instance = AsteriskInstance(program, directory, address=ADDRESS, agi_address=ADDRESS)
    instance.write_configuration()
    lines = [line for question in asked for line in question]
    end = f"exten => q{len(asked)},1,Hangup()"
    text = "\n".join([dialplan, "[ask]", *lines, end, ""])
    (instance.generated_dir / DIALPLAN_FILE).write_text(text)
    async with instance:
        await originate(instance, "Local/q0@ask", "ask", f"q{len(asked)}")
        async with asyncio.timeout(60):
            last = f"ANSWER_{len(asked) - 1}"
            while not any(row.type == last for row in read_rows(instance.journal_path)):
                await asyncio.sleep(0.2)
        assert complaints(instance.messages_log) == []
    return {
        int(row.type.removeprefix("ANSWER_")): row["eventextra"]
        .removeprefix('{"extra":"')
        .removesuffix('"}')
        for row in read_rows(instance.journal_path)
        if row.type.startswith("ANSWER_")
    }


@pytest.fixture(scope="module")
async def answers(
    asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, str]:
    """What the dialplan says to each of `questions`, by its place in them."""
    text = render_provisioning(TABLE, {}, 2026)[DIALPLAN_FILE].replace("${EPOCH}", "${TEST_EPOCH}")
    lines = [question.dialplan(number) for number, question in enumerate(questions())]
    return await ask(asterisk_program, tmp_path_factory.mktemp("fallback"), text, lines)


def essence(plan: RoutePlan) -> tuple[object, ...]:
    return (plan.steps, plan.did, plan.route, plan.account_id, plan.direction, plan.max_seconds)


def test_every_question_gets_the_planner_s_answer(answers: dict[int, str]) -> None:
    asked = questions()
    assert len(answers) == len(asked)
    wrong: list[tuple[object, ...]] = []
    for number, question in enumerate(asked):
        expected = question.planned(TABLE)
        unknown = expected.route == "unknown"
        try:
            told = decode_plan(answers[number])
        except PlanError:
            if not unknown:
                wrong.append((question, expected.route, answers[number]))
            continue
        if essence(told) != essence(expected):
            wrong.append((question, expected, answers[number]))
    assert wrong == []
    kinds = {decode_plan(a).route.partition(":")[0] for a in answers.values() if a}
    assert kinds >= {"did", "blocklist", "extension", "hunt_group", "outbound", "emergency"}
    refused = {r.code for a in answers.values() if a for r in decode_plan(a).trace}
    assert refused >= {"package_required", "seat_required"}


def test_emergency_calls_go_whatever_is_paid(answers: dict[int, str]) -> None:
    asked = [
        number
        for number, question in enumerate(questions())
        if question.endpoint in ("un-101", "un-102", "108") and question.dialled == "112"
    ]
    assert len(asked) == 6
    for number in asked:
        assert decode_plan(answers[number]).route == "emergency:112"


COUNTRIES = ("HU", "US", "GB", "DE", "AT", "IT", "FR", "ES", "PL", "CN", "KR", "JP", "VN", "RU")


async def test_numbers_are_normalised_as_the_daemon_does(
    asterisk_program: AsteriskProgram, tmp_path: Path
) -> None:
    """Example numbers of many countries, in every way that people write them."""
    cases: list[tuple[str, str]] = []
    for country in COUNTRIES:
        plan = dialling_plan(country)
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            example = example_number_for_type(country, kind)
            assert example is not None
            national = national_significant_number(example)
            prefixes = {"", plan.national_prefix, plan.code, "+" + plan.code}
            prefixes.add(plan.international_prefix + plan.code)
            cases += [(country, prefix + national) for prefix in sorted(prefixes)]
            cases += [
                (country, national[:3]),
                (country, national + "99999"),
                (country, "*" + national),
            ]
        cases += [
            (country, "+12125550123"),
            (country, "+3612345678"),
            (country, "+1"),
            (country, ""),
        ]
    asked = [
        [
            f"exten => q{n},1,Gosub(callctl-e164-{country},s,1({number}))",
            f" same => n,CELGenUserEvent(ANSWER_{n},${{GOSUB_RETVAL}})",
            f" same => n,Goto(q{n + 1},1)",
        ]
        for n, (country, number) in enumerate(cases)
    ]
    dialplan = "\n".join(render_normaliser(dialling_plan(country)) for country in COUNTRIES)
    said = await ask(asterisk_program, tmp_path, dialplan, asked)
    wrong = [
        (case, normalise(case[1], case[0]), said[n])
        for n, case in enumerate(cases)
        if (normalise(case[1], case[0]) or "") != said[n]
    ]
    assert wrong == []


async def test_country_and_kind_of_a_number_are_found_as_the_daemon_does(
    asterisk_program: AsteriskProgram, tmp_path: Path
) -> None:
    """Example numbers of every country there is."""
    kinds = (
        PhoneNumberType.FIXED_LINE,
        PhoneNumberType.MOBILE,
        PhoneNumberType.PREMIUM_RATE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.SHARED_COST,
    )
    found = {
        format_number(example, PhoneNumberFormat.E164)
        for country in SUPPORTED_REGIONS
        for kind in kinds
        if (example := example_number_for_type(country, kind)) is not None
    }
    # With digits too many, too: they do not hide what the number is.
    found |= {f"{number}99"[:16] for number in found}
    cases = [*sorted(found), "+881612345678", "+97912345678", "+80012345678"]
    asked = [
        [
            f"exten => q{n},1,Gosub({WORLD},{number},1)",
            f" same => n,CELGenUserEvent(ANSWER_{n},${{GOSUB_RETVAL}})",
            f" same => n,Goto(q{n + 1},1)",
        ]
        for n, number in enumerate(cases)
    ]
    said = await ask(asterisk_program, tmp_path, render_world(), asked)
    wrong = []
    for n, number in enumerate(cases):
        outside = classify(number)
        kind = "" if outside.kind is OutsideKind.ORDINARY else outside.kind.value
        if said[n] != f"{outside.country}:{kind}":
            wrong.append((number, outside, said[n]))
    assert wrong == []
    assert len(cases) > 1200


@pytest.mark.parametrize("schedule", [OFFICE, NIGHT], ids=lambda s: s.name)
def test_hours_of_a_day_are_the_schedule_s_at_every_minute(schedule: Schedule) -> None:
    zone = schedule.timezone or "Europe/Budapest"
    for day in (date(2026, 10, 20) + timedelta(days=n) for n in range(70)):
        hours = hours_on(schedule, day, zone)
        for minute in range(0, 24 * 60, 5):
            clock = time(minute // 60, minute % 60)
            at = datetime.combine(day, clock, ZoneInfo(zone))
            told = any(a <= clock.hour * 100 + clock.minute < b for a, b in hours)
            assert told == opening_at(schedule, at, zone).is_open, at


@pytest.mark.parametrize("pattern", ["+36X.", "_NXXZ", "[5-7]X!", "*9[13]", "0-1 2", "+."])
def test_sample_is_a_number_that_the_pattern_takes(pattern: str) -> None:
    assert all(parse_pattern(pattern).matches(sample_number(pattern, n)) for n in range(10))
