"""Calls through the real dialplan: every kind of step, every way that an attempt can end."""

import asyncio
from pathlib import Path

import pytest

from callctl.core.outcomes import AttemptResult, classify_attempt
from callctl.core.routing.plan import (
    AnnounceStep,
    Direction,
    HangupStep,
    RingStep,
    RingTarget,
    TrunkStep,
    When,
)
from callctl.demo.sip import BUSY, DECLINE, Answer, Behaviour, Redirect, Refuse, RingOut, Silence
from tests.asterisk.switch import Row, Switch, plan

pytestmark = pytest.mark.asterisk

DID = "+3617000001"


def ring(*extensions: str, seconds: int = 2, **more: object) -> RingStep:
    return RingStep(tuple(RingTarget(e, e) for e in extensions), seconds, **more)  # type: ignore[arg-type]


def by_trunk(name: str, number: str = "+3612345678", **more: object) -> TrunkStep:
    values: dict[str, object] = {"trunk": name, "endpoint": name, "number": number, "seconds": 3}
    return TrunkStep(**(values | more))  # type: ignore[arg-type]


def own(rows: list[Row]) -> list[tuple[str, dict[str, str]]]:
    return [(row.type, row.extra) for row in rows if row.extra]


def attempts(rows: list[Row]) -> list[tuple[str, str, str]]:
    """(step, result as the core's table reads it, target) of every attempt."""
    kinds = {r.extra["step"]: r.extra["kind"] for r in rows if r.type == "CALLCTL_TRY"}
    return [
        (
            r.extra["step"],
            classify_attempt(
                r.extra["dialstatus"],
                int(r.extra["cause"]),
                by_trunk=kinds[r.extra["step"]] == "trunk",
                rang=r.extra["rang"] == "1",
            ).result.value,
            r.extra["target"],
        )
        for r in rows
        if r.type == "CALLCTL_ATTEMPT"
    ]


async def test_answered_call_leaves_route_try_and_attempt(switch: Switch) -> None:
    before = len(switch.rows())
    switch.plans[DID] = plan(ring("101"), HangupStep(0), did=DID, route=f"did:{DID}")
    async with switch.phone("101", Answer()) as phone, switch.call_in(DID) as caller:
        await phone.answered()
        await caller.hang_up()
        await caller.ended()
    assert own(await switch.rows_after(before)) == [
        (
            "CALLCTL_ROUTE",
            {
                "direction": "inbound",
                "did": DID,
                "route": f"did:{DID}",
                "account": "1",
                "plan": "p1",
                "source": "plan",
                "withheld": "",
                "why": "",
            },
        ),
        (
            "CALLCTL_TRY",
            {"step": "1", "kind": "ring", "target": "101", "number": "", "endpoints": "101"},
        ),
        (
            "CALLCTL_ATTEMPT",
            {"step": "1", "target": "101", "dialstatus": "ANSWER", "cause": "16", "rang": "1"},
        ),
    ]


@pytest.mark.parametrize(
    ("behaviour", "result", "code"),
    [
        (BUSY, "BUSY", 486),
        (Refuse(600), "BUSY", 486),
        (DECLINE, "REJECTED", 403),
        (Refuse(404), "UNAVAILABLE", 480),
        (Refuse(408), "UNAVAILABLE", 480),
        (Refuse(480), "NOANSWER", 480),
        (Refuse(488), "UNAVAILABLE", 480),
        (Refuse(500), "UNAVAILABLE", 480),
        (Refuse(503), "UNAVAILABLE", 480),
        (RingOut(), "NOANSWER", 480),
        (Silence(), "NOANSWER", 480),
        (None, "UNAVAILABLE", 480),
    ],
    ids=str,
)
async def test_every_failure_of_the_first_goes_to_the_second(
    switch: Switch, behaviour: Behaviour | None, result: str, code: int
) -> None:
    """And alone, it ends the call with a code that says so to the caller."""
    switch.plans[DID] = plan(ring("101"), ring("102"), HangupStep(0))
    switch.plans["+3617000002"] = plan(ring("101"), HangupStep(0))
    before = len(switch.rows())
    first = switch.phone("101", behaviour or Answer())
    await first.register(expires=0 if behaviour is None else 300)
    if behaviour is not None:
        await first.listen()
    try:
        async with switch.phone("102", Answer()) as second, switch.call_in(DID) as caller:
            await second.answered()
            await second.hang_up()
            await caller.ended()
        rows = await switch.rows_after(before)
        assert attempts(rows) == [("1", result, "101"), ("2", "ANSWER", "102")]
        async with switch.call_in("+3617000002") as caller:
            assert (await caller.ended()).final_code == code
    finally:
        await first.stop()


