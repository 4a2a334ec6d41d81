"""A whole callctl at 127.0.10.1 whose daemon is a process of its own, as in production."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from callctl.asterisk.program import find_asterisk
from callctl.asterisk.runtime import free_port
from callctl.config import environment_name
from callctl.demo.stack import Stack
from tests.asterisk.switch import Row, read_rows
from tests.faults.processes import DaemonProcess

NET = "127.0.10"
HERE = Path(__file__).parent
ROUTING = HERE / "routing.yaml"
READY_SECONDS = 30.0
POLL_SECONDS = 0.05


@dataclass(slots=True)
class House:
    """`secrets`: every secret that exists, by what it opens. `log`: the daemon's."""

    stack: Stack
    daemon: DaemonProcess
    log: Path
    token: str
    secrets: dict[str, str]

    @property
    def address(self) -> str:
        return self.stack.address

    def rows(self) -> list[Row]:
        return read_rows(self.stack.asterisk.journal_path)

    async def idle(self, seconds: float = 15.0) -> None:
        """Until no channel is left and the journal has the end of each."""
        async with asyncio.timeout(seconds):
            while True:
                types = [row.type for row in self.rows()]
                if types.count("CHAN_START") == types.count("CHAN_END") and (
                    await self.stack.asterisk.cli("core show channels count")
                ).startswith("0 active channels"):
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def get(self, path: str, **query: str) -> Any:
        """An answer of the API. Raises aiohttp.ClientError."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with (
            aiohttp.ClientSession(headers=headers, raise_for_status=True) as session,
            session.get(f"{self.stack.url}{path}", params=query) as response,
        ):
            return await response.json()

    async def calls(self, wanted: int, **query: str) -> list[dict[str, Any]]:
        """The newest records, once there are as many as `wanted` that match."""
        async with asyncio.timeout(READY_SECONDS):
            while True:
                page = await self.get("/api/v1/calls", limit="200", **query)
                items: list[dict[str, Any]] = page["items"]
                if len(items) >= wanted:
                    return items
                await asyncio.sleep(POLL_SECONDS)

    async def command(self, *words: str) -> str:
        """`callctl` with the daemon's own settings; its standard output. Raises AssertionError."""
        return await command(self.stack, *words)


async def command(stack: Stack, *words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callctl", *words),
        env=environment_of(stack),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (words, err.decode())
    return out.decode()


def environment_of(stack: Stack) -> dict[str, str]:
    """What a command needs to speak of the same installation."""
    settings = stack.settings
    names = ("state_dir", "database_url", "ami_host", "ami_port", "ami_secret", "agi_port")
    own = {environment_name(n): str(getattr(settings, n)) for n in names}
    return {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")} | own


@asynccontextmanager
async def open_house(
    directory: Path, database_url: str, changes: Mapping[str, str]
) -> AsyncIterator[House]:
    """`changes` are settings of the daemon's environment. Everything stops at the end."""
    program = await asyncio.to_thread(find_asterisk, os.environ)
    stack = Stack(
        program,
        directory,
        net=NET,
        http_port=free_port(f"{NET}.1"),
        database_url=database_url,
    )
    stack.asterisk.write_configuration()
    log = directory / "daemon.log"
    daemon = DaemonProcess(stack.settings, changes, log)
    await daemon.start()
    try:
        await daemon.until_ready()
        await command(stack, "routing", "apply", str(ROUTING))
        sip = await sip_secrets(stack)
        token = (await command(stack, "token", "issue", "doors")).split()[-1]
        password = (await command(stack, "user", "reset-password", "admin")).split()[-1]
        secrets = {
            **{f"SIP {name}": secret for name, secret in sip.items()},
            "carrier": "carrier-says-sesame",
            "manager": stack.asterisk.ami_secret,
            "token": token,
            "admin": password,
        }
        await stack.asterisk.start()
        try:
            house = House(stack, daemon, log, token, secrets)
            await _connected(house)
            yield house
        finally:
            await stack.asterisk.stop()
    finally:
        await daemon.stop()


async def sip_secrets(stack: Stack) -> dict[str, str]:
    """Passwords of phones, by extension."""
    text = await command(stack, "routing", "export", "--with-secrets")
    return {e["number"]: e["secret"] for e in yaml.safe_load(text)["extensions"]}


async def _connected(house: House) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while (await house.daemon.gauges()).get("callctl_ami_connected") != 1.0:
            await asyncio.sleep(POLL_SECONDS)


def counted(rows: Sequence[Row]) -> dict[str, int]:
    """Calls by who decided them: plan, fallback, feature."""
    sources = [row.extra["source"] for row in rows if row.type == "CALLCTL_ROUTE"]
    return {source: sources.count(source) for source in sorted(set(sources))}
