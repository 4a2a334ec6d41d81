"""The whole of callctl on addresses 127.0.12.x, its journal on a disk that is easily filled."""

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from callctl.asterisk.program import find_asterisk
from callctl.asterisk.runtime import free_port
from callctl.db.embedded import EmbeddedPostgres
from callctl.demo.play import Api
from callctl.demo.sip import Answer, Caller, Phone
from callctl.demo.stack import Stack
from tests.conftest import fresh_database

NET = "127.0.12"
ROUTING = Path(__file__).with_name("routing.yaml")
WAIT_SECONDS = 20.0
POLL_SECONDS = 0.05


async def until(fact: Callable[[], Awaitable[bool] | bool], what: str) -> float:
    """Waits for a fact, bounded; how many seconds it took."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                holds = fact()
                if holds if isinstance(holds, bool) else await holds:
                    return time.monotonic() - began
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise AssertionError(f"did not come true in {WAIT_SECONDS:.0f} s: {what}") from None


@dataclass(slots=True)
class Disk:
    """A file system of a few megabytes of its own."""

    path: Path

    def fill(self) -> None:
        """To the last byte, the rest of the journal's last page (by empty lines) included."""
        for name, data in (("filler", b"x" * 4096), ("journal.csv", b"\n")):
            with (self.path / name).open("ab", buffering=0) as file, contextlib.suppress(OSError):
                while file.write(data):
                    pass

    def clear(self) -> None:
        (self.path / "filler").unlink(missing_ok=True)


def mount_disk(path: Path) -> Disk:
    """Mounts one at `path`. Skips the test where nobody may mount anything."""
    path.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "callctl-test", str(path)]
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    return Disk(path)


@pytest.fixture(scope="session")
def stack_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("checks")


@pytest.fixture(scope="session")
def journal_disk(stack_dir: Path) -> Iterator[Disk]:
    disk = mount_disk(stack_dir / "asterisk/log/cel-custom")
    yield disk
    prefix = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*prefix, "umount", "--lazy", str(disk.path)], check=True)


@pytest.fixture(scope="session")
async def stack(
    postgres: EmbeddedPostgres, template_database: str, journal_disk: Disk, stack_dir: Path
) -> AsyncIterator[Stack]:
    """Checks run often and are impatient here; what they decide by is the same."""
    program = await asyncio.to_thread(find_asterisk, os.environ)
    async with fresh_database(postgres, template_database) as url:
        port = free_port(f"{NET}.1")
        stack = Stack(program, stack_dir, net=NET, http_port=port, database_url=url)
        stack.settings = replace(
            stack.settings,
            check_seconds=0.2,
            journal_lost_seconds=1.0,
            disk_warning_mb=2,
            disk_critical_mb=1,
        )
        stack.asterisk.write_configuration()
        await stack.start_daemon()
        await stack.apply_routing(ROUTING)
        await stack.asterisk.start()
        await stack.daemon.ami.wait_for_state(True, WAIT_SECONDS)
        yield stack
        await stack.asterisk.stop()
        await stack.stop_daemon()


@pytest.fixture(scope="session")
async def api(stack: Stack) -> AsyncIterator[Api]:
    token = await stack.daemon.access.issue_token("checks")
    async with aiohttp.ClientSession() as session:
        yield Api(stack.url, token, session)


@dataclass(slots=True)
class Room:
    """Two parties: whoever dials 101 from outside gets an answer."""

    stack: Stack
    directory: Path
    phone: Phone

    def caller(self, to: str = "+3617000101", talk: float | None = 0.2) -> Caller:
        address = f"{NET}.21"
        return Caller("+36201110001", address, self.stack.address, self.directory, to=to, talk=talk)

    async def call(self) -> None:
        """One whole call."""
        async with self.caller() as caller:
            saw = await caller.ended()
            assert saw.answered_at is not None

    async def well(self) -> bool:
        """Whether no alarm is raised. It takes a call in the journal to prove that none is lost."""
        if "journal_lost" in self.raised():
            await self.call()
        return not self.raised()

    async def stored(self) -> None:
        """Until every call that the journal has is stored."""
        await self.idle()
        reader = self.stack.daemon.reader
        assert reader is not None
        await until(lambda: reader.open_calls == 0, "every call is stored")

    async def idle(self) -> None:
        """Until Asterisk has no channel."""

        async def none() -> bool:
            text = await self.stack.asterisk.cli("core show channels count")
            return text.startswith("0 active channels")

        await until(none, "no channel is left")

    def rows(self, kind: str) -> int:
        """How many rows of this kind the journal has."""
        try:
            return self.stack.asterisk.journal_path.read_text().count(f'"{kind}"')
        except FileNotFoundError:
            return 0

    def raised(self) -> set[str]:
        return {alarm.code for alarm in self.stack.daemon.alarms.raised}


@pytest.fixture
async def room(stack: Stack, journal_disk: Disk, tmp_path: Path) -> AsyncIterator[Room]:
    secret = stack.secrets["101"]
    behaviour = Answer(after=0.1)
    phone = Phone("101", f"{NET}.101", stack.address, tmp_path, secret=secret, behaviour=behaviour)
    async with phone:
        room = Room(stack, tmp_path, phone)
        # A row that was torn by a full disk is an alarm until somebody has looked at it.
        await stack.daemon.db.execute("delete from journal_quarantine")
        await until(room.well, "no alarm is raised before the test")
        await room.stored()
        yield room
        journal_disk.clear()
        await room.idle()
