"""The balance bounds the talk; nobody's money is promised twice, whatever ends or restarts when."""

import asyncio
import random
from typing import Any

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.routing.plan import HangupStep, RingStep, TrunkStep
from callctl.core.scope import CallScope
from callctl.features.spend.extending import Talk
from callctl.features.spend.model import SpendSettings
from tests.limits.records import record
from tests.spend.conftest import HOME, World


async def test_talk_lasts_as_long_as_there_is_money_and_no_call_begins_without(
    world: World,
) -> None:
    assert world.talk() == 0
    await world.give(401)
    await world.spend.refresh()
    plan = world.decide("101", HOME)
    assert plan.max_seconds == 199
    assert [(r.code, r.detail) for r in plan.trace][-1] == ("money", "199")
    assert [world.talk() for _ in range(5)] == [99, 60, 39, 0, 0]
    codes = [r.code for r in world.decide("101", HOME).trace]
    assert codes[-1] == "no_money"


async def test_who_is_rich_is_not_slowed_down(world: World) -> None:
    await world.give(100_000)
    await world.spend.refresh()
    plan = world.decide("101", HOME)
    assert plan.max_seconds == 3600
    assert [r.code for r in plan.trace] == ["outbound"]


async def test_emergency_calls_need_no_money(world: World) -> None:
    for _ in range(3):
        plan = world.decide("101", "112")
        assert isinstance(plan.steps[0], TrunkStep)
        assert plan.max_seconds is None
    assert world.spend.status(CallScope(world.account)).calls == 0


async def test_a_number_without_a_price_is_refused_to_who_pays_beforehand(world: World) -> None:
    await world.give(1000)
    await world.spend.refresh()
    plan = world.decide("101", "0049301234567")
    assert isinstance(plan.steps[0], HangupStep)
    assert plan.trace[-1].code == "no_price"
    await world.spend.save_settings(
        world.operator, world.account, SpendSettings("postpaid"), Author("Anna")
    )
    await world.spend.refresh()
    assert world.talk("0049301234567") == 3600


async def test_a_forward_s_price_does_not_cut_off_who_is_rung_before(world: World) -> None:
    await world.give(100)
    await world.spend.refresh()
    plan = world.decide("carrier", "+3617000003")
    ring, trunk = plan.steps[:2]
    assert isinstance(ring, RingStep)
    assert isinstance(trunk, TrunkStep)
    assert (plan.max_seconds, trunk.max_seconds) == (3600, 60)
    assert world.spend.status(CallScope(world.account)).reserved == 61


async def test_money_is_let_go_of_with_the_balance_that_shows_the_charge(world: World) -> None:
    await world.give(200)
    await world.spend.refresh()
    began = world.now
    assert world.talk(uniqueid="1.1") == 99
    await world.over(record("1.1", began, talk=50.0), 50)
    status = world.spend.status(CallScope(world.account))
    assert (status.balance, status.reserved, status.free) == (200, 100, 100)
    await world.spend.refresh()
    status = world.spend.status(CallScope(world.account))
    assert (status.balance, status.reserved, status.free, status.calls) == (150, 0, 150, 0)


async def test_what_a_call_has_reserved_nobody_else_can_spend(world: World) -> None:
    await world.give(200)
    await world.spend.refresh()
    world.talk(uniqueid="1.1")
    await world.spend.refresh()
    assert await world.balance() == (200, 100)
    other = world.beside("there")
    await other.restore()
    assert other.status(CallScope(world.account)).free == 100
    await world.over(record("1.1", world.now, talk=50.0), 50)
    await world.spend.refresh()
    assert await world.balance() == (150, 0)
    assert await world.db.fetchval("select count(*) from ledger_holds") == 0