async def test_cause_of_one_attempt_does_not_stick_to_the_next(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101"), ring("105"), by_trunk("carrier-dead"), ring("102"))
    await switch.qualified("carrier-dead", "Unavail")
    before = len(switch.rows())
    async with switch.phone("101", DECLINE), switch.phone("102", RingOut()):
        async with switch.call_in(DID) as caller:
            await caller.ended()
    rows = [r.extra for r in await switch.rows_after(before) if r.type == "CALLCTL_ATTEMPT"]
    assert [(r["dialstatus"], r["cause"]) for r in rows] == [
        ("CHANUNAVAIL", "21"),
        ("CHANUNAVAIL", "20"),
        ("CHANUNAVAIL", "38"),
        ("NOANSWER", "19"),
    ]


async def test_fork_has_one_winner_and_one_attempt(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101", "102", "105", seconds=5), HangupStep(0))
    before = len(switch.rows())
    async with switch.phone("101", RingOut()) as loser, switch.phone("102", Answer(0.4)) as winner:
        async with switch.call_in(DID) as caller:
            await winner.answered()
            await caller.hang_up()
            await caller.ended()
        assert (await loser.ended()).reason is not None
    rows = await switch.rows_after(before)
    assert attempts(rows) == [("1", "ANSWER", "101&102&105")]


async def test_caller_who_gives_up_in_step_two_leaves_its_attempt_cancelled(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101", seconds=1), ring("102", seconds=20), HangupStep(0))
    before = len(switch.rows())
    async with switch.phone("101", RingOut()), switch.phone("102", RingOut()) as second:
        async with switch.call_in(DID) as caller:
            await second.until(lambda c: c.rang_at)
            await caller.give_up()
            await caller.ended()
    rows = await switch.rows_after(before)
    assert attempts(rows) == [("1", "NOANSWER", "101"), ("2", "CANCEL", "102")]


async def test_conditions_run_a_step_only_after_its_result(switch: Switch) -> None:
    after_one = {r: When(1, (r,)) for r in AttemptResult}
    switch.plans[DID] = plan(
        ring("101"),
        ring("103", when=When(1, (AttemptResult.NOANSWER, AttemptResult.UNAVAILABLE))),
        ring("104", when=When(1, (AttemptResult.REJECTED, AttemptResult.BUSY))),
        ring("105", when=When(2, (AttemptResult.UNAVAILABLE,))),
        HangupStep(17, after_one[AttemptResult.NOANSWER]),
        HangupStep(34, after_one[AttemptResult.BUSY]),
    )
    before = len(switch.rows())
    async with switch.phone("101", BUSY), switch.phone("103", BUSY), switch.phone("104", BUSY):
        async with switch.call_in(DID) as caller:
            assert (await caller.ended()).final_code == 503
    rows = await switch.rows_after(before)
    assert attempts(rows) == [("1", "BUSY", "101"), ("3", "BUSY", "104")]


async def test_own_redirection_of_a_phone_places_no_call(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101"), ring("102"), HangupStep(0))
    before = len(switch.rows())
    astray = Redirect(f"sip:+3619999999@{switch.address}")
    async with switch.phone("101", astray), switch.phone("102", Answer()) as second:
        async with switch.call_in(DID) as caller:
            await second.answered()
            await caller.hang_up()
            await caller.ended()
    rows = await switch.rows_after(before)
    assert [t for _, _, t in attempts(rows)] == ["101", "102"]
    assert {r["channame"].rpartition("-")[0] for r in rows} == {
        "PJSIP/carrier-a",
        "PJSIP/101",
        "PJSIP/102",
    }


# -- trunks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "goes_on"),
    [(486, False), (603, False), (404, False), (503, True), (500, True), (480, True)],
)
async def test_callee_ends_the_hunt_for_a_trunk_and_a_failed_route_goes_on(
    switch: Switch, code: int, goes_on: bool
) -> None:
    switch.plans["+3612345678"] = plan(
        by_trunk("carrier-a"), by_trunk("carrier-b"), HangupStep(0), direction=Direction.OUTBOUND
    )
    before = len(switch.rows())
    async with switch.carrier(21, Refuse(code)) as first, switch.carrier(22, Answer()) as second:
        await switch.qualified("carrier-a", "Avail")
        await switch.qualified("carrier-b", "Avail")
        async with switch.call_from("101", "+3612345678", headers=()) as caller:
            if goes_on:
                await second.answered()
                await caller.hang_up()
            await caller.ended()
        assert len(first.calls) == 1
        assert len(second.calls) == int(goes_on)
    rows = await switch.rows_after(before)
    assert [s for s, _, _ in attempts(rows)] == (["1", "2"] if goes_on else ["1"])


async def test_dead_carrier_costs_no_time(switch: Switch) -> None:
    switch.plans["+3612345678"] = plan(
        by_trunk("carrier-dead", seconds=30),
        by_trunk("carrier-b"),
        HangupStep(0),
        direction=Direction.OUTBOUND,
    )
    await switch.qualified("carrier-dead", "Unavail")
    async with switch.carrier(22, Answer()) as carrier:
        await switch.qualified("carrier-b", "Avail")
        async with switch.call_from("101", "+3612345678") as caller:
            saw = await carrier.answered(seconds=3)
            await caller.hang_up()
            await caller.ended()
    assert saw.dialled == "+3612345678"


async def test_trunk_is_shown_the_number_that_the_plan_says(switch: Switch) -> None:
    switch.plans["100"] = plan(
        by_trunk("carrier-b", caller_id_number="+3617000099"), direction=Direction.OUTBOUND
    )
    switch.plans["200"] = plan(
        by_trunk("carrier-b", caller_id_number="+3617000099", withhold=True),
        direction=Direction.OUTBOUND,
    )
    async with switch.carrier(22, Answer()) as carrier:
        await switch.qualified("carrier-b", "Avail")
        for dialled in ("100", "200"):
            async with switch.call_from("101", dialled) as caller:
                await carrier.answered()
                await caller.hang_up()
                await caller.ended()
            await carrier.ended()
        open_call, withheld = carrier.calls
        invite = next(m for m in carrier.messages if m.header("Call-ID") == withheld.call_id)
    assert open_call.from_number == "+3617000099"
    assert "anonymous" in withheld.from_number.lower()
    assert invite.header("Privacy") == "id"
    assert "+3617000099" in invite.header("P-Asserted-Identity")


async def test_trunk_with_all_channels_taken_is_passed_over(switch: Switch) -> None:
    switch.plans["100"] = plan(by_trunk("carrier-one"), by_trunk("carrier-b"), HangupStep(0))
    before = len(switch.rows())
    async with switch.carrier(24, Answer()) as one, switch.carrier(22, Answer()) as other:
        await switch.qualified("carrier-one", "Avail")
        await switch.qualified("carrier-b", "Avail")
        async with switch.call_from("101", "100") as first:
            await one.answered()
            async with switch.call_from("102", "100") as second:
                await other.answered()
                await second.hang_up()
                await second.ended()
            await first.hang_up()
            await first.ended()
        assert len(one.calls) == 1
    rows = await switch.rows_after(before)
    taken = next(r.extra for r in rows if r.type == "CALLCTL_ATTEMPT")
    assert (taken["target"], taken["dialstatus"], taken["cause"]) == (
        "carrier-one",
        "CONGESTION",
        "34",
    )


# -- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cause", "code"), [(1, 404), (17, 486), (20, 480), (21, 403), (34, 503)])
async def test_hangup_step_gives_the_sip_code_of_its_cause(
    switch: Switch, cause: int, code: int
) -> None:
    switch.plans[DID] = plan(HangupStep(cause))
    before = len(switch.rows())
    async with switch.call_in(DID) as caller:
        assert (await caller.ended()).final_code == code
    assert [r.type for r in await switch.rows_after(before) if r.extra] == ["CALLCTL_ROUTE"]


async def test_talk_ends_after_the_plan_s_longest_time(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101"), max_seconds=1)
    async with switch.phone("101", Answer()) as phone, switch.call_in(DID) as caller:
        saw = await phone.answered()
        ended = await phone.ended(seconds=5)
        await caller.ended()
    assert saw.answered_at is not None
    assert ended.ended_at is not None
    assert 0.9 < ended.ended_at - saw.answered_at < 2.5


async def test_talk_by_a_trunk_ends_after_the_step_s_own_longest_time(switch: Switch) -> None:
    """Who was rung before it is not cut off by that."""
    switch.plans[DID] = plan(ring("103"), by_trunk("carrier-b", max_seconds=1), max_seconds=60)
    async with switch.carrier(22, Answer()) as carrier:
        await switch.qualified("carrier-b", "Avail")
        async with switch.call_in(DID) as caller:
            saw = await carrier.answered()
            ended = await carrier.ended(seconds=5)
            await caller.ended()
    assert saw.answered_at is not None
    assert ended.ended_at is not None
    assert 0.9 < ended.ended_at - saw.answered_at < 2.5


async def test_announcement_is_played_before_the_end(switch: Switch) -> None:
    switch.plans[DID] = plan(AnnounceStep("beep"), HangupStep(17))
    async with switch.call_in(DID) as caller:
        saw = await caller.ended()
    assert saw.final_code == 200
    assert saw.ended_by == "far"


# -- recording ------------------------------------------------------------------------------------


async def test_answered_recorded_step_leaves_one_stereo_file_named_by_us(switch: Switch) -> None:
    switch.plans[DID] = plan(ring("101", record=True), ring("102", record=True), HangupStep(0))
    before = len(switch.rows())
    async with switch.phone("101", RingOut()), switch.phone("102", Answer()) as phone:
        async with switch.call_in(DID) as caller:
            await phone.answered()
            async with asyncio.timeout(10):
                while recording_bytes(switch.instance.recordings_spool) < 16000:
                    await asyncio.sleep(0.05)
            await caller.hang_up()
            await caller.ended()
    rows = await switch.rows_after(before)
    files = sorted(p.name for p in switch.instance.recordings_spool.iterdir())
    uniqueid = rows[0]["uniqueid"]
    assert files == [f"{uniqueid}-2.raw"]
    (row,) = [r for r in rows if r.type == "CALLCTL_RECORDING"]
    assert row.extra["file"] == files[0]
    for p in switch.instance.recordings_spool.iterdir():
        p.unlink()


def recording_bytes(spool: Path) -> int:
    return sum(p.stat().st_size for p in spool.iterdir())
