"""An Asterisk that ends by itself while somebody looks at the demo."""

import asyncio
import os
import signal

from callctl.demo.watch import watched
from tests.sip.lab import Lab


async def test_an_asterisk_that_dies_is_started_again_so_often_and_it_is_said(lab: Lab) -> None:
    said: asyncio.Queue[str] = asyncio.Queue()

    async def die() -> None:
        assert lab.pid is not None
        os.kill(lab.pid, signal.SIGKILL)

    try:
        async with asyncio.timeout(90), watched(lab, said.put_nowait, restarts=1):
            await die()
            assert "ended by itself" in await said.get()
            assert "runs again" in await said.get()
            assert "Asterisk" in await lab.cli("core show version")
            await die()
            last = await said.get()
            assert "Ctrl-C" in last
            assert str(lab.values.log_dir) in last
            assert lab.pid is None
    finally:
        await lab.start()
