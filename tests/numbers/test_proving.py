"""A number is live once the record of a call says that it rang."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest

from callctl.app.numbers import find_trunk
from callctl.asterisk.ami import AmiClient
from callctl.core.calls.record import (
    Attempt,
    CallRecord,
    Completeness,
    Disposition,
    StoredRecord,
)
from callctl.core.errors import CallctlError
from callctl.core.numbers.proof import judge_call
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.plan import Direction
from callctl.db.idempotency import RequestKey
from callctl.features.numbers.model import NumberItem
from callctl.features.numbers.proving import ProvingService, prove_numbers
from tests.numbers.conftest import TRUNK, Market
from tests.wire.peers import HOST, AmiPeer, ami_peer

NUMBER = "+3612340000"
RECORD = CallRecord(
    call_id="a-1.1",
    linkedids=("a-1.1",),
    direction=Direction.INBOUND,
    from_number=None,
    from_name="callctl test",
    extension=None,
    to_number=NUMBER,
    answered_by=None,
    destination_number=None,
    started_us=0,
    answered_us=None,
    ended_us=1,
    disposition=Disposition.NO_ANSWER,
    attempts=(),
    legs=(),
    recordings=(),
    completeness=Completeness.COMPLETE,
    did=NUMBER,
    route=f"did:{NUMBER}",
)


def attempt(result: AttemptResult, *, rang: bool = False) -> Attempt:
    return Attempt("101", None, "PJSIP/101", 0, 1.0, result, 0, rang)


RANG = replace(RECORD, attempts=(attempt(AttemptResult.NOANSWER, rang=True),))
OFFLINE = replace(RECORD, attempts=(attempt(AttemptResult.UNAVAILABLE),))
GIVEN_UP = replace(RECORD, attempts=(attempt(AttemptResult.CANCEL),))
EXPECTED = MappingProxyType(
    {
        AttemptResult.ANSWER: True,
        AttemptResult.BUSY: True,
        AttemptResult.REJECTED: True,
        AttemptResult.ANSWERED_ELSEWHERE: True,
        AttemptResult.PICKUP: True,
        AttemptResult.NOANSWER: False,
        AttemptResult.UNAVAILABLE: False,
        AttemptResult.FORWARD: False,
        AttemptResult.CANCEL: None,
    }
)


@pytest.mark.parametrize("result", list(AttemptResult))
def test_only_what_a_phone_did_by_itself_proves_that_it_rang(result: AttemptResult) -> None:
    record = replace(RECORD, attempts=(attempt(result),))
    assert judge_call(record).rang is EXPECTED[result]


@pytest.mark.parametrize("result", list(AttemptResult))
def test_ringing_proves_it_however_the_attempt_ended(result: AttemptResult) -> None:
    assert judge_call(replace(RECORD, attempts=(attempt(result, rang=True),))).rang is True


def test_one_phone_that_rang_out_is_enough() -> None:
    both = (attempt(AttemptResult.UNAVAILABLE), attempt(AttemptResult.NOANSWER, rang=True))
    assert judge_call(replace(RECORD, attempts=both)).rang is True


def test_a_call_that_reached_nobody_says_why() -> None:
    assert "tried: 101" in judge_call(OFFLINE).reason
    assert judge_call(replace(RECORD, route="unknown")).rang is False
    blocked = replace(RECORD, route="blocklist:withheld", disposition=Disposition.REJECTED)
    assert "blocklist:withheld" in judge_call(blocked).reason
    assert judge_call(RECORD).rang is None


@dataclass
class Desk:
    """The shop's tests, and Asterisk's side of the manager interface that they are ordered by."""

    market: Market
    ami: AmiClient
    refuses: bool = False
    ordered: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = ProvingService(
            self.market.db,
            self.ami,
            lambda account: find_trunk(self.market.routing.table, account),
            self.market.numbers.get_number,
            ring_seconds=10,
        )

    async def test(self, item: NumberItem, key: RequestKey | None = None) -> NumberItem:
        return await self.service.test(self.market.actor(self.market.shop), item.id, key)

    async def look(self, item: NumberItem) -> NumberItem:
        return await self.market.numbers.get_number(self.market.actor(self.market.shop), item.id)

    async def script(self, peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            if action["Action"] == "Originate":
                self.ordered.append(action)
            if action["Action"] == "Originate" and self.refuses:
                peer.answer(action, "Message: No such extension", response="Error")
            else:
                peer.answer(action, "Message: queued")


@pytest.fixture
async def desk(market: Market) -> AsyncIterator[Desk]:
    desks: list[Desk] = []
    async with ami_peer(lambda peer: desks[0].script(peer)) as port:
        ami = AmiClient(HOST, port, "callctl", "secret")
        desks.append(Desk(market, ami))
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        yield desks[0]
        await ami.stop()


async def owned(market: Market) -> NumberItem:
    await market.load()
    await market.fund(market.shop, 100)
    return await market.buy()


async def stored(market: Market, *records: CallRecord) -> None:
    calls = [
        StoredRecord(n, market.shop, record, None, NUMBER, None, True)
        for n, record in enumerate(records)
    ]
    async with market.db.transaction() as connection:
        await prove_numbers(connection, calls)


async def test_a_test_call_enters_where_carriers_calls_do(market: Market, desk: Desk) -> None:
    item = await owned(market)
    await desk.test(item)
    assert await market.state() == "testing"
    (order,) = desk.ordered
    assert (order["Channel"], order["Context"], order["CallerID"]) == (
        f"Local/{NUMBER}@from-trunk/n", "number-test", '"callctl test" <>'
    )  # fmt: skip
    # Of two headers of one name the last is what `action` keeps: whose call it is.
    assert order["Variable"] == "CALLCTL_BEHALF=PJSIP/carrier-00000000"
    with pytest.raises(CallctlError) as caught:
        await desk.test(item)
    assert caught.value.code == "conflict"


async def test_a_number_that_rang_by_its_record_is_live(market: Market, desk: Desk) -> None:
    item = await owned(market)
    await desk.test(item)
    await stored(market, GIVEN_UP)
    assert await market.state() == "testing"
    await stored(market, RANG)
    item = await desk.look(item)
    assert (item.state, item.proven_by, item.test) == ("live", "test", "")
    assert item.proven_at is not None
    await stored(market, replace(RANG, trunk="carrier"))
    item = await desk.look(item)
    assert (item.state, item.proven_by) == ("live", "call")


async def test_a_test_that_rang_nobody_fails_with_the_reason(market: Market, desk: Desk) -> None:
    item = await owned(market)
    await desk.test(item)
    await stored(market, OFFLINE)
    item = await desk.look(item)
    assert item.state == "failed"
    assert "tried: 101" in item.test
    assert item.proven_at is None
    # The phone is there again: any call shows it.
    await stored(market, replace(RANG, trunk="carrier"))
    item = await desk.look(item)
    assert (item.state, item.test, item.proven_by) == ("live", "", "call")


async def test_a_call_that_was_no_test_fails_nothing(market: Market) -> None:
    await owned(market)
    await stored(market, replace(OFFLINE, trunk="carrier"))
    assert await market.state() == "assigned"
    await stored(market, replace(RANG, direction=Direction.INTERNAL), replace(RANG, did=None))
    assert await market.state() == "assigned"


async def test_a_test_of_which_no_record_comes_has_failed(market: Market, desk: Desk) -> None:
    item = await owned(market)
    await desk.test(item)
    assert await desk.service.fail_overdue() == 0
    await market.db.execute("update stock_numbers set until = now()")
    assert await desk.service.fail_overdue() == 1
    item = await desk.look(item)
    assert (item.state, item.test) == ("failed", "no record of the test call came")


async def test_an_order_that_asterisk_refuses_is_told_and_kept(market: Market, desk: Desk) -> None:
    item = await owned(market)
    desk.refuses = True
    with pytest.raises(CallctlError) as caught:
        await desk.test(item)
    assert caught.value.code == "call_failed"
    item = await desk.look(item)
    assert (item.state, item.test) == ("failed", "the call was not placed: No such extension")


async def test_a_test_asked_for_twice_is_one_call_and_one_refused_may_be_asked_for_again(
    market: Market, desk: Desk
) -> None:
    item = await owned(market)
    key = RequestKey(market.shop, "anna", "k1", b"test")
    desk.refuses = True
    with pytest.raises(CallctlError) as caught:
        await desk.test(item, key)
    assert caught.value.code == "call_failed"
    desk.refuses = False
    ordered = len(desk.ordered)
    first = await desk.test(item, key)
    assert first.state == "testing"
    await stored(market, RANG)
    assert await desk.test(item, key) == first
    assert len(desk.ordered) == ordered + 1
    assert await market.state() == "live"


async def test_without_asterisk_or_a_trunk_nothing_is_tested(market: Market, desk: Desk) -> None:
    item = await owned(market)
    await market.routing.apply(market.operator, b"account: {code: main, country: HU}", "test")
    with pytest.raises(CallctlError) as caught:
        await desk.test(item)
    assert caught.value.code == "conflict"
    await market.routing.apply(market.operator, TRUNK, "test")
    await desk.ami.stop()
    with pytest.raises(CallctlError) as caught:
        await desk.test(item)
    assert caught.value.code == "asterisk_unavailable"
    assert await market.state() == "assigned"
    assert desk.ordered == []
