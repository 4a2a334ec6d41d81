"""The whole of callctl on addresses 127.0.21.x, with a shop that buys of the operator."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from callctl.core.author import Author
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source
from callctl.core.permissions import scopes_of_account
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.ledger import post
from callctl.demo.play import Api
from callctl.demo.stack import Stack, open_stack
from callctl.features.access.model import NewToken
from callctl.http.endpoint import Actor
from tests.conftest import fresh_database

NET = "127.0.21"
CARRIER = f"{NET}.21"
ROUTING = Path(__file__).with_name("routing.yaml")
_SHOP = b"""
account: {code: shop, country: HU}
extensions: [{number: 101, ring_seconds: 2}, {number: 102, ring_seconds: 2}]
hunt_groups: [{name: all, members: [101, 102], ring_seconds: 2}]
"""


@dataclass
class Shop:
    """Its stack, and the API as the operator's and as its own administrator ask it."""

    stack: Stack
    id: int
    operator: Api
    own: Api


@pytest.fixture
async def shop(
    postgres: EmbeddedPostgres, template_database: str, tmp_path: Path
) -> AsyncIterator[Shop]:
    async with (
        fresh_database(postgres, template_database) as url,
        open_stack(tmp_path, ROUTING, net=NET, database_url=url) as stack,
        aiohttp.ClientSession() as session,
    ):
        daemon = stack.daemon
        operator = Api(stack.url, await daemon.access.issue_token("operator"), session)
        new = {"code": "shop", "name": "Shop", "kind": "enterprise", "country": "HU"}
        async with operator.request("POST", "/api/v1/accounts", json=new) as response:
            shop_id = (await response.json())["account"]["id"]
        await daemon.routing.apply(shop_id, _SHOP, "test")
        await _fund(daemon.default_account_id, shop_id, stack)
        scopes = scopes_of_account("enterprise")
        actor = Actor(shop_id, "shop", scopes)
        token = await daemon.access.create_token(actor, NewToken("shop", sorted(scopes)))
        yield Shop(stack, shop_id, operator, Api(stack.url, token.token, session))


async def _fund(operator: int, shop: int, stack: Stack) -> None:
    lines = (
        Line(BookKey(operator, BookKind.ISSUANCE), -10_000),
        Line(BookKey(shop), 10_000, EntryClass.IN, Source.MANUAL),
    )
    async with stack.daemon.db.transaction() as connection:
        posting = Posting(shop, "USD", "top_up", "cash", lines)
        await post(connection, [posting], Author("test"))
