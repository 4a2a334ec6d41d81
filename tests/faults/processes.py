"""The processes that faults strike: the daemon, PostgreSQL; and the false clock for any of them."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import aiohttp

from callctl.asterisk.runtime import descendants
from callctl.config import Settings, environment_name
from callctl.db.embedded import EmbeddedPostgres

READY_SECONDS = 40.0
POLL_SECONDS = 0.05


class DaemonProcess:
    """`callctl run` as a process of its own, with these settings and more in its environment."""

    def __init__(self, settings: Settings, changes: Mapping[str, str], log: Path) -> None:
        own = {f.name: getattr(settings, f.name) for f in fields(settings)}
        values = {environment_name(n): str(v) for n, v in own.items() if v not in (None, "", ())}
        self._environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")},
            **values,
            **changes,
        }
        self._url = f"http://{settings.http_host}:{settings.http_port}"
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, extra: Mapping[str, str] | None = None) -> None:
        """Returns once it is up; `until_ready` tells when it has its database, too."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "--"),
                *(sys.executable, "-m", "callctl", "run"),
                env={**self._environ, **(extra or {})},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def send(self, number: signal.Signals) -> None:
        """Raises RuntimeError while it does not run."""
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"the daemon does not run: {self.log_end()}")
        self._process.send_signal(number)

    async def kill(self) -> None:
        """kill -9, and its process is gone."""
        self.send(signal.SIGKILL)
        await self.gone()

    async def stop(self) -> None:
        """In good order, if it runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            await self.gone()

    async def gone(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            raise TimeoutError(f"the daemon does not end: {self.log_end()}") from None

    async def until_ready(self) -> None:
        """Until it says that all that it needs is there."""
        try:
            async with asyncio.timeout(READY_SECONDS):
                while await self._status("/readyz") != 200:
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise TimeoutError(f"the daemon is not ready: {self.log_end()}") from None

    async def _status(self, path: str) -> int:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            limit = aiohttp.ClientTimeout(total=5)
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(self._url + path) as response,
            ):
                return response.status
        return 0

    async def gauges(self) -> dict[str, float]:
        """What /metrics says of each metric without labels."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}/metrics") as response,
        ):
            text = await response.text()
        lines = (line.split(" ") for line in text.splitlines() if not line.startswith("#"))
        return {words[0]: float(words[1]) for words in lines if "{" not in words[0]}

    def log_end(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])


class Postgres:
    """A PostgreSQL of the world's own, which can be struck and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: EmbeddedPostgres | None = None

    async def start(self) -> str:
        """Its URL, always the same."""
        self._server = await asyncio.to_thread(EmbeddedPostgres.start, self._directory)
        return self._server.url

    @property
    def server(self) -> EmbeddedPostgres:
        assert self._server is not None
        return self._server

    async def stop(self) -> None:
        """In good order, if it runs."""
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)

    async def kill(self) -> None:
        """kill -9 of all its processes."""
        self.send(signal.SIGKILL)
        await self.stop()

    def send(self, number: signal.Signals) -> None:
        """A signal to all its processes."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def pids(self) -> list[int]:
        """The postmaster first, so that it makes no new ones meanwhile."""
        pid = int((self._directory / "postgres/postmaster.pid").read_text().split()[0])
        return descendants(pid)[::-1]


class SmallDisk:
    """A file system of its own for a directory, small enough to be filled. Needs root."""

    SIZE = "320m"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.why_not: str | None = None
        self._ballast = directory / "ballast"

    def mount(self) -> None:
        """`why_not` says what refused it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() != 0:
            self.why_not = "mounting a small disk needs root"
            return
        command = ["mount", "-t", "tmpfs", "-o", f"size={self.SIZE},mode=0700", "tmpfs"]
        done = subprocess.run([*command, str(self.directory)], capture_output=True, text=True)
        if done.returncode:
            self.why_not = f"no small disk can be mounted: {done.stderr.strip()}"

    def unmount(self) -> None:
        if self.why_not is None:
            subprocess.run(["umount", "--lazy", str(self.directory)], check=True)

    def fill(self) -> None:
        """Not a byte is left."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(1 << 16)):
                pass

    def empty(self) -> None:
        self._ballast.unlink(missing_ok=True)


class FalseClock:
    """A wall clock that can be stepped for processes that are started with `environ`."""

    _PLACES = ("/usr/lib/*/faketime", "/usr/lib/faketime", "/usr/local/lib/faketime")

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._library = directory / "libfaketimeMT.so.1"
        found = [p for place in self._PLACES for p in Path("/").glob(f"{place[1:]}/libfaketimeMT*")]
        self.why_not = None if found else "libfaketime is not installed"
        if found:
            # Beside the world's other files, where a private root sees it, too.
            shutil.copyfile(found[0], self._library)
            self.step(0)

    @property
    def environ(self) -> dict[str, str]:
        """A stepped wall clock leaves the monotonic one alone, as a real step does."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_RESET": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def step(self, seconds: int) -> None:
        """From now on the clock is off by so many seconds."""
        draft = self._file.with_suffix(".new")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self._file)

    @contextlib.contextmanager
    def in_environment(self) -> Iterator[None]:
        """For what is started meanwhile."""
        before = dict(os.environ)
        os.environ.update(self.environ)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)
