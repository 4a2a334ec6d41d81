"""Waiting until Asterisk has joined two parties.

A phone is told of the answer before Asterisk puts its channel into the bridge. Somebody who
transfers within those milliseconds is refused, which no person is quick enough for.
"""

import asyncio

from callctl.asterisk.runtime import AsteriskInstance

POLL_SECONDS = 0.03
CHANNEL, BRIDGE = 0, -2
"""Fields of a line of `core show channels concise`."""


async def until_bridged(asterisk: AsteriskInstance, *endpoints: str, seconds: float = 10.0) -> None:
    """Until a channel of each endpoint is in a bridge. Raises TimeoutError with what there is."""
    listing = ""
    try:
        async with asyncio.timeout(seconds):
            while True:
                listing = await asterisk.cli("core show channels concise")
                if set(endpoints) <= _bridged(listing):
                    return
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"{endpoints} are not all in a bridge: {listing}") from None


def _bridged(listing: str) -> set[str]:
    """The endpoints that have a channel in a bridge."""
    lines = (line.split("!") for line in listing.splitlines() if line.startswith("PJSIP/"))
    return {
        fields[CHANNEL].removeprefix("PJSIP/").rpartition("-")[0]
        for fields in lines
        if fields[BRIDGE]
    }