async def test_a_call_whose_money_a_purchase_took_is_shortened_to_what_is_left(
    world: World,
) -> None:
    await world.give(200)
    await world.spend.refresh()
    assert world.talk(uniqueid="1.1") == 99
    # Before the call's money is set aside in the ledger, somebody buys a number.
    await world.pay(180)
    await world.spend.refresh()
    await world.spend.refresh()
    assert await world.balance() == (20, 20)
    status = world.spend.status(CallScope(world.account))
    assert (status.reserved, status.free) == (20, 0)
    await world.spend.extender.look()
    assert world.ends == {}
    answered = world.now.timestamp()
    world.talks["1.1"] = Talk("PJSIP/carrier-1", answered)
    world.later(seconds=1)
    await world.spend.extender.look()
    assert world.ends == {"PJSIP/carrier-1": answered + 19 - 0.3}
    world.ends.clear()
    await world.spend.extender.look()
    assert world.ends == {}
    await world.over(record("1.1", world.now, talk=20.0), 20)
    await world.spend.refresh()
    assert await world.balance() == (0, 0)


async def test_a_call_without_any_money_left_ends_at_once(world: World) -> None:
    await world.give(200)
    await world.spend.refresh()
    assert world.talk(uniqueid="1.1") == 99
    world.talks["1.1"] = Talk("PJSIP/carrier-1", world.now.timestamp())
    await world.pay(200)
    await world.spend.refresh()
    world.later(seconds=2)
    await world.spend.extender.look()
    assert world.ends == {"PJSIP/carrier-1": world.now.timestamp() + 0.1}


async def test_two_daemons_that_promise_the_same_money_give_it_once(world: World) -> None:
    other = World(world.db, world.operator, world.account)
    await other.start("there")
    await world.give(400)
    await asyncio.gather(world.spend.refresh(), other.spend.refresh())
    promised = [w.talk(uniqueid=f"{n}.1") for n in range(3) for w in (world, other)]
    assert sum(promised) > 400
    for _ in range(3):
        await asyncio.gather(world.spend.refresh(), other.spend.refresh())
    balance, held = await world.balance()
    reserved = [w.spend.status(CallScope(world.account)).reserved for w in (world, other)]
    assert held <= balance == 400
    # Each call that is to end at once keeps the second that Asterisk may need.
    assert held <= sum(reserved) <= held + 6


async def test_a_restart_knows_the_calls_that_go_on(world: World) -> None:
    await world.give(200)
    await world.spend.refresh()
    world.talk(uniqueid="1.1")
    await world.spend.refresh()
    await world.start()
    status = world.spend.status(CallScope(world.account))
    assert (status.reserved, status.free, status.calls) == (100, 100, 1)
    await world.over(record("1.1", world.now, talk=50.0), 50)
    await world.spend.refresh()
    assert world.spend.status(CallScope(world.account)).free == 150
    assert await world.balance() == (150, 0)


async def test_a_write_of_which_nobody_knows_whether_it_was_done_is_done_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.give(200)
    await world.spend.refresh()
    world.talk(uniqueid="1.1")
    store = world.spend._store
    write = store.write

    async def lost(*what: Any) -> Any:
        await write(*what)
        raise CallctlError("database_unavailable", "the connection is gone, as is its answer")

    monkeypatch.setattr(store, "write", lost)
    with pytest.raises(CallctlError, match="database_unavailable"):
        await world.spend.refresh()
    monkeypatch.setattr(store, "write", write)
    assert world.talk(uniqueid="1.2") == 60
    await world.spend.refresh()
    assert await world.balance() == (200, 161)
    for uniqueid in ("1.1", "1.2"):
        await world.over(record(uniqueid, world.now, talk=10.0), 10)
    monkeypatch.setattr(store, "write", lost)
    with pytest.raises(CallctlError, match="database_unavailable"):
        await world.spend.refresh()
    monkeypatch.setattr(store, "write", write)
    await world.spend.refresh()
    assert await world.balance() == (180, 0)
    assert world.spend.status(CallScope(world.account)).free == 180


async def test_a_top_up_is_there_within_a_second(world: World) -> None:
    assert world.talk() == 0
    job = asyncio.create_task(world.spend.run())
    await asyncio.sleep(0)
    await world.give(100)
    async with asyncio.timeout(1):
        while not world.spend.status(CallScope(world.account)).free:
            await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    assert world.talk() == 60


