"""The whole of callctl on addresses 127.0.13.x, with small limits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from callctl.db.embedded import EmbeddedPostgres
from callctl.demo.play import Api
from callctl.demo.sip import Answer, Phone
from callctl.demo.stack import Stack, open_stack
from tests.asterisk.scenarios.office import CARRIERS, Office
from tests.conftest import fresh_database

NET = "127.0.13"
ROUTING = Path(__file__).with_name("routing.yaml")
CARRIER_SECONDS = 600


@pytest.fixture(scope="package")
async def stack(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("limits")
    async with fresh_database(postgres, template_database) as url:
        async with open_stack(directory, ROUTING, net=NET, database_url=url) as stack:
            phones = [
                Phone(e, f"{NET}.{e}", stack.address, directory / "sip", secret=secret)
                for e, secret in stack.secrets.items()
            ]
            await asyncio.gather(*(phone.register(3600) for phone in phones))
            await asyncio.gather(*(phone.stop() for phone in phones))
            yield stack


@pytest.fixture(scope="package")
async def api(stack: Stack) -> AsyncIterator[Api]:
    token = await stack.daemon.access.issue_token("limits")
    async with aiohttp.ClientSession() as session:
        yield Api(stack.url, token, session)


@pytest.fixture(scope="package")
async def carriers(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Phone]]:
    directory = tmp_path_factory.mktemp("limits-carriers")
    carriers = {
        name: Phone(
            name,
            f"{NET}.{CARRIERS[name]}",
            stack.address,
            directory,
            behaviour=Answer(after=0.1),
        )
        for name in ("carrier-a", "carrier-one")
    }
    for carrier in carriers.values():
        carrier.life_seconds = CARRIER_SECONDS
    await asyncio.gather(*(carrier.listen() for carrier in carriers.values()))
    await stack.until_qualified(len(carriers))
    yield carriers
    await asyncio.gather(*(carrier.stop() for carrier in carriers.values()))


@pytest.fixture
async def office(
    stack: Stack, api: Api, carriers: dict[str, Phone], tmp_path: Path
) -> AsyncIterator[Office]:
    office = Office(stack, api, tmp_path, carriers)
    try:
        yield office
        await office.until_idle()
        await office.stored()
    finally:
        await office.close()
