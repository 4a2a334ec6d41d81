"""One plain Asterisk for the tests of this directory, on addresses 127.0.5.x."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from callctl.asterisk.program import AsteriskProgram, find_asterisk
from tests.calls.capture.desk import Desk, endpoints
from tests.sip.lab import Lab

NET = "127.0.5"


@pytest.fixture(scope="session")
def asterisk_program() -> AsteriskProgram:
    """The Asterisk of this machine, or of the private root."""
    return find_asterisk(os.environ)


@pytest.fixture(scope="session")
async def lab(
    asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Lab]:
    lab = Lab(asterisk_program, tmp_path_factory.mktemp("lab"), NET, endpoints(NET))
    async with lab:
        yield lab


@pytest.fixture
async def desk(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    """Phones and callers on that Asterisk; afterwards no channel and no contact may be left."""
    async with AsyncExitStack() as stack:
        yield Desk(NET, lab, tmp_path_factory.mktemp("sip"), stack)
        await lab.until_idle()
    contacts = await lab.cli("pjsip show contacts")
    assert "sip:20" not in contacts, contacts
