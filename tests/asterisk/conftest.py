"""One Asterisk for the tests of this directory, on addresses 127.0.2.x."""

import os
from collections.abc import AsyncIterator

import pytest

from callctl.asterisk.program import AsteriskProgram, find_asterisk
from tests.asterisk.switch import Switch
from tests.asterisk.table import small_table


@pytest.fixture(scope="session")
def asterisk_program() -> AsteriskProgram:
    """The Asterisk of this machine, or of the private root."""
    return find_asterisk(os.environ)


@pytest.fixture(scope="session")
async def running_switch(
    asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Switch]:
    switch = Switch(asterisk_program, tmp_path_factory.mktemp("switch"), "127.0.2", small_table())
    await switch.start()
    yield switch
    await switch.stop()


@pytest.fixture
async def switch(running_switch: Switch) -> AsyncIterator[Switch]:
    """The session's Asterisk; after each test no channel may be left."""
    running_switch.plans.clear()
    running_switch.asked.clear()
    yield running_switch
    await running_switch.idle()
