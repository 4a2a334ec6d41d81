"""A plain Asterisk with a plain dialplan, for trying phones and recording journals.

Nothing of callctl runs in it but the journal's column mapping: what it writes is what any
office's Asterisk would write.
"""

import asyncio
import contextlib
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

TEMPLATES = Path(__file__).with_name("lab")
START_SECONDS = 30.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class LabEndpoint:
    """A phone (with a secret) or a carrier (with the address it is known by)."""

    name: str
    secret: str | None = None
    address: str | None = None
    caller_name: str | None = None

    def conf(self) -> str:
        if self.secret is None:
            return (
                f"[{self.name}](carrier)\naors = {self.name}\nset_var = FORWARD_CONTEXT=internal\n"
                f"[{self.name}]\ntype = aor\ncontact = sip:{self.address}:5060\n"
                f"[{self.name}]\ntype = identify\nendpoint = {self.name}\nmatch = {self.address}\n"
            )
        return (
            f"[{self.name}](phone)\nauth = {self.name}\naors = {self.name}\n"
            f'callerid = "{self.caller_name or self.name}" <{self.name}>\n'
            f"[{self.name}](login)\nusername = {self.name}\npassword = {self.secret}\n"
            f"[{self.name}](place)\n"
        )


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Lab:
    """One Asterisk below `directory`. `root` is a file system that holds Asterisk (None: ours)."""

    directory: Path
    address: str
    endpoints: Sequence[LabEndpoint]
    root: Path | None = None
    ami_port: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def journal(self) -> Path:
        return self.directory / "log" / "cel-custom" / "journal.csv"

    @property
    def log(self) -> Path:
        return self.directory / "log" / "messages"

    def _command(self, *asterisk: str) -> list[str]:
        command = ["asterisk", "-C", f"{self.directory}/etc/asterisk.conf", *asterisk]
        if self.root is None:
            return command
        hosts = self.directory / "hosts"
        return [
            *("bwrap", "--bind", str(self.root), "/", "--dev", "/dev", "--proc", "/proc"),
            *("--tmpfs", "/tmp", "--ro-bind", str(hosts), "/etc/hosts"),
            *("--bind", str(self.directory), str(self.directory), "--die-with-parent"),
            *command,
        ]

    def write_configuration(self) -> None:
        for part in ("etc", "lib", "spool", "run", "log/cel-custom"):
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        hosts = f"127.0.0.1 localhost {socket.gethostname()}\n"
        (self.directory / "hosts").write_text(hosts)
        self.ami_port = self.ami_port or free_port(self.address)
        values = {
            "dir": str(self.directory),
            "address": self.address,
            "ami_port": str(self.ami_port),
        }
        for template in TEMPLATES.glob("*.conf"):
            text = re.sub(r"\{\{(\w+)\}\}", lambda m: values[m[1]], template.read_text())
            if template.name == "pjsip.conf":
                text += "\n" + "\n".join(e.conf() for e in self.endpoints)
            (self.directory / "etc" / template.name).write_text(text)

    async def start(self) -> None:
        """Returns once Asterisk says that it is fully booted. Raises TimeoutError."""
        self.write_configuration()
        with (self.directory / "console.log").open("ab") as console:
            self._process = await asyncio.create_subprocess_exec(
                *self._command("-f"), stdin=asyncio.subprocess.DEVNULL, stdout=console, stderr=console
            )
        async with asyncio.timeout(START_SECONDS):
            while True:
                if self._process.returncode is not None:
                    raise RuntimeError(f"Asterisk ended at once: see {self.directory}/console.log")
                with contextlib.suppress(OSError, EOFError):
                    if "fully booted" in await self.cli("core waitfullybooted"):
                        return
                await asyncio.sleep(0.05)

    async def cli(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *self._command("-rx", command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        return out.decode(errors="replace")

    async def until_idle(self, seconds: float = 15.0) -> None:
        """Waits until no channel is left. Raises TimeoutError, naming those that are."""
        listing = ""
        try:
            async with asyncio.timeout(seconds):
                while "0 active channels" not in (listing := await self.cli("core show channels")):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"channels left: {listing}") from None

    async def ami(self, *actions: Mapping[str, str]) -> None:
        """Logs in, sends the actions, and waits for each one's response. Raises RuntimeError."""
        reader, writer = await asyncio.open_connection(self.address, self.ami_port)
        try:
            login = {"Action": "Login", "Username": "lab", "Secret": "lab", "Events": "off"}
            await reader.readline()
            for action in (login, *actions):
                lines = [f"{name}: {value}" for name, value in action.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                if b"Success" not in answer:
                    raise RuntimeError(f"AMI refused {action}: {answer!r}")
        finally:
            writer.close()
            await writer.wait_closed()

    async def stop(self) -> None:
        """Stops at once, hanging up; kills after a bound."""
        if self._process is None:
            return
        await self.cli("core stop now")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._process.wait()
        except TimeoutError:
            await self.kill()
        self._process = None

    async def kill(self) -> None:
        """As a power cut would: nothing is written any more."""
        if self._process is not None:
            for pid in _descendants(self._process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            await self._process.wait()
            self._process = None

    async def __aenter__(self) -> "Lab":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self.stop()


def _descendants(pid: int) -> list[int]:
    """`pid` and its children, children first (bwrap forks once)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [p for child in children for p in _descendants(int(child))] + [pid]
