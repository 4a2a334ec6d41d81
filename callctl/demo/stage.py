"""What the demo plays on: the whole of callctl, with phones and carriers around it."""

import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from callctl.app import Daemon
from callctl.demo.sip import Caller, Phone
from callctl.demo.stack import Progress, Stack, open_stack

NET = "127.0.0"
ROUTING_FILE = Path(__file__).with_name("routing.yaml")
PHONES = ("101", "102", "103", "104", "106", "107", "108")
"""Extensions with a phone; 105 has none, so that there is one that is offline."""

CARRIERS: Mapping[str, int] = {"carrier-a": 21, "carrier-b": 22}
"""Carriers that are there, by the last number of their address; nobody is ``carrier-dead``."""

HTTP_PORT = 8080
PHONES_SECONDS = 2 * 3600
"""How long the simulated phones stay: as long as they may register for at most."""


@dataclass(slots=True)
class Stage:
    """The running demo. `password` and `token` are generated once and kept beside the data."""

    stack: Stack
    phones: dict[str, Phone]
    carriers: dict[str, Phone]
    password: str
    token: str

    @property
    def url(self) -> str:
        return self.stack.url

    def party(self, name: str) -> Phone | None:
        """The phone or carrier of that name; None for those that are not there."""
        return self.phones.get(name) or self.carriers.get(name)

    def caller(
        self, from_: str, to: str, *, via: str | None = None, talk: float | None = None
    ) -> Caller:
        """A call of extension `from_`, or (with a carrier's name) of the outside number `from_`."""
        address = f"{NET}.{CARRIERS[via] if via else from_}"
        secret = None if via else self.stack.secrets[from_]
        directory = self.stack.state_dir / "sip"
        return Caller(
            from_, address, self.stack.address, directory, to=to, secret=secret, talk=talk
        )


@contextlib.asynccontextmanager
async def open_stage(
    state_dir: Path, progress: Progress, *, keep_routing: bool
) -> AsyncIterator[Stage]:
    """Start it all; stops it all again. With `keep_routing` a visitor's own changes stay.

    Raises what its parts raise when they cannot start."""
    async with contextlib.AsyncExitStack() as life:
        stack = await life.enter_async_context(
            open_stack(
                state_dir,
                ROUTING_FILE,
                net=NET,
                http_port=_http_port(),
                keep_routing=keep_routing,
                progress=progress,
            )
        )
        progress("Registering the phones")
        server, sip_dir = stack.address, state_dir / "sip"
        phones = {
            e: Phone(e, f"{NET}.{e}", server, sip_dir, secret=stack.secrets[e]) for e in PHONES
        }
        carriers = {n: Phone(n, f"{NET}.{end}", server, sip_dir) for n, end in CARRIERS.items()}
        for phone in (*phones.values(), *carriers.values()):
            phone.life_seconds = PHONES_SECONDS
            await life.enter_async_context(phone)
        await stack.until_qualified(len(carriers))
        password, token = await _credentials(stack.daemon, state_dir / "demo.json")
        yield Stage(stack, phones, carriers, password, token)


def _http_port() -> int:
    """The usual port, or any free one (0) where something else has it."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((f"{NET}.1", HTTP_PORT))
        return HTTP_PORT
    return 0


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
