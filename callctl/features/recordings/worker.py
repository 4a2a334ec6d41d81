"""The process that makes files of recordings (make.py), for as long as there is work."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from callctl.features.recordings.job import Job, Outcome

JOB_SECONDS = 1800.0
"""An hour of conversation takes half a minute, on a busy machine some minutes."""

Make = Callable[[Job], Awaitable[Outcome]]


class WorkerGone(Exception):
    """The process died, or has not come to an end in `JOB_SECONDS`."""


@asynccontextmanager
async def open_worker() -> AsyncIterator[Make]:
    """A function that has one recording made, one after the other; it raises WorkerGone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "callctl.features.recordings.make"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    jobs, outcomes = process.stdin, process.stdout

    async def make(job: Job) -> Outcome:
        try:
            async with asyncio.timeout(JOB_SECONDS):
                jobs.write(msgspec.json.encode(job) + b"\n")
                await jobs.drain()
                line = await outcomes.readline()
        except (TimeoutError, ConnectionError) as error:
            raise WorkerGone(f"{type(error).__name__} while {job.stem} was made") from None
        if not line.endswith(b"\n"):
            raise WorkerGone(f"the process ended while {job.stem} was made")
        return msgspec.json.decode(line, type=Outcome)

    try:
        yield make
    finally:
        jobs.close()
        if process.returncode is None:
            process.kill()
        await process.wait()
