"""One Asterisk of our own: its directories, its start, its end. For the demo and the tests.

Production runs the system's Asterisk as the system's service; what it needs of here is only the
configuration (`conf.py`).
"""

import asyncio
import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from callctl.asterisk.conf import (
    ConfValues,
    read_or_make_secret,
    write_asterisk_conf,
    write_files,
)
from callctl.asterisk.hold_music import write_hold_music
from callctl.asterisk.program import AsteriskProgram, hosts_text
from callctl.asterisk.tls import make_certificate

START_SECONDS = 45.0
STOP_SECONDS = 10.0
CLI_SECONDS = 10.0
_MAX_SOCKET_PATH = 107
"""sun_path holds 108 bytes with its NUL (Linux, unix(7))."""


class AsteriskError(RuntimeError):
    """Asterisk did not start, or does not answer. The text ends with what it printed last."""


class AsteriskInstance:
    """Asterisk beneath `state_dir`/asterisk, listening on `address` alone.

    Its secret for the manager interface is in `state_dir`/ami.secret. An `ami_port` of 0 takes a
    free one. `readable` directories are visible to it where they are (scripts). Phones are not
    qualified by default: simulated ones come and go at one address within seconds, and a phone
    counts as gone until it is asked again. Use as an async context manager, or `start` and `stop`.
    """

    def __init__(
        self,
        program: AsteriskProgram,
        state_dir: Path,
        *,
        address: str = "127.0.0.1",
        sip_port: int = 5060,
        tls_port: int = 5061,
        agi_address: str = "127.0.0.1",
        agi_port: int = 4573,
        ami_port: int = 0,
        systemname: str = "callctl",
        rtp_ports: tuple[int, int] = (10000, 20000),
        phone_qualify_seconds: int = 0,
        readable: Sequence[Path] = (),
    ) -> None:
        self.program = program
        self.state_dir = state_dir.absolute()
        self.home = self.state_dir / "asterisk"
        self.address = address
        self.systemname = systemname
        self.ami_port = ami_port or free_port(address)
        self.ami_secret = read_or_make_secret(self.state_dir / "ami.secret")
        self.readable = tuple(readable)
        self._short_run_dir: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.values = ConfValues(
            etc_dir=self.home / "etc",
            generated_dir=self.home / "etc/callctl.d",
            module_dir=program.module_dir,
            data_dir=program.data_dir,
            lib_dir=self.home / "lib",
            agi_dir=self.home / "agi-bin",
            spool_dir=self.home / "spool",
            run_dir=self._run_dir(),
            log_dir=self.home / "log",
            moh_dir=self.home / "moh",
            recordings_spool=self.home / "spool/callctl",
            tls_certificate=self.home / "tls/certificate.pem",
            tls_key=self.home / "tls/key.pem",
            ami_secret=self.ami_secret,
            systemname=systemname,
            sip_address=address,
            sip_port=sip_port,
            tls_port=tls_port,
            media_address=address,
            rtp_first_port=rtp_ports[0],
            rtp_last_port=rtp_ports[1],
            ami_address=address,
            ami_port=self.ami_port,
            agi_address=agi_address,
            agi_port=agi_port,
            phone_qualify_seconds=phone_qualify_seconds,
        )

    def _run_dir(self) -> Path:
        """Beneath `home`, unless the control socket's name would be too long there."""
        near = self.home / "run"
        if len(os.fsencode(near / "asterisk.ctl")) <= _MAX_SOCKET_PATH:
            return near
        self._short_run_dir = tempfile.TemporaryDirectory(prefix="callctl-asterisk-")
        return Path(self._short_run_dir.name)

    @property
    def journal_path(self) -> Path:
        return self.values.log_dir / "cel-custom" / "journal.csv"

    @property
    def recordings_spool(self) -> Path:
        return self.values.recordings_spool

    @property
    def generated_dir(self) -> Path:
        return self.values.generated_dir

    @property
    def messages_log(self) -> Path:
        """Asterisk's notices, warnings and errors."""
        return self.values.log_dir / "messages"

    @property
    def security_log(self) -> Path:
        return self.values.log_dir / "security"

    @property
    def pid(self) -> int | None:
        """Asterisk's own process, None while it does not run."""
        if self._process is None or self._process.returncode is not None:
            return None
        return descendants(self._process.pid)[0]

    def write_configuration(self) -> None:
        """Directories, configuration, certificate and hold music. What is there is kept."""
        values = self.values
        for directory in (
            values.generated_dir,
            values.lib_dir / "keys",
            values.agi_dir,
            values.spool_dir,
            values.recordings_spool,
            values.run_dir,
            values.log_dir / "cel-custom",
        ):
            directory.mkdir(parents=True, exist_ok=True)
        write_asterisk_conf(values)
        write_hold_music(values.moh_dir)
        write_files(self.home, {"hosts": hosts_text()})
        make_certificate(self.program, values.tls_certificate, values.tls_key, self.address)

    def _command(self, *arguments: str) -> list[str]:
        writable = [self.home]
        if self._short_run_dir is not None:
            writable.append(self.values.run_dir)
        return self.program.command(
            arguments, writable=writable, readable=self.readable, hosts=self.home / "hosts"
        )

    async def start(self) -> None:
        """Returns once Asterisk is fully booted. Raises AsteriskError.

        One that an earlier run left behind in the same directory is stopped first.
        """
        self.write_configuration()
        await self._stop_leftover()
        conf = str(self.values.etc_dir / "asterisk.conf")
        with (self.values.log_dir / "console").open("wb") as console:
            self._process = await asyncio.create_subprocess_exec(
                *self._command("asterisk", "-f", "-C", conf),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._wait_until_booted(self._process)
        except TimeoutError:
            await self.kill()
            raise AsteriskError(
                f"Asterisk was not up after {START_SECONDS:.0f} s\n{self._tail()}"
            ) from None

    async def _wait_until_booted(self, process: asyncio.subprocess.Process) -> None:
        while True:
            if process.returncode is not None:
                raise AsteriskError(
                    f"Asterisk ended at once (exit {process.returncode})\n{self._tail()}"
                )
            with contextlib.suppress(OSError, AsteriskError):
                if "fully booted" in await self.cli("core waitfullybooted", START_SECONDS):
                    return
            await asyncio.sleep(0.02)

    def _tail(self) -> str:
        try:
            text = (self.values.log_dir / "console").read_text(errors="replace")
        except OSError as error:
            return str(error)
        return "\n".join(text.splitlines()[-15:])

    async def _stop_leftover(self) -> None:
        with contextlib.suppress(OSError, AsteriskError):
            await self.cli("core stop now")
            async with asyncio.timeout(STOP_SECONDS):
                while True:
                    await self.cli("core show version")
                    await asyncio.sleep(0.05)

    async def cli(self, command: str, seconds: float = CLI_SECONDS) -> str:
        """The answer to a console command. Raises OSError, AsteriskError."""
        try:
            async with asyncio.timeout(seconds):
                return await console_command(self.values.run_dir / "asterisk.ctl", command)
        except TimeoutError:
            raise AsteriskError(f"no answer to {command!r} in {seconds:.0f} s") from None

    async def until_ended(self) -> int:
        """The exit code of an Asterisk that was started, once it has ended."""
        if self._process is None:
            raise RuntimeError("Asterisk was not started")
        return await self._process.wait()

    async def stop(self) -> None:
        """End calls, write their last journal rows, stop; killed if that takes too long."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(OSError, AsteriskError):
                await self.cli("core stop now")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            _kill_tree(process.pid)
            await process.wait()
        self._remove_short_run_dir()

    async def kill(self) -> None:
        """As if the machine's power went: nothing more is written."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            _kill_tree(process.pid)
            await process.wait()

    def _remove_short_run_dir(self) -> None:
        if self._short_run_dir is not None and self.values.run_dir.is_dir():
            for file in self.values.run_dir.iterdir():
                file.unlink(missing_ok=True)

    async def __aenter__(self) -> "AsteriskInstance":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        await self.stop()


async def console_command(control: Path, command: str) -> str:
    """Ask a running Asterisk as ``asterisk -rx`` does, without starting a process.

    The control socket greets with one line, takes commands that end in NUL, and closes after one
    that is marked so (Asterisk 22, main/asterisk.c: netconsole). Raises OSError.
    """
    reader, writer = await asyncio.open_unix_connection(str(control))
    try:
        await reader.readline()
        writer.write(b"cli quit after " + command.encode() + b"\0")
        await writer.drain()
        return (await reader.read()).replace(b"\0", b"").decode(errors="replace")
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def free_port(address: str) -> int:
    """A TCP port of `address` that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def descendants(pid: int) -> list[int]:
    """`pid` and all below it, deepest first."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        children = []
    return [p for child in children for p in descendants(int(child))] + [pid]


def _kill_tree(pid: int) -> None:
    for each in descendants(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(each, signal.SIGKILL)
