"""POST /api/v1/calls: placed once, told honestly, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.core.errors import CallctlError
from callctl.core.routing.model import Extension
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.originate.api import endpoints
from callctl.features.originate.model import PlaceCall
from callctl.features.originate.service import OriginateService, normalise_dialled
from callctl.features.originate.store import OrderStore
from callctl.http.endpoint import Actor
from callctl.http.server import HttpServer, build_web_app
from tests.wire.peers import HOST, AmiPeer, ami_peer

FAST = AmiTiming(action=0.3, backoff_first=0.01, backoff_most=0.02)
ANNA = Extension(number="101", name="Anna", endpoint="phone-101")
GONE = Extension(number="109", endpoint="phone-109", enabled=False)
ORDER = PlaceCall("101", "+36 (1) 234-5678")


@dataclass
class Asterisk:
    """A peer that says what it is told to an Originate, and remembers every one."""

    behaviour: str = "accept"
    originates: list[dict[str, str]] = field(default_factory=list)

    async def script(self, peer: AmiPeer) -> None:
        await peer.log_in()
        while True:
            action = await peer.action()
            if action["Action"] != "Originate":
                peer.answer(action)
                continue
            self.originates.append(action)
            match self.behaviour:
                case "accept":
                    peer.answer(action, "Message: Originate successfully queued")
                case "refuse":
                    peer.answer(action, "Message: Extension does not exist.", response="Error")
                case "break":
                    return
                case "ignore":
                    pass


@dataclass
class Rig:
    asterisk: Asterisk
    ami: AmiClient
    store: OrderStore
    service: OriginateService
    account_id: int

    async def place(self, order: PlaceCall = ORDER, key: str | None = None) -> Any:
        return await self.service.place(CallScope(self.account_id), "tester", order, key)

    async def refusal(self, order: PlaceCall = ORDER, key: str | None = None) -> CallctlError:
        with pytest.raises(CallctlError) as refused:
            await self.place(order, key)
        return refused.value


@pytest.fixture
async def rig(db: Database) -> AsyncIterator[Rig]:
    account_id = await db.fetchval(
        "insert into accounts (code, name, kind) values ('a', 'A', 'enterprise') returning id"
    )
    known = {(account_id, "101"): ANNA, (account_id, "109"): GONE}
    asterisk = Asterisk()
    async with ami_peer(asterisk.script) as port:
        ami = AmiClient(HOST, port, "callctl", "secret", timing=FAST)
        await ami.start()
        await ami.wait_for_state(connected=True, within=5)
        store = OrderStore(db)
        service = OriginateService(ami, store, lambda a, n: known.get((a, n)))
        yield Rig(asterisk, ami, store, service, account_id)
        await ami.stop()


async def test_extension_is_rung_and_sent_to_what_it_calls(rig: Rig) -> None:
    placed = await rig.place()
    assert (placed.from_, placed.to) == ("101", "+3612345678")
    (action,) = rig.asterisk.originates
    assert action["Channel"] == "PJSIP/phone-101"
    assert (action["Context"], action["Exten"], action["Async"]) == (
        "originate",
        "+3612345678",
        "true",
    )
    assert action["Timeout"] == "30000"


async def test_who_sees_some_extensions_calls_from_those_only(rig: Rig) -> None:
    for extensions in (("102",), ()):
        with pytest.raises(CallctlError, match="no extension 101"):
            await rig.service.place(CallScope(rig.account_id, extensions), "anna", ORDER, None)
    assert rig.asterisk.originates == []
    await rig.service.place(CallScope(rig.account_id, ("101",)), "anna", ORDER, None)
    assert len(rig.asterisk.originates) == 1


async def test_repeated_key_tells_the_first_outcome_and_calls_once(rig: Rig) -> None:
    first = await rig.place(key="k1")
    assert await rig.place(key="k1") == first
    assert await rig.place(PlaceCall("101", "+3612345678"), key="k1") == first
    assert len(rig.asterisk.originates) == 1
    assert (await rig.place(key="k2")).id != first.id
    assert (await rig.place()).id != (await rig.place()).id
    assert len(rig.asterisk.originates) == 4


async def test_same_key_for_another_call_is_a_conflict(rig: Rig) -> None:
    await rig.place(key="k1")
    error = await rig.refusal(PlaceCall("101", "102"), key="k1")
    assert error.code == "idempotency_conflict"
    assert len(rig.asterisk.originates) == 1


async def test_same_key_at_the_same_moment_calls_once(rig: Rig) -> None:
    results = await asyncio.gather(
        *(rig.place(key="k1") for _ in range(10)), return_exceptions=True
    )
    assert len(rig.asterisk.originates) == 1
    for result in results:
        if isinstance(result, BaseException):
            assert isinstance(result, CallctlError)
            assert result.code == "call_uncertain"
    assert (await rig.place(key="k1")).to == "+3612345678"


async def test_keys_of_two_accounts_do_not_meet(rig: Rig, db: Database) -> None:
    other = await db.fetchval(
        "insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id"
    )
    await rig.store.insert_order(other, "k1", "x", "101", "1", 30)
    assert (await rig.place(key="k1")).to == "+3612345678"


async def test_refused_by_asterisk_with_its_words_and_the_key_remembers(rig: Rig) -> None:
    rig.asterisk.behaviour = "refuse"
    error = await rig.refusal(key="k1")
    assert (error.code, error.detail) == ("call_failed", "Extension does not exist.")
    rig.asterisk.behaviour = "accept"
    assert (await rig.refusal(key="k1")).code == "call_failed"
    assert len(rig.asterisk.originates) == 1


@pytest.mark.parametrize("behaviour", ["break", "ignore"])
async def test_lost_answer_is_uncertain_and_never_sent_again(rig: Rig, behaviour: str) -> None:
    rig.asterisk.behaviour = behaviour
    assert (await rig.refusal(key="k1")).code == "call_uncertain"
    rig.asterisk.behaviour = "accept"
    await rig.ami.wait_for_state(connected=True, within=5)
    await rig.ami.action("Ping")
    assert (await rig.refusal(key="k1")).code == "call_uncertain"
    assert len(rig.asterisk.originates) == 1


async def test_order_left_by_a_crash_is_uncertain_and_never_sent_again(rig: Rig) -> None:
    await rig.store.insert_order(rig.account_id, "k1", "tester", "101", "+3612345678", 30)
    assert (await rig.refusal(key="k1")).code == "call_uncertain"
    assert rig.asterisk.originates == []


async def test_without_asterisk_nothing_is_kept_and_the_key_is_free(rig: Rig) -> None:
    await rig.ami.stop()
    error = await rig.refusal(key="k1")
    assert (error.code, error.status) == ("asterisk_unavailable", 503)
    assert await rig.store.get_by_key(rig.account_id, "k1") is None


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (PlaceCall("999", "102"), "body.from"),
        (PlaceCall("109", "102"), "body.from"),
        (PlaceCall("101", "${SHELL(id)}"), "body.to"),
        (PlaceCall("101", "102\r\nAction: Originate"), "body.to"),
        (PlaceCall("101", "102,1,h"), "body.to"),
        (PlaceCall("101", "102&PJSIP/103"), "body.to"),
        (PlaceCall("101", "102@from-trunk"), "body.to"),
        (PlaceCall("101", "١٢٣"), "body.to"),
        (PlaceCall("101", "()"), "body.to"),
    ],
)
async def test_bad_order_names_its_field_and_reaches_nobody(
    rig: Rig, order: PlaceCall, field: str
) -> None:
    error = await rig.refusal(order)
    assert (error.code, error.field) == ("invalid_field", field)
    assert rig.asterisk.originates == []


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 201, "a\nb"])
async def test_bad_key_is_refused(rig: Rig, key: str) -> None:
    assert (await rig.refusal(key=key)).field == "header.Idempotency-Key"


def test_number_is_read_as_people_write_it() -> None:
    assert normalise_dialled(" +36 (1) 234-56.78/9 ") == "+36123456789"
    assert normalise_dialled("*99") == "*99"


class _Authenticator:
    def __init__(self, account_id: int) -> None:
        self._account_id = account_id

    async def by_token(self, token: str) -> Actor | None:
        return Actor(self._account_id, token, frozenset({token}))

    async def by_session(self, session: str) -> Actor | None:
        return None


Post = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def post(rig: Rig) -> AsyncIterator[Post]:
    server = HttpServer(build_web_app(endpoints(rig.service), _Authenticator(rig.account_id)))
    port = await server.start(HOST, 0)
    async with aiohttp.ClientSession() as client:

        async def post(body: Any, token: str = "calls:place", **headers: str) -> tuple[int, Any]:
            headers["Authorization"] = f"Bearer {token}"
            url = f"http://{HOST}:{port}/api/v1/calls"
            async with client.post(url, json=body, headers=headers) as response:
                return response.status, await response.json()

        yield post
    await server.stop()


async def test_over_http(rig: Rig, post: Post) -> None:
    body = {"from": "101", "to": "102"}
    status, first = await post(body, **{"Idempotency-Key": "k1"})
    assert (status, first["from"], first["to"]) == (202, "101", "102")
    assert await post(body, **{"idempotency-key": "k1"}) == (202, first)
    assert len(rig.asterisk.originates) == 1
    assert (await post(body, token="calls:read"))[0] == 403
    assert (await post({**body, "from": "1;rm"}))[1]["error"]["field"] == "body.from"
    assert (await post({**body, "channel": "Local/1@x"}))[0] == 422
    assert len(rig.asterisk.originates) == 1
