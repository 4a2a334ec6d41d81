"""The two switches that are compared: callctl's, with everything on, and a bare one.

Both run the same Asterisk program with the same endpoints, pinned to the same cores.
"""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import asyncpg

from bench.processes import cpu_seconds
from bench.routing import DID_PREFIX, routing_yaml
from callctl.asterisk.program import AsteriskProgram
from callctl.asterisk.runtime import AsteriskInstance, free_port
from callctl.config import Settings, environment_name
from callctl.db.embedded import EmbeddedPostgres
from callctl.demo.stack import Stack

NET = "127.0.11"
BARE_ADDRESS = f"{NET}.2"
POLL_SECONDS = 0.05
START_SECONDS = 180.0
STORED_SECONDS = 120.0
_STORED = "select count(*) from calls"
_CALLCTL = (sys.executable, "-m", "callctl")

_BARE_DIALPLAN = f"""\
; A plain PBX: the number's last digits are the phone's.
[general]
static = yes
writeprotect = yes

[from-trunk]
exten => _{DID_PREFIX}XXXXXXX,1,Dial(PJSIP/1${{EXTEN:-4}},20)
 same => n,Hangup()

[from-extension]
exten => _X.,1,Dial(PJSIP/${{EXTEN}},20)
 same => n,Hangup()
"""


@contextlib.contextmanager
def on_cores(cores: frozenset[int]) -> Iterator[None]:
    """What is started inside runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class BareAsterisk(AsteriskInstance):
    """Our Asterisk without callctl: one Dial, the CDR engine writing its CSV file, no CEL."""

    def write_configuration(self) -> None:
        super().write_configuration()
        etc = self.values.etc_dir
        (self.values.log_dir / "cdr-csv").mkdir(exist_ok=True)
        modules = (etc / "modules.conf").read_text() + "\nload = cdr_csv.so\n"
        files = {
            "extensions.conf": _BARE_DIALPLAN,
            "cel.conf": "[general]\nenable = no\n",
            "cdr.conf": "[general]\nenable = yes\nunanswered = yes\n\n[csv]\nloguniqueid = yes\n",
            "modules.conf": modules,
        }
        for name, text in files.items():
            (etc / name).write_text(text)

    def endpoints_of(self, other: AsteriskInstance) -> None:
        """The same phones and carrier, without the variables that only callctl's dialplan reads."""
        text = (other.generated_dir / "pjsip.conf").read_text()
        text = re.sub(r"^(set_var|subscribe_context) = .*\n", "", text, flags=re.MULTILINE)
        self.generated_dir.mkdir(parents=True, exist_ok=True)
        (self.generated_dir / "pjsip.conf").write_text(text)


@dataclass(slots=True)
class Ours:
    """callctl as in production: the daemon a process of its own, PostgreSQL durable."""

    stack: Stack
    directory: Path
    cores: frozenset[int]
    connection: asyncpg.Connection
    daemon: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return self.stack.address

    @property
    def asterisk(self) -> AsteriskInstance:
        return self.stack.asterisk

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def daemon_pid(self) -> int:
        if self.daemon is None:
            raise RuntimeError("the daemon does not run")
        return self.daemon.pid

    def helpers_cpu(self) -> tuple[float, float]:
        """Seconds so far of the daemon and of PostgreSQL."""
        return cpu_seconds(self.daemon_pid), cpu_seconds(postgres_pid(self.directory))

    async def apply_routing(self, extensions: int, dids: int, carrier: str) -> None:
        """As an admin does; the running daemon takes it over by itself."""
        routing = self.directory / "routing.yaml"
        routing.write_text(routing_yaml(extensions, dids, carrier), encoding="utf-8")
        await asyncio.to_thread(
            subprocess.run,
            [*_CALLCTL, "routing", "apply", str(routing)],
            env=environment_of(self.stack.settings),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=START_SECONDS,
        )

    async def start_daemon(self) -> None:
        """Returns once it has its routing and Asterisk has its files. Ends one that runs."""
        self.stop_daemon()
        with on_cores(self.cores), self.log.open("wb") as log:
            environment = environment_of(self.stack.settings)
            self.daemon = subprocess.Popen(
                [*_CALLCTL, "run"], env=environment, stdout=log, stderr=log
            )
        await until_in_log(self.log, "provisioned")

    def stop_daemon(self) -> None:
        if self.daemon is None:
            return
        self.daemon.terminate()
        try:
            self.daemon.wait(20)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.daemon = None

    async def stored(self) -> int:
        return int(await self.connection.fetchval(_STORED))

    async def until_stored(self, calls: int) -> None:
        """Until the history holds `calls`. Raises TimeoutError, with how many there are."""
        try:
            async with asyncio.timeout(STORED_SECONDS):
                while await self.stored() < calls:
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"{await self.stored()} of {calls} calls are stored") from None


@contextlib.asynccontextmanager
async def open_ours(
    program: AsteriskProgram,
    directory: Path,
    cores: frozenset[int],
    *,
    phones: int,
    carrier: str,
) -> AsyncIterator[Ours]:
    """PostgreSQL, Asterisk, and the daemon with so many extensions and DIDs. Stops all again."""
    async with contextlib.AsyncExitStack() as life:
        with on_cores(cores):
            postgres = EmbeddedPostgres.start(directory)
        life.callback(postgres.stop)
        port = free_port(f"{NET}.1")
        stack = Stack(program, directory, net=NET, http_port=port, database_url=postgres.url)
        stack.asterisk.write_configuration()
        connection = await asyncpg.connect(postgres.url)
        life.push_async_callback(connection.close)
        ours = Ours(stack, directory, cores, connection)
        await ours.apply_routing(phones, phones, carrier)
        life.callback(ours.stop_daemon)
        await ours.start_daemon()
        with on_cores(cores):
            await stack.asterisk.start()
        life.push_async_callback(stack.asterisk.stop)
        await until_in_log(ours.log, "ami_connected")
        yield ours


@contextlib.asynccontextmanager
async def open_bare(
    program: AsteriskProgram, directory: Path, cores: frozenset[int], like: AsteriskInstance
) -> AsyncIterator[BareAsterisk]:
    """The yardstick, with the endpoints of `like`."""
    bare = BareAsterisk(program, directory, address=BARE_ADDRESS, systemname="bare")
    bare.endpoints_of(like)
    with on_cores(cores):
        await bare.start()
    try:
        yield bare
    finally:
        await bare.stop()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that makes a process have these settings."""
    ours = {
        environment_name(f.name): str(value)
        for f in fields(settings)
        if (value := getattr(settings, f.name)) not in (None, "")
    }
    rest = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")}
    return rest | ours | {"CALLCTL_JOURNAL_GRACE_SECONDS": "2"}


async def until_in_log(log: Path, words: str, times: int = 1) -> None:
    """Until the daemon has said so. Raises TimeoutError with the log's end."""

    def read() -> str:
        return log.read_text(errors="replace")

    try:
        async with asyncio.timeout(START_SECONDS):
            while read().count(words) < times:
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"no {words!r} in:\n{read()[-2000:]}") from None


def postgres_pid(directory: Path) -> int:
    return int((directory / "postgres/postmaster.pid").read_text().split()[0])


def metrics(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text: str = answer.read().decode()
        return text
