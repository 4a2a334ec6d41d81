"""A plain Asterisk with a plain dialplan, for trying phones and recording journals.

Nothing of callctl runs in it but the journal's column mapping: what it writes is what any
office's Asterisk would write. Its configuration is in the directory ``lab`` beside this file.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from callctl.asterisk.program import AsteriskProgram, hosts_text
from callctl.asterisk.runtime import AsteriskInstance

TEMPLATES = Path(__file__).with_name("lab")
IDLE = "0 active channels"


@dataclass(frozen=True, slots=True)
class LabEndpoint:
    """A phone (with a secret) or a carrier (with the address it is known by)."""

    name: str
    secret: str | None = None
    address: str | None = None
    caller_name: str | None = None

    def conf(self) -> str:
        """Its sections of pjsip.conf."""
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


class Lab(AsteriskInstance):
    """An Asterisk below `directory` on the address `net`.1, with a configuration of its own."""

    def __init__(
        self,
        program: AsteriskProgram,
        directory: Path,
        net: str,
        endpoints: Sequence[LabEndpoint],
    ) -> None:
        super().__init__(program, directory, address=f"{net}.1", systemname="lab")
        self.endpoints = endpoints

    def write_configuration(self) -> None:
        values = self.values
        for directory in (
            values.etc_dir,
            values.lib_dir,
            values.spool_dir,
            values.run_dir,
            values.log_dir / "cel-custom",
        ):
            directory.mkdir(parents=True, exist_ok=True)
        (self.home / "hosts").write_text(hosts_text())
        for template in TEMPLATES.glob("*.conf"):
            # Each placeholder is the name of one of the values.
            text = re.sub(
                r"\{\{(\w+)\}\}", lambda m: str(getattr(values, m[1])), template.read_text()
            )
            if template.name == "pjsip.conf":
                text += "\n" + "\n".join(e.conf() for e in self.endpoints)
            (values.etc_dir / template.name).write_text(text)

    async def until_idle(self, seconds: float = 15.0) -> None:
        """Waits until no channel is left. Raises TimeoutError, naming those that are."""
        listing = await self.cli("core show channels")
        try:
            async with asyncio.timeout(seconds):
                while IDLE not in listing:
                    await asyncio.sleep(0.05)
                    listing = await self.cli("core show channels")
        except TimeoutError:
            raise TimeoutError(f"channels left: {listing}") from None

    async def ami(self, *actions: Mapping[str, str]) -> None:
        """Logs in, sends the actions, and waits for each one's response. Raises RuntimeError."""
        reader, writer = await asyncio.open_connection(self.address, self.ami_port)
        login = {
            "Action": "Login",
            "Username": "lab",
            "Secret": self.ami_secret,
            "Events": "off",
        }
        try:
            await reader.readline()
            for action in (login, *actions):
                lines = [f"{name}: {value}" for name, value in action.items()]
                writer.write("\r\n".join([*lines, "", ""]).encode())
                answer = await reader.readuntil(b"\r\n\r\n")
                if b"Success" not in answer:
                    raise RuntimeError(f"AMI refused {action['Action']}: {answer!r}")
        finally:
            writer.close()
            await writer.wait_closed()