async def test_a_call_without_a_record_is_let_go_of_only_when_all_is_read(world: World) -> None:
    await world.give(200)
    await world.spend.refresh()
    world.talk(uniqueid="1.1")
    await world.spend.refresh()
    world.later(hours=3)
    world.current = False
    await world.spend.refresh()
    assert world.spend.status(CallScope(world.account)).free == 100
    world.current = True
    await world.spend.refresh()
    assert world.spend.status(CallScope(world.account)).free == 200
    assert await world.balance() == (200, 0)


async def test_credit_is_given_from_above_and_only_from_there(world: World) -> None:
    anna = Author("Anna")
    given = SpendSettings("postpaid", 50)
    await world.spend.save_settings(world.operator, world.account, given, anna)
    assert await world.spend.get_settings(world.account, world.account) == given
    await world.spend.refresh()
    assert world.talk() == 49
    with pytest.raises(CallctlError, match="conflict"):
        await world.spend.save_settings(world.account, world.account, given, anna)
    with pytest.raises(CallctlError, match="not_found"):
        await world.spend.save_settings(world.account, world.operator, given, anna)
    with pytest.raises(CallctlError, match="invalid_field"):
        await world.spend.save_settings(
            world.operator, world.account, SpendSettings("prepaid", 5), anna
        )
    await world.spend.save_settings(world.operator, world.account, SpendSettings(), anna)
    line = await world.db.fetchrow("select * from audit order by id desc limit 1")
    assert (line["action"], line["before"]["credit_limit"]) == ("spend.changed", 50)


async def test_explaining_a_call_reserves_nothing(world: World) -> None:
    await world.give(100)
    await world.spend.refresh()
    for _ in range(5):
        plan = world.routing.explain(world.account, "101", HOME, world.now)
        assert plan.max_seconds == 60
    assert world.spend.status(CallScope(world.account)).reserved == 0


async def test_a_slice_is_made_longer_shortly_before_its_end_while_there_is_money(
    world: World,
) -> None:
    await world.give(200)
    await world.spend.refresh()
    assert world.talk(uniqueid="1.1") == 99
    answered = world.now.timestamp()
    world.talks["1.1"] = Talk("PJSIP/carrier-1", answered)
    world.later(seconds=78)
    await world.spend.extender.look()
    assert world.ends == {}
    world.later(seconds=2)
    await world.spend.extender.look()
    # Half of what is left, but a minute's worth at least.
    assert world.ends["PJSIP/carrier-1"] == answered + 99 + 61 - 0.3
    await world.give(40)
    await world.spend.refresh()
    assert world.talk() == 60
    world.later(seconds=70)
    await world.spend.extender.look()
    assert world.ends["PJSIP/carrier-1"] == answered + 99 + 61 + 18 - 0.3
    status = world.spend.status(CallScope(world.account))
    assert (status.reserved, status.free) == (240, 0)
    assert (await world.balance())[0] == 240


async def test_fifty_callers_spend_the_last_coin_and_no_more(world: World) -> None:
    """Calls begin, last as long as they may, are charged and topped up, all at once: the wallet is
    never below zero, and in the end it holds what was put in less what was talked."""
    chance = random.Random(5)
    put_in, talked = 300, 0
    await world.give(put_in)
    await world.spend.refresh()
    job = asyncio.create_task(world.spend.run())

    async def caller(number: int) -> None:
        nonlocal talked
        for turn in range(6):
            uniqueid = f"{number}.{turn}"
            seconds = world.talk(uniqueid=uniqueid)
            await asyncio.sleep(chance.uniform(0, 0.05))
            if seconds:
                # As late as Asterisk may be to hang up.
                used = chance.choice([0, seconds // 2, seconds + 1])
                call = record(uniqueid, world.now, talk=float(used) or None)
                await world.over(call, used)
                talked += used
                assert (await world.balance())[0] >= 0

    async def teller() -> None:
        nonlocal put_in
        for _ in range(10):
            await world.give(120)
            put_in += 120
            await asyncio.sleep(0.02)

    await asyncio.gather(teller(), *(caller(n) for n in range(50)))
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    await world.spend.refresh()
    assert talked > 0
    assert await world.balance() == (put_in - talked, 0)
    status = world.spend.status(CallScope(world.account))
    assert (status.free, status.calls) == (put_in - talked, 0)
