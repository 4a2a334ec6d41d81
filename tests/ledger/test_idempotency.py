"""A request that is sent twice is done once, and answered twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from msgspec import Struct

from callctl.core.errors import CallctlError
from callctl.core.permissions import ALL_SCOPES, Scope
from callctl.db.idempotency import (
    RequestKey,
    answer_once,
    forget_old_keys,
    request_digest,
    with_file,
)
from callctl.db.ledger import charge
from callctl.http.endpoint import Actor, ApiCall, Endpoint
from callctl.http.server import HttpServer, build_web_app
from tests.ledger.conftest import ANNA, Tree


class Bill(Struct, frozen=True):
    amount: int
    balance: int
    cents: tuple[int, ...] = (1, 2)


def _key(tree: Tree, body: object = 1, *, sender: str = "anna", key: str = "k1") -> RequestKey:
    return RequestKey(tree.shop, sender, key, request_digest("POST", "/x", None, body))


async def _pay(tree: Tree, request: RequestKey | None, amount: int = 10) -> Bill:
    async with tree.db.transaction() as connection:

        async def act() -> Bill:
            posted = await charge(
                connection, account_id=tree.shop, amount=amount, kind="package", reference="p",
                author=ANNA,
            )  # fmt: skip
            assert posted is not None
            return Bill(amount, posted.balance)

        return await answer_once(connection, request, Bill, act)


async def test_the_first_answer_comes_again_and_nothing_is_done_twice(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    first = await _pay(tree, _key(tree))
    assert first == Bill(10, 90)
    assert await _pay(tree, _key(tree)) == first
    assert await _pay(tree, _key(tree, key="k2")) == Bill(10, 80)
    assert await _pay(tree, _key(tree, sender="token:till")) == Bill(10, 70)
    assert await _pay(tree, None) == Bill(10, 60)


async def test_fifty_at_the_same_time_are_one(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    answers = await asyncio.gather(*(_pay(tree, _key(tree)) for _ in range(50)))
    assert set(answers) == {Bill(10, 90)}
    assert (await tree.wallet(tree.shop)).balance == 90


async def test_another_request_with_the_same_key_is_a_conflict(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await _pay(tree, _key(tree))
    with pytest.raises(CallctlError) as caught:
        await _pay(tree, _key(tree, body=2))
    assert (caught.value.code, caught.value.field) == (
        "idempotency_conflict", "header.Idempotency-Key",
    )  # fmt: skip


async def test_a_request_that_was_refused_may_be_sent_again_with_its_key(tree: Tree) -> None:
    with pytest.raises(CallctlError) as caught:
        await _pay(tree, _key(tree))
    assert caught.value.code == "insufficient_funds"
    await tree.fund(tree.shop, 10)
    assert await _pay(tree, _key(tree)) == Bill(10, 0)


async def test_who_waits_for_one_that_fails_does_it_instead(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    begun, let_go = asyncio.Event(), asyncio.Event()

    async def fails() -> None:
        async with tree.db.transaction() as connection:

            async def act() -> Bill:
                begun.set()
                await let_go.wait()
                raise RuntimeError("half way")

            await answer_once(connection, _key(tree), Bill, act)

    failing = asyncio.ensure_future(fails())
    await begun.wait()
    waiting = asyncio.ensure_future(_pay(tree, _key(tree)))
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    while not await tree.db.fetchval(waits):
        await asyncio.sleep(0.01)
    let_go.set()
    with pytest.raises(RuntimeError):
        await failing
    assert await waiting == Bill(10, 90)


def test_another_file_is_another_request(tree: Tree) -> None:
    key = _key(tree)
    one, other = with_file(key, b"1"), with_file(key, b"2")
    assert with_file(key, b"1") == one
    assert len({key, one, other}) == 3
    assert with_file(None, b"1") is None


async def test_old_keys_are_forgotten(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await _pay(tree, _key(tree))
    await _pay(tree, _key(tree, key="new"))
    await tree.db.execute(
        "update idempotency_keys set created_at = now() - interval '8 days'"
        " where account_id = $1 and key = 'k1'",
        tree.shop,
    )
    async with tree.db.connection() as connection:
        assert await forget_old_keys(connection, 7, 100) == 1
        assert await forget_old_keys(connection, 7, 100) == 0
    left = await tree.db.fetch("select key from idempotency_keys where account_id = $1", tree.shop)
    assert [row["key"] for row in left] == ["new"]


class Payment(Struct, frozen=True, forbid_unknown_fields=True):
    amount: int


@dataclass(frozen=True)
class _Tokens:
    """The token says who asks."""

    account_id: int

    async def by_token(self, token: str) -> Actor | None:
        return Actor(self.account_id, token, ALL_SCOPES)

    async def by_session(self, _secret: str) -> Actor | None:
        return None


Post = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def post(tree: Tree) -> AsyncIterator[Post]:
    """POST /api/v1/payments/NAME with a body; the status and the answer."""

    async def pay(call: ApiCall) -> Bill:
        return await _pay(tree, call.request_key, call.body.amount)

    endpoint = Endpoint(
        "POST", "/api/v1/payments/{name}", "Pay", "t", Scope.CALLS_PLACE, pay, Bill, body=Payment,
        status=201, idempotent=True,
    )  # fmt: skip
    server = HttpServer(build_web_app([endpoint], _Tokens(tree.shop)))
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

        async def ask(body: str, key: str | None, name: str = "a", who: str = "anna") -> Any:
            headers = {"Authorization": f"Bearer {who}", "Content-Type": "application/json"}
            if key is not None:
                headers["Idempotency-Key"] = key
            path = f"/api/v1/payments/{name}"
            async with session.post(path, data=body, headers=headers) as answer:
                return answer.status, await answer.json()

        yield ask
    await server.stop()


async def test_over_http(tree: Tree, post: Post) -> None:
    await tree.fund(tree.shop, 100)
    first = await post('{"amount": 10}', "k1")
    assert first == (201, {"amount": 10, "balance": 90, "cents": [1, 2]})
    assert await post('{ "amount" : 10 }', "k1") == first
    for other in (
        await post('{"amount": 11}', "k1"),
        await post('{"amount": 10}', "k1", name="b"),
    ):
        assert (other[0], other[1]["error"]["code"]) == (409, "idempotency_conflict")
    assert (await post('{"amount": 10}', "k1", who="bela"))[1]["balance"] == 80
    assert (await post('{"amount": 10}', None))[1]["balance"] == 70
    refused = await post('{"amount": 10}', "a b")
    assert (refused[0], refused[1]["error"]["field"]) == (422, "header.Idempotency-Key")
    assert (await tree.wallet(tree.shop)).balance == 70
