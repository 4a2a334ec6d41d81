"""Everything the demo needs, running: PostgreSQL, Asterisk, callctl, phones and carriers."""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agi.install import install_check
from callctl.app import Daemon, open_daemon
from callctl.asterisk.program import find_asterisk
from callctl.asterisk.runtime import AsteriskInstance, free_port
from callctl.config import load_settings
from callctl.demo.sip import Phone

ADDRESS = "127.0.0.1"
ROUTING_FILE = Path(__file__).with_name("routing.yaml")
PHONES = ("101", "102", "103", "104", "106", "107", "108")
"""Extensions with a phone; 105 has none, so that there is one that is offline."""

CARRIERS: Mapping[str, str] = {"carrier-a": "127.0.0.21", "carrier-b": "127.0.0.22"}
"""Carriers that are there; nobody answers for ``carrier-dead``."""

READY_SECONDS = 30.0
HTTP_PORT = 8080

Progress = Callable[[str], None]


@dataclass(slots=True)
class Stage:
    """The running demo. `password` and `token` are generated once and kept beside the data."""

    daemon: Daemon
    asterisk: AsteriskInstance
    phones: dict[str, Phone]
    carriers: dict[str, Phone]
    password: str
    token: str
    url: str
    secrets: dict[str, str]

    def party(self, name: str) -> Phone | None:
        """The phone or carrier of that name; None for those that are not there."""
        return self.phones.get(name) or self.carriers.get(name)


def phone_address(extension: str) -> str:
    """Each simulated phone has a loopback address of its own."""
    return f"127.0.0.{extension}"


@contextlib.asynccontextmanager
async def open_stage(state_dir: Path, progress: Progress) -> AsyncIterator[Stage]:
    """Start it all; stops it all again. Raises what its parts raise when they cannot start."""
    program = await asyncio.to_thread(find_asterisk, os.environ, None, progress)
    progress(f"Asterisk {program.version}")
    agi_port = free_port(ADDRESS)
    asterisk = AsteriskInstance(
        program,
        state_dir,
        address=ADDRESS,
        agi_address=ADDRESS,
        agi_port=agi_port,
    )
    asterisk.readable = install_check(asterisk.values.agi_dir)
    asterisk.write_configuration()
    settings = load_settings(
        {
            "CALLCTL_STATE_DIR": str(state_dir),
            "CALLCTL_SYSTEMNAME": asterisk.systemname,
            "CALLCTL_HTTP_PORT": str(_http_port()),
            "CALLCTL_AGI_PORT": str(agi_port),
            "CALLCTL_AMI_PORT": str(asterisk.ami_port),
            "CALLCTL_AMI_SECRET": asterisk.ami_secret,
            "CALLCTL_JOURNAL_PATH": str(asterisk.journal_path),
            "CALLCTL_RECORDINGS_SPOOL": str(asterisk.recordings_spool),
            "CALLCTL_ASTERISK_GENERATED_DIR": str(asterisk.generated_dir),
            "CALLCTL_JOURNAL_GRACE_SECONDS": "0.5",
        }
    )
    async with contextlib.AsyncExitStack() as stack:
        progress("Starting PostgreSQL and callctl")
        daemon = await stack.enter_async_context(open_daemon(settings))
        async with asyncio.timeout(READY_SECONDS):
            await daemon.ready.wait()
        await _apply_routing(daemon)
        progress("Starting Asterisk")
        await asterisk.start()
        stack.push_async_callback(asterisk.stop)
        await daemon.ami.wait_for_state(True, READY_SECONDS)
        progress("Registering the phones")
        secrets = {e: daemon.routing.credentials[e].secret for e in PHONES}
        sip_dir = state_dir / "sip"
        phones = {
            e: Phone(e, phone_address(e), ADDRESS, sip_dir, secret=secrets[e]) for e in PHONES
        }
        carriers = {n: Phone(n, address, ADDRESS, sip_dir) for n, address in CARRIERS.items()}
        for phone in (*phones.values(), *carriers.values()):
            await stack.enter_async_context(phone)
        await _carriers_qualified(asterisk)
        password, token = await _credentials(daemon, state_dir / "demo.json")
        url = f"http://{settings.http_host}:{daemon.http_port}"
        yield Stage(daemon, asterisk, phones, carriers, password, token, url, secrets)


def _http_port() -> int:
    """The usual port, or a free one where something else has it."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((ADDRESS, HTTP_PORT))
        return HTTP_PORT
    return free_port(ADDRESS)


async def _apply_routing(daemon: Daemon) -> None:
    """The demo's routing, as `callctl routing apply` would."""
    account_id = (await daemon.access.bootstrap()).account_id
    text = ROUTING_FILE.read_bytes()
    await daemon.routing.apply(account_id, text, "demo", file=ROUTING_FILE.name)


async def _carriers_qualified(asterisk: AsteriskInstance) -> None:
    """Until Asterisk knows which carriers are there: a dead one must not eat the ring time."""
    async with asyncio.timeout(READY_SECONDS):
        while True:
            contacts = await asterisk.cli("pjsip show contacts")
            lines = [line for line in contacts.splitlines() if "carrier-" in line]
            alive = sum("Avail" in line and "Unavail" not in line for line in lines)
            if alive == len(CARRIERS) and any("Unavail" in line for line in lines):
                return
            await asyncio.sleep(0.1)


async def _credentials(daemon: Daemon, file: Path) -> tuple[str, str]:
    """The administrator's password and a token, generated at the first start."""
    kept = _read_credentials(file)
    if kept is not None:
        return kept
    password = await daemon.access.reset_password("admin")
    token = await daemon.access.issue_token("demo")
    _write_credentials(file, password, token)
    return password, token


def _read_credentials(file: Path) -> tuple[str, str] | None:
    if not file.exists():
        return None
    kept = json.loads(file.read_text())
    return kept["password"], kept["token"]


def _write_credentials(file: Path, password: str, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps({"password": password, "token": token}))
