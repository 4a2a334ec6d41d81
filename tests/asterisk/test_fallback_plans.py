"""The fallback answers as the planner does: asked in a real Asterisk, question by question.

Every question is one of (who dials, what, with which caller ID, when). The dialplan's clock is a
variable here, so that a Sunday, a holiday and the night of a change of the clock can be asked.
"""

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
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
from callctl.core.routing.limits import OutsideKind
from callctl.core.routing.model import (
    Schedule,
)
from callctl.core.routing.patterns import parse_pattern
from callctl.core.routing.plan import RoutePlan
from callctl.core.routing.schedule import opening_at
from callctl.numbers import classify, normalise
from tests.asterisk.fallback_house import NIGHT, OFFICE, TABLE, questions
from tests.asterisk.manager import originate
from tests.asterisk.switch import complaints, read_rows

ADDRESS = "127.0.2.200"


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
