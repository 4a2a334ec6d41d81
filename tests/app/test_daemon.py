"""The daemon as a process: starts in any order, one per Asterisk, ends in good order."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callctl.asterisk.runtime import free_port
from callctl.db.embedded import EmbeddedPostgres
from tests.wire.peers import environment

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SECONDS = 20.0


@dataclass(slots=True)
class Process:
    process: asyncio.subprocess.Process
    url: str
    agi_port: int

    async def get(self, path: str) -> tuple[int, Any]:
        async with aiohttp.ClientSession() as session, session.get(self.url + path) as response:
            return response.status, json.loads(await response.text())

    async def until(self, path: str, wanted: Callable[[int, Any], bool]) -> Any:
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    status, body = await self.get(path)
                    if wanted(status, body):
                        return body
                except aiohttp.ClientConnectionError:
                    assert self.process.returncode is None, "the daemon ended"
                await asyncio.sleep(0.05)


@asynccontextmanager
async def daemon(state_dir: Path, database_url: str) -> AsyncIterator[Process]:
    port, agi_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")} | {
        "CALLCTL_STATE_DIR": str(state_dir),
        "CALLCTL_DATABASE_URL": database_url,
        "CALLCTL_HTTP_PORT": str(port),
        "CALLCTL_AGI_PORT": str(agi_port),
        "CALLCTL_AMI_PORT": str(free_port("127.0.0.1")),
        "CALLCTL_JOURNAL_PATH": str(state_dir / "journal.csv"),
        "CALLCTL_RECORDINGS_SPOOL": str(state_dir / "spool"),
        "CALLCTL_ASTERISK_GENERATED_DIR": str(state_dir / "generated"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callctl", "run",
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Process(process, f"http://127.0.0.1:{port}", agi_port)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_ready_without_an_asterisk(state_dir: Path, database_url: str) -> None:
    async with daemon(state_dir, database_url) as running:
        body = await running.until("/readyz", lambda status, _: status == 200)
        assert body["checks"]["ami"]["ready"] is False
        assert "not connected since" in body["checks"]["ami"]["message"]
        # Written beside the calls, which are decided already.
        async with asyncio.timeout(SECONDS):
            while not (state_dir / "generated").is_dir():
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_0(
    state_dir: Path, database_url: str, number: signal.Signals
) -> None:
    async with daemon(state_dir, database_url) as running:
        await running.until("/readyz", lambda status, _: status == 200)
        running.process.send_signal(number)
        async with asyncio.timeout(SECONDS):
            output, _ = await running.process.communicate()
        assert running.process.returncode == 0
        assert b"stopped" in output
        assert b"Traceback" not in output


async def test_a_second_daemon_for_the_same_asterisk_refuses(
    state_dir: Path, database_url: str
) -> None:
    async with daemon(state_dir, database_url) as first:
        await first.until("/readyz", lambda status, _: status == 200)
        async with daemon(state_dir, database_url) as second:
            output, _ = await second.process.communicate()
            assert second.process.returncode == 3
            assert f"process {first.process.pid}".encode() in output
        assert (await first.get("/healthz"))[0] == 200


async def test_without_a_database_it_starts_and_calls_use_the_fallback(state_dir: Path) -> None:
    async with daemon(state_dir, NOWHERE) as running:
        await running.until("/healthz", lambda status, _: status == 200)
        status, body = await running.get("/readyz")
        assert status == 503
        assert body["checks"]["database"]["ready"] is False
        reader, writer = await asyncio.open_connection("127.0.0.1", running.agi_port)
        try:
            writer.write(environment())
            async with asyncio.timeout(SECONDS):
                assert await reader.readline() == b"failure\n"
        finally:
            writer.close()
            await writer.wait_closed()


async def test_a_database_that_comes_later_is_taken_up(state_dir: Path, tmp_path: Path) -> None:
    place = tmp_path / "later"
    server = await asyncio.to_thread(EmbeddedPostgres.start, place, durable=False)
    url = server.url
    await asyncio.to_thread(server.stop)
    async with daemon(state_dir, url) as running:
        await running.until("/readyz", lambda status, _: status == 503)
        server = await asyncio.to_thread(EmbeddedPostgres.start, place, durable=False)
        try:
            await running.until("/readyz", lambda status, _: status == 200)
        finally:
            await asyncio.to_thread(server.stop)
