"""Acting on calls that go on: written down first, told once, and what is said when it fails."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from callctl.asterisk.ami import AmiClient
from callctl.core.calls.ongoing import OngoingCall, OngoingChannel
from callctl.core.errors import CallctlError
from callctl.core.routing.model import Extension
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.interventions.model import SuperviseCall, TransferCall
from callctl.features.interventions.service import InterventionService
from callctl.features.interventions.store import InterventionStore
from callctl.http.endpoint import Actor
from tests.wire.peers import HOST, AmiPeer, ami_peer
from tests.wire.test_originate import FAST

CALL = "a-1.1"
BOSS = Extension(number="103", endpoint="phone-103")


@dataclass
class Asterisk:
    """Says `answer` to everything, None = nothing; remembers what it was told."""

    answer: str | None = "Success"
    message: str = "said"
    told: list[dict[str, str]] = field(default_factory=list)

    async def script(self, peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            if action["Action"] in ("Ping", "Logoff"):
                peer.answer(action)
                continue
            self.told.append(action)
            if self.answer is not None:
                peer.answer(action, f"Message: {self.message}", response=self.answer)


@dataclass
class Rig:
    asterisk: Asterisk
    db: Database
    service: InterventionService
    actor: Actor
    over: bool = False
    emergency: bool = False

    async def states(self) -> list[tuple[str, str]]:
        rows = await self.db.fetch("select kind, state from interventions order by id")
        return [tuple(row) for row in rows]

    async def refusal(self, doing: Any) -> str:
        with pytest.raises(CallctlError) as refused:
            await doing
        return refused.value.code


@pytest.fixture
async def rig(db: Database) -> AsyncIterator[Rig]:
    """101 talks to 102, 104 rang for it; 103 is who listens."""
    account = await db.fetchval(
        "insert into accounts (code, name, kind) values ('a', 'A', 'enterprise') returning id"
    )
    channels = (
        OngoingChannel("PJSIP/101-00000001", "101", talking=True),
        OngoingChannel("PJSIP/102-00000002", "102", talking=True),
        OngoingChannel("PJSIP/104-00000003", "104", talking=False),
    )

    def find(scope: CallScope, uniqueid: str) -> OngoingCall | None:
        found = OngoingCall(CALL, channels, scope.extensions, rig.emergency)
        return found if uniqueid == CALL and not rig.over else None

    async def phone(_actor: Actor, wanted: str | None) -> Extension:
        return Extension(number=wanted, endpoint=f"phone-{wanted}") if wanted else BOSS

    asterisk = Asterisk()
    async with ami_peer(asterisk.script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret", timing=FAST)
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        service = InterventionService(ami, InterventionStore(db), find, lambda: None, phone)
        rig = Rig(asterisk, db, service, Actor(account, "tester", frozenset()))
        yield rig
        await ami.stop()


async def test_listening_is_ordered_once_however_often_its_key_comes(rig: Rig) -> None:
    order = SuperviseCall("whisper", "101")
    first = await rig.service.supervise(rig.actor, CALL, order, "k")
    assert await rig.service.supervise(rig.actor, CALL, order, "k") == first
    (action,) = rig.asterisk.told
    assert action["Channel"] == "PJSIP/phone-103"
    assert (action["Context"], action["Exten"]) == ("supervise", "101")
    assert "CALLCTL_LISTENER=phone-103" in action["Variable"]
    other = rig.service.supervise(rig.actor, CALL, SuperviseCall("barge", "101"), "k")
    assert await rig.refusal(other) == "idempotency_conflict"
    assert await rig.states() == [("whisper", "accepted")]
    line = await rig.db.fetchrow("select action, subject from audit")
    assert tuple(line or ()) == ("call.whispered", f"live_call:{CALL}")


async def test_what_asterisk_refuses_or_leaves_open_is_told_and_kept_as_that(rig: Rig) -> None:
    rig.asterisk.answer, rig.asterisk.message = "Error", "No such channel"
    supervise, order = rig.service.supervise, SuperviseCall("listen", "102")
    assert await rig.refusal(supervise(rig.actor, CALL, order)) == "call_failed"
    assert await rig.refusal(rig.service.hang_up(rig.actor, CALL)) == "conflict"
    rig.asterisk.answer = None
    assert await rig.refusal(supervise(rig.actor, CALL, order, "k")) == "call_uncertain"
    told = len(rig.asterisk.told)
    assert await rig.refusal(supervise(rig.actor, CALL, order, "k")) == "call_uncertain"
    assert len(rig.asterisk.told) == told, "what may have been done is not done again"
    assert await rig.states() == [
        ("listen", "refused"), ("hang_up", "refused"), ("listen", "uncertain"),
    ]  # fmt: skip


@pytest.mark.parametrize("what", ["hang_up", "transfer"])
async def test_a_refusal_is_not_told_as_the_end_of_the_call(rig: Rig, what: str) -> None:
    rig.asterisk.answer, rig.asterisk.message = "Error", "Permission denied"
    doing = {
        "hang_up": lambda: rig.service.hang_up(rig.actor, CALL),
        "transfer": lambda: rig.service.transfer(rig.actor, CALL, TransferCall("201")),
    }
    with pytest.raises(CallctlError) as refused:
        await doing[what]()
    assert refused.value.code == "call_failed"
    assert "Permission denied" in str(refused.value.detail)
    assert await rig.states() == [(what, "refused")]


async def test_whose_phone_only_rang_does_not_end_the_call_of_another(rig: Rig) -> None:
    rang = Actor(rig.actor.account_id, "rang", frozenset(), extensions=("104",))
    assert await rig.refusal(rig.service.hang_up(rang, CALL)) == "conflict"
    assert rig.asterisk.told == []
    talks = Actor(rig.actor.account_id, "talks", frozenset(), extensions=("102",))
    await rig.service.hang_up(talks, CALL)
    assert rig.asterisk.told[0]["Action"] == "Hangup"


async def test_a_call_for_help_is_neither_ended_nor_led_away_but_may_be_heard(rig: Rig) -> None:
    rig.emergency = True
    assert await rig.refusal(rig.service.hang_up(rig.actor, CALL)) == "conflict"
    transfer = rig.service.transfer(rig.actor, CALL, TransferCall("201"))
    assert await rig.refusal(transfer) == "conflict"
    assert rig.asterisk.told == []
    assert await rig.states() == []
    await rig.service.supervise(rig.actor, CALL, SuperviseCall("barge", "101"))
    assert await rig.states() == [("barge", "accepted")]


async def test_the_first_outcome_is_told_again_when_the_call_is_over(rig: Rig) -> None:
    order = SuperviseCall("listen")
    first = await rig.service.supervise(rig.actor, CALL, order, "k")
    rig.over = True
    assert await rig.service.supervise(rig.actor, CALL, order, "k") == first
    other = rig.service.supervise(rig.actor, "a-1.9", order, "k")
    assert await rig.refusal(other) == "idempotency_conflict"


async def test_nobody_listens_to_themselves_or_on_a_side_that_they_do_not_see(rig: Rig) -> None:
    own = rig.service.supervise(rig.actor, CALL, SuperviseCall("listen", None, "101"))
    assert await rig.refusal(own) == "conflict"
    of_101 = Actor(rig.actor.account_id, "leader", frozenset(), extensions=("101",))
    hidden = rig.service.supervise(of_101, CALL, SuperviseCall("listen", "102"))
    assert await rig.refusal(hidden) == "invalid_field"
    await rig.service.supervise(of_101, CALL, SuperviseCall("listen"))
    assert rig.asterisk.told[-1]["Exten"] == "101"
    assert await rig.refusal(rig.service.hang_up(rig.actor, "a-9.9")) == "not_found"


async def test_a_transfer_is_of_whom_it_names_else_of_who_was_called(rig: Rig) -> None:
    for extension, channel in ((None, "PJSIP/102-00000002"), ("101", "PJSIP/101-00000001")):
        await rig.service.transfer(rig.actor, CALL, TransferCall("06 1 700-0001", extension))
        action = rig.asterisk.told[-1]
        assert (action["Action"], action["Channel"]) == ("BlindTransfer", channel)
        assert (action["Context"], action["Exten"]) == ("from-transfer", "0617000001")
    evil = rig.service.transfer(rig.actor, CALL, TransferCall("1\r\nAction: Command"))
    assert await rig.refusal(evil) == "invalid_field"
