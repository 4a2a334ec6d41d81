"""POST /api/v1/calls: placed once, told honestly, whatever breaks in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.core.errors import CallctlError
from callctl.core.numbers.dialled import normalise_dialled
from callctl.core.permissions import Scope
from callctl.core.routing.model import Extension
from callctl.db.pool import Database
from callctl.features.originate.api import endpoints
from callctl.features.originate.model import PlaceCall
from callctl.features.originate.service import OriginateService
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
        return await self.service.place(self.actor(), order, key)

    def actor(self, extensions: tuple[str, ...] | None = None, user_id: int | None = None) -> Actor:
        scopes = frozenset({Scope.CALLS_PLACE, Scope.CALLS_READ, Scope.CLIENTS_READ})
        return Actor(self.account_id, "tester", scopes, user_id, extensions)

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


_USER = """
insert into users (account_id, login, role, password_hash, extension)
values ($1, $2, 'group_leader', '-', $3) returning id
"""


async def test_who_does_not_see_all_calls_calls_from_their_own_extension_only(
    rig: Rig, db: Database
) -> None:
    """A group leader sees the calls of others, and does not ring their phones."""
    leader = await db.fetchval(_USER, rig.account_id, "leader", "102")
    anna = await db.fetchval(_USER, rig.account_id, "anna", "101")
    nobody = await db.fetchval(_USER, rig.account_id, "nobody", None)
    both = ("101", "102")
    for user, extensions in ((leader, both), (nobody, both), (nobody, ()), (None, both)):
        with pytest.raises(CallctlError) as refused:
            await rig.service.place(rig.actor(extensions, user), ORDER, None)
        assert refused.value.field == "body.from"
    assert rig.asterisk.originates == []
    await rig.service.place(rig.actor(("101",), anna), ORDER, None)
    own = await rig.service.place(rig.actor(both, anna), PlaceCall(to="102"), None)
    assert own.from_ == "101"
    # Who sees all calls may have an extension, too, and need not say it.
    assert (await rig.service.place(rig.actor(None, anna), PlaceCall(to="1"), None)).from_ == "101"
    assert (await rig.refusal(PlaceCall(to="102"))).field == "body.from"


_CALL = """
with c as (
    insert into calls (account_id, call_id, linkedids, direction, extension, from_number_id,
        to_number_id, customer_number_id, started_at, ended_at, wait_seconds, talk_seconds,
        total_seconds, disposition, missed, has_recording, tried, completeness)
    select $1, $2, '{}', $3, $4, (select id from numbers where number = $5),
        (select id from numbers where number = $6), (select id from numbers where number = $7),
        now(), now(), 0, 0, 0, 'NO_ANSWER', false, false, '{}', 'complete' returning id),
    e as (insert into call_extensions (account_id, extension, started_at, call)
          select $1, '101', now(), id from c)
select id from c
"""
_NUMBERS = (
    "insert into numbers (number, grams) values ('+36201', '{}'), ('101', '{}'), ('102', '{}')"
)


@pytest.fixture
async def calls(rig: Rig, db: Database) -> dict[str, int]:
    await db.execute(_NUMBERS)
    rows = {
        "inbound": ("inbound", None, "+36201", "101", "+36201"),
        "withheld": ("inbound", None, None, "101", None),
        "internal": ("internal", "101", "101", "102", None),
        "to anna": ("internal", "102", "102", "101", None),
    }
    return {name: await db.fetchval(_CALL, rig.account_id, name, *r) for name, r in rows.items()}


async def test_a_call_is_answered_with_a_call_to_its_other_party(
    rig: Rig, calls: dict[str, int]
) -> None:
    for name, number in (("inbound", "+36201"), ("internal", "102"), ("to anna", "102")):
        assert (await rig.place(PlaceCall("101", call=calls[name]))).to == number
    error = await rig.refusal(PlaceCall("101", call=calls["withheld"]))
    assert (error.code, error.field) == ("invalid_field", "body.call")


async def test_a_call_outside_the_scope_cannot_be_called_back(
    rig: Rig, calls: dict[str, int], db: Database
) -> None:
    other = await db.fetchval(_USER, rig.account_id, "other", "101")
    with pytest.raises(CallctlError, match="not_found"):
        await rig.service.place(
            rig.actor(("102",), other), PlaceCall("101", call=calls["inbound"]), None
        )
    elsewhere = await db.fetchval(
        "insert into accounts (code, name, kind) values ('b', 'B', 'enterprise') returning id"
    )
    await db.execute("update calls set account_id = $1", elsewhere)
    error = await rig.refusal(PlaceCall("101", call=calls["inbound"]))
    assert error.code == "not_found"
    assert rig.asterisk.originates == []


async def test_a_client_is_called_at_its_first_number(rig: Rig, db: Database) -> None:
    await db.execute(_NUMBERS)
    client = await db.fetchval(
        "insert into clients (account_id, kind, name, sort_key, search)"
        " values ($1, 'person', 'Anna', '', '') returning id", rig.account_id,
    )  # fmt: skip
    assert (await rig.refusal(PlaceCall("101", client=client))).field == "body.client"
    await db.execute(
        "insert into client_numbers (account_id, number_id, client_id, position)"
        " select $1, id, $2, case number when '+36201' then 0 else 1 end from numbers",
        rig.account_id, client,
    )  # fmt: skip
    assert (await rig.place(PlaceCall("101", client=client))).to == "+36201"
    assert (await rig.refusal(PlaceCall("101", client=client + 1))).code == "not_found"
    blind = Actor(rig.account_id, "x", frozenset({Scope.CALLS_PLACE}))
    for order in (PlaceCall("101", client=client), PlaceCall("101", call=1)):
        with pytest.raises(CallctlError, match="forbidden"):
            await rig.service.place(blind, order, None)


@pytest.mark.parametrize(
    "order", [PlaceCall("101"), PlaceCall("101", "102", call=1), PlaceCall("101", call=1, client=1)]
)
async def test_whom_to_call_is_said_once(rig: Rig, order: PlaceCall) -> None:
    assert (await rig.refusal(order)).field == "body.to"


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
