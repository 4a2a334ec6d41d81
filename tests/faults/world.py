"""What faults strike: a whole callctl on 127.0.9.x, its parts as processes of their own."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from callctl.asterisk.journal_files import generation_of
from callctl.asterisk.program import find_asterisk
from callctl.asterisk.runtime import free_port
from callctl.demo.play import Api
from callctl.demo.sip import Phone
from callctl.demo.stack import Stack
from tests.faults.judge import Placed, Promise, Verdict, judge
from tests.faults.manager_proxy import ManagerProxy
from tests.faults.processes import POLL_SECONDS, DaemonProcess, FalseClock, Postgres, SmallDisk
from tests.faults.traffic import CALLERS, CARRIERS, NET, PHONES, Numbers, Traffic, carriers_at

ROUTING = Path(__file__).with_name("routing.yaml")
REGISTERED_SECONDS = 86_400
SETTLE_SECONDS = 90.0
PAGE = 500
PRISTINE = "pristine"
"""A database with the routing and the token, and no call."""


class World:
    """Asterisk, the daemon and PostgreSQL, with registered phones around them."""

    def __init__(
        self,
        directory: Path,
        stack: Stack,
        disk: SmallDisk,
        postgres: Postgres,
        clock: FalseClock,
        secrets: Mapping[str, str],
        token: str,
        api: Api,
    ) -> None:
        self.directory = directory
        self.stack = stack
        self.asterisk = stack.asterisk
        self.settings = stack.settings
        self.disk = disk
        self.postgres = postgres
        self.clock = clock
        self.secrets = secrets
        self.token = token
        self.api = api
        self.numbers = Numbers()
        self.carriers = carriers_at(stack.address, directory / "carriers")
        proxy_port = free_port(stack.address)
        self.manager = ManagerProxy(
            stack.address, proxy_port, (stack.address, stack.settings.ami_port)
        )
        self.daemon = DaemonProcess(
            stack.settings, {"CALLCTL_AMI_PORT": str(proxy_port)}, directory / "daemon.log"
        )
        self._runs = 0

    # Traffic

    @contextlib.asynccontextmanager
    async def traffic(self) -> AsyncIterator[Traffic]:
        """Phones that are there, carriers known to be; afterwards the phones are gone."""
        self._runs += 1
        directory = self.directory / f"sip-{self._runs}"
        traffic = Traffic(directory, self.stack.address, self.secrets, self.numbers, self.carriers)
        try:
            await traffic.listen()
            await self.until_qualified()
            yield traffic
        finally:
            await traffic.stop()

    async def until_qualified(self) -> float:
        """Until Asterisk knows which carriers are there; when that was (epoch seconds)."""
        await self.stack.until_qualified(len(CARRIERS))
        return time.time()

    async def register_phones(self) -> None:
        """For a day. Real phones do it every few minutes, ours are busy with calls: a clock that
        jumps by an hour must not end their registrations."""
        conf = self.asterisk.values.etc_dir / "pjsip.conf"
        conf.write_text(
            conf.read_text().replace(
                "maximum_expiration = 3600", f"maximum_expiration = {REGISTERED_SECONDS}"
            )
        )
        await self.asterisk.cli("module reload res_pjsip.so")
        phones = [
            Phone(name, f"{NET}.{name}", self.stack.address, secret=self.secrets[name])
            for name in PHONES
        ]
        await asyncio.gather(*(phone.register(REGISTERED_SECONDS) for phone in phones))
        await asyncio.gather(*(phone.stop() for phone in phones))

    # Records

    async def last_id(self) -> int:
        """The newest record's id; ids grow."""
        return max((call["id"] for call in await _list_calls(self.api)), default=0)

    async def until_idle(self) -> None:
        """Until Asterisk has no channel."""
        listing = ""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not listing.startswith("0 active channels"):
                    listing = await self.asterisk.cli("core show channels count")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            channels = await self.asterisk.cli("core show channels concise")
            raise TimeoutError(f"channels left: {channels}") from None

    async def until_stored(self) -> None:
        """Until the daemon has stored the whole journal: no call is open any more."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while await self._stored_until() != self._journal_end():
                    await asyncio.sleep(4 * POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(
                f"stored until {await self._stored_until()} of {self._journal_end()}; "
                f"{await self.daemon.gauges()}\n{self.daemon.log_end()}"
            ) from None

    async def _stored_until(self) -> tuple[str, int] | None:
        """(file, byte) before which every row is part of a stored call."""
        connection = await asyncpg.connect(self.postgres.server.url)
        try:
            row = await connection.fetchrow("select generation, position from journal_positions")
            return (row["generation"], row["position"]) if row else None
        finally:
            await connection.close()

    def _journal_end(self) -> tuple[str, int] | None:
        with self.asterisk.journal_path.open("rb") as file:
            generation = generation_of(file.fileno())
            return (generation, os.fstat(file.fileno()).st_size) if generation else None

    async def judged(self, placed: list[Placed], last: int, promise: Promise) -> Verdict:
        """The verdict on all records after `last`, once all there will be are there."""
        await self.until_idle()
        await self.daemon.until_ready()
        await self.until_stored()
        async with asyncio.timeout(SETTLE_SECONDS + 60):
            while True:
                records = await list_records(self.api, after=last)
                if not any(r["state"] == "pending" for c in records for r in c["recordings"]):
                    return judge(placed, records, promise)
                await asyncio.sleep(POLL_SECONDS)


async def list_records(api: Api, *, after: int = 0) -> list[dict[str, Any]]:
    """Every record made after that one, with all that is known of it."""
    ids = [call["id"] for call in await _list_calls(api) if call["id"] > after]
    return [await api.get(f"/api/v1/calls/{id_}") for id_ in ids]


async def _list_calls(api: Api) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    query = {"limit": str(PAGE)}
    while True:
        page = await api.get("/api/v1/calls", **query)
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]


@contextlib.asynccontextmanager
async def open_world(directory: Path) -> AsyncIterator[World]:
    """Start it all; stops it all again, whatever faults have left of it."""
    program = await asyncio.to_thread(find_asterisk, os.environ)
    async with contextlib.AsyncExitStack() as life:
        disk = SmallDisk(directory / "database")
        disk.mount()
        life.callback(disk.unmount)
        postgres = Postgres(disk.directory)
        url = await postgres.start()
        life.push_async_callback(postgres.stop)
        stack = Stack(
            program,
            directory,
            net=NET,
            http_port=free_port(f"{NET}.1"),
            database_url=url,
        )
        stack.asterisk.write_configuration()
        secrets, token = await _prepare(stack, directory)
        await _copy_database(url)
        session = await life.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True))
        )
        clock = FalseClock(stack.asterisk.home)
        api = Api(stack.url, token, session)
        world = World(directory, stack, disk, postgres, clock, secrets, token, api)
        for carrier in world.carriers.values():
            life.push_async_callback(carrier.stop)
            await carrier.listen()
        await world.manager.open()
        life.push_async_callback(world.manager.close)
        life.push_async_callback(world.daemon.stop)
        await world.daemon.start()
        life.push_async_callback(stack.asterisk.stop)
        await stack.asterisk.start()
        await world.daemon.until_ready()
        await world.register_phones()
        yield world


async def _copy_database(url: str) -> None:
    connection = await asyncpg.connect(url.replace("/postgres?", "/template1?"))
    try:
        await connection.execute(f"create database {PRISTINE} template postgres")
    finally:
        await connection.close()


async def _prepare(stack: Stack, directory: Path) -> tuple[dict[str, str], str]:
    """Routing and a token, by a daemon that then makes way. Gives the SIP passwords, the token."""
    callers = "\n".join(
        f"  - {{number: {number}, ring_seconds: 1, may_dial: [national]}}" for number in CALLERS
    )
    routing = directory / "routing.yaml"
    routing.write_text(ROUTING.read_text().replace("{{callers}}", callers))
    await stack.start_daemon()
    await stack.apply_routing(routing)
    secrets, token = stack.secrets, await stack.daemon.access.issue_token("faults")
    await stack.stop_daemon()
    return secrets, token
