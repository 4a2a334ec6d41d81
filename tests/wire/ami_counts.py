"""A client of AMI in a hurry, and what it counted."""

import asyncio

from callctl.asterisk.ami import AmiClient, AmiTiming
from tests.wire.peers import HOST

FAST = AmiTiming(backoff_first=0.01, backoff_most=0.02)


class Counts:
    """What the client counted, and a way to wait for it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []
        self._changed = asyncio.Event()

    def __call__(self, what: str, reason: str) -> None:
        self.seen.append((what, reason))
        self._changed.set()

    async def wait_for(self, what: str, reason: str) -> None:
        async with asyncio.timeout(5):
            while (what, reason) not in self.seen:
                self._changed.clear()
                await self._changed.wait()


async def connected(port: int, counts: Counts, **options: object) -> AmiClient:
    client = AmiClient(HOST, port, "callctl", "secret", timing=FAST, count=counts, **options)  # type: ignore[arg-type]
    await client.start()
    await client.wait_for_state(connected=True, within=5)
    return client
