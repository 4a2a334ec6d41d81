"""Real calls that end when their money does, and not before."""

import asyncio
from typing import Any

import pytest

from callctl.core.money import unattended
from callctl.core.scope import CallScope
from callctl.demo.stack import Stack
from tests.asterisk.scenarios.office import Office, reasons
from tests.asterisk.spend.conftest import Wallet

pytestmark = pytest.mark.asterisk

FORBIDDEN = 403


def _cost(record: dict[str, Any]) -> int:
    return int(record["call"]["cost"] or 0)


async def test_two_calls_at_once_are_cut_so_that_both_are_paid_for(
    office: Office, stack: Stack, wallet: Wallet
) -> None:
    await wallet.put(12)
    first = await office.inside("101", "06301112231")
    second = await office.inside("102", "06301112232")
    await asyncio.gather(first.answered(), second.answered())
    await asyncio.gather(first.ended(), second.ended())
    records = [await office.record(caller) for caller in (first, second)]
    costs = [_cost(record) for record in records]
    # Each has had its own slice, and what was left has gone to one of them.
    assert min(costs) >= 3
    assert 9 <= sum(costs) <= 12
    assert await wallet.balance() == 12 - sum(costs)
    for record in records:
        assert "money" in [code for code, _ in reasons(record)]
    await office.until(lambda: stack.daemon.spend.status(CallScope(1)).reserved == 0)


async def test_a_call_lasts_longer_when_money_comes_in_while_it_goes_on(
    office: Office, wallet: Wallet
) -> None:
    await wallet.put(4)
    caller = await office.inside("101", "06301112234")
    await caller.answered()
    await wallet.put(6)
    await caller.ended()
    cost = _cost(await office.record(caller))
    assert 4 < cost <= 10
    assert await wallet.balance() == 10 - cost


async def test_an_emergency_call_is_not_cut_for_want_of_money(
    office: Office, wallet: Wallet
) -> None:
    assert await wallet.balance() == 0
    refused = await office.inside("101", "06301112235")
    assert (await refused.ended()).final_code == FORBIDDEN
    record = await office.verified(refused, ())
    assert ("no_money", "main") in reasons(record)
    caller = await office.inside("101", "112", talk=1.0)
    record = await office.verified(caller, ("carrier-a",))
    assert record["call"]["disposition"] == "ANSWERED"


async def test_without_the_daemon_calls_last_as_long_as_was_written_down(
    office: Office, stack: Stack, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = stack.daemon
    await daemon.provisioning.provision(daemon.routing.table)
    await daemon.agi.stop()
    try:
        refused = await office.inside("101", "06301112236")
        assert (await refused.ended()).final_code == FORBIDDEN
        assert ("no_money", "main") in reasons(await office.verified(refused, ()))
        await wallet.put(1_000)
        monkeypatch.setattr(unattended, "LONG_SECONDS", 2)
        monkeypatch.setattr(daemon, "_unattended", unattended.UnattendedTalk())
        await daemon.provisioning.provision(daemon.routing.table)
        caller = await office.inside("101", "06301112237")
        await caller.ended()
        record = await office.record(caller)
        assert ("money", "main") in reasons(record)
        assert _cost(record) == 3
        helped = await office.inside("101", "112", talk=2.5)
        await office.verified(helped, ("carrier-a",))
    finally:
        await daemon.agi.start()
