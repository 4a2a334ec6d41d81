"""One house for all tests of this directory; it takes a few seconds to set up."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callctl.demo.sip import Phone
from tests.conftest import fresh_database
from tests.doors.house import NET, House, open_house

LOGINS = ("101", "102", "103")


@pytest.fixture(scope="session")
async def house(
    postgres: object, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    """Its daemon writes JSON lines, as under systemd; its phones are registered."""
    directory = tmp_path_factory.mktemp("house")
    async with fresh_database(postgres, template_database) as url:  # type: ignore[arg-type]
        async with open_house(directory, url, {"CALLCTL_LOG_FORMAT": "json"}) as house:
            await _register(house, directory / "sip")
            yield house


async def _register(house: House, directory: Path) -> None:
    for login in LOGINS:
        secret = house.secrets[f"SIP {login}"]
        phone = Phone(login, f"{NET}.{login}", house.address, directory, secret=secret)
        await phone.register(3600)
        await phone.stop()
