"""The whole of callctl, running on addresses of its own: PostgreSQL, Asterisk, the daemon.

The demo and the scenario tests bring it up by this one way.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from agi.install import install_check
from callctl.app import Daemon, open_daemon
from callctl.asterisk.program import AsteriskProgram, find_asterisk
from callctl.asterisk.runtime import AsteriskInstance, free_port
from callctl.config import Settings, load_settings

READY_SECONDS = 30.0
POLL_SECONDS = 0.05

Progress = Callable[[str], None]


class Stack:
    """One callctl beside one Asterisk. Daemon and Asterisk can be stopped and started again.

    `net` are the first three numbers of everybody's address: Asterisk is at ``net.1``.
    """

    def __init__(
        self,
        program: AsteriskProgram,
        state_dir: Path,
        *,
        net: str,
        http_port: int,
        database_url: str | None,
    ) -> None:
        self.net = net
        self.address = f"{net}.1"
        self.state_dir = state_dir
        agi_port = free_port(self.address)
        self.asterisk = AsteriskInstance(
            program,
            state_dir,
            address=self.address,
            agi_address=self.address,
            agi_port=agi_port,
        )
        self.asterisk.readable = install_check(self.asterisk.values.agi_dir)
        self.settings = self._settings(agi_port, http_port, database_url)
        self.url = f"http://{self.address}:{http_port}"
        self._daemon: Daemon | None = None
        self._daemon_life = contextlib.AsyncExitStack()

    def _settings(self, agi_port: int, http_port: int, database_url: str | None) -> Settings:
        asterisk = self.asterisk
        values = {
            "STATE_DIR": str(self.state_dir),
            "SYSTEMNAME": asterisk.systemname,
            "HTTP_HOST": self.address,
            "HTTP_PORT": str(http_port),
            "AGI_HOST": self.address,
            "AGI_PORT": str(agi_port),
            "AMI_HOST": self.address,
            "AMI_PORT": str(asterisk.ami_port),
            "AMI_SECRET": asterisk.ami_secret,
            "JOURNAL_PATH": str(asterisk.journal_path),
            "RECORDINGS_SPOOL": str(asterisk.recordings_spool),
            "ASTERISK_GENERATED_DIR": str(asterisk.generated_dir),
            "JOURNAL_GRACE_SECONDS": "0.5",
        }
        if database_url is not None:
            values["DATABASE_URL"] = database_url
        return load_settings({f"CALLCTL_{name}": value for name, value in values.items()})

    @property
    def daemon(self) -> Daemon:
        """The running daemon. Raises RuntimeError while there is none."""
        if self._daemon is None:
            raise RuntimeError("the daemon does not run")
        return self._daemon

    @property
    def secrets(self) -> dict[str, str]:
        """SIP passwords by extension."""
        routing = self.daemon.routing
        own = [e for e, (_, kind, _) in routing.table.endpoints.items() if kind == "extension"]
        return {e: routing.credentials[e].secret for e in own}

    async def start_daemon(self) -> Daemon:
        """Returns once its database is there and its routing is loaded."""
        self._daemon = await self._daemon_life.enter_async_context(open_daemon(self.settings))
        async with asyncio.timeout(READY_SECONDS):
            await self._daemon.ready.wait()
        return self._daemon

    async def stop_daemon(self) -> None:
        """Asterisk and its phones go on without it."""
        self._daemon = None
        await self._daemon_life.aclose()

    async def timezone(self) -> ZoneInfo:
        """The zone of the account whose calls are shown."""
        account_id = (await self.daemon.access.bootstrap()).account_id
        return ZoneInfo((await self.daemon.access.get_account(account_id)).timezone)

    async def apply_routing(self, file: Path) -> None:
        """As `callctl routing apply` does. Raises CallctlError, OSError."""
        account_id = (await self.daemon.access.bootstrap()).account_id
        text = await asyncio.to_thread(file.read_bytes)
        await self.daemon.routing.apply(account_id, text, "demo", file=file.name)

    async def has_other_routing(self, file: Path) -> bool:
        """Whether applying `file` would change anything."""
        account_id = (await self.daemon.access.bootstrap()).account_id
        text = await asyncio.to_thread(file.read_bytes)
        return bool(self.daemon.routing.diff(account_id, text, file=file.name))

    async def until_qualified(self, alive: int) -> None:
        """Until Asterisk knows which carriers are there: a dead one must not eat the ring time.

        `alive` carriers answer; every other contact with a fixed address counts as gone.
        """
        async with asyncio.timeout(READY_SECONDS):
            while True:
                contacts = await self.asterisk.cli("pjsip show contacts")
                lines = [line for line in contacts.splitlines() if "carrier-" in line]
                gone = sum("Unavail" in line for line in lines)
                here = sum(" Avail" in line for line in lines)
                if lines and here == alive and here + gone == len(lines):
                    return
                await asyncio.sleep(POLL_SECONDS)


@contextlib.asynccontextmanager
async def open_stack(
    state_dir: Path,
    routing: Path,
    *,
    net: str = "127.0.0",
    http_port: int = 0,
    database_url: str | None = None,
    keep_routing: bool = False,
    progress: Progress = lambda line: None,
) -> AsyncIterator[Stack]:
    """Start PostgreSQL (unless there is a `database_url`), the daemon with this routing, Asterisk.

    With `keep_routing` a routing that has extensions already stays as it is. Stops everything
    again. An `http_port` of 0 takes a free one. Raises what its parts raise when they cannot start.
    """
    program = await asyncio.to_thread(find_asterisk, os.environ, None, progress)
    progress(f"Asterisk {program.version}")
    port = http_port or free_port(f"{net}.1")
    stack = Stack(program, state_dir, net=net, http_port=port, database_url=database_url)
    stack.asterisk.write_configuration()
    async with contextlib.AsyncExitStack() as life:
        progress("Starting PostgreSQL and callctl")
        life.push_async_callback(stack.stop_daemon)
        await stack.start_daemon()
        if not (keep_routing and stack.secrets):
            await stack.apply_routing(routing)
        progress("Starting Asterisk")
        life.push_async_callback(stack.asterisk.stop)
        await stack.asterisk.start()
        await stack.daemon.ami.wait_for_state(True, READY_SECONDS)
        yield stack
