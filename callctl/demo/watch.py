"""Watches the demo's Asterisk: one that ends by itself is started again, a few times."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from callctl.asterisk.runtime import AsteriskError, AsteriskInstance
from callctl.demo.stack import Progress

RESTARTS = 3


@contextlib.asynccontextmanager
async def watched(
    asterisk: AsteriskInstance, progress: Progress, *, restarts: int = RESTARTS
) -> AsyncIterator[None]:
    """Keep a started Asterisk running meanwhile, and say what happens to it."""
    watch = asyncio.create_task(_keep(asterisk, progress, restarts))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


async def _keep(asterisk: AsteriskInstance, progress: Progress, restarts: int) -> None:
    for left in reversed(range(restarts + 1)):
        code = await asterisk.until_ended()
        if not left:
            progress(
                f"Asterisk has ended by itself again (exit {code}): no more calls.\n"
                f"  Press Ctrl-C and start the demo again; why is in {asterisk.values.log_dir}"
            )
            return
        progress(f"Asterisk has ended by itself (exit {code}), calls with it: starting it again")
        try:
            await asterisk.start()
        except (AsteriskError, OSError) as error:
            progress(f"{error}\n  No more calls. Press Ctrl-C and start the demo again.")
            return
        progress(f"Asterisk runs again (it is started again {left - 1} more times at most)")
