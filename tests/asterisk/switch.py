"""A running Asterisk with our dialplan, provisioned from a routing table, whose plans a test gives.

The FastAGI server is the daemon's own; only what decides is a table of the test's.
"""

import asyncio
import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from agi.route import route_verb
from callctl.asterisk.fastagi import AgiCall
from callctl.asterisk.fastagi_server import FastAgiServer
from callctl.asterisk.program import AsteriskProgram
from callctl.asterisk.provision import render_provisioning, write_provisioning
from callctl.asterisk.runtime import AsteriskInstance
from callctl.core.routing.encoding import encode_plan
from callctl.core.routing.model import RoutingTable, SipCredential
from callctl.core.routing.plan import Direction, RoutePlan, Step
from callctl.demo.sip import Behaviour, Caller, Phone

YEAR = 2026
_COLUMNS = (
    *("epoch", "eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_dnid"),
    *("exten", "context", "channame", "appname", "appdata", "uniqueid", "linkedid"),
    *("peer", "userfield", "eventextra"),
)


def secret_of(endpoint: str) -> str:
    return f"secret-of-{endpoint}"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the journal. `extra` holds the fields of a row of ours, decoded."""

    type: str
    columns: dict[str, str]
    extra: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.columns[name]


@dataclass(slots=True)
class Switch:
    """`net` are the first three numbers of everybody's address: the switch is net.1."""

    program: AsteriskProgram
    directory: Path
    net: str
    table: RoutingTable
    plans: dict[str, str | Callable[[AgiCall], str]] = field(default_factory=dict)
    asked: list[AgiCall] = field(default_factory=list)
    instance: AsteriskInstance = field(init=False)
    complaints_at_start: list[str] = field(init=False)
    agi: FastAgiServer = field(init=False)

    @property
    def address(self) -> str:
        return f"{self.net}.1"

    async def start(self) -> None:
        self.agi = FastAgiServer(self.address, 0, {"route": route_verb(self._decide)})
        await self.agi.start()
        self.instance = AsteriskInstance(
            self.program,
            self.directory,
            address=self.address,
            agi_address=self.address,
            agi_port=self.agi.port,
            systemname="test-1",
        )
        self.provision(self.table)
        await self.instance.start()
        self.complaints_at_start = complaints(self.instance.messages_log)

    async def stop(self) -> None:
        await self.instance.stop()
        await self.agi.stop()

    def provision(self, table: RoutingTable) -> tuple[str, ...]:
        """Writes the generated files; the caller reloads."""
        credentials = {
            name: SipCredential(name, name, secret_of(name))
            for name, (_, kind, _) in table.endpoints.items()
            if kind == "extension"
        }
        self.instance.write_configuration()
        files = render_provisioning(table, credentials, YEAR)
        return write_provisioning(self.instance.generated_dir, files)

    def _decide(self, call: AgiCall) -> str:
        self.asked.append(call)
        plan = self.plans[call.dialled]
        return plan if isinstance(plan, str) else plan(call)

    def phone(self, extension: str, behaviour: Behaviour, **more: object) -> Phone:
        """A registered phone at an address of its own; use as an async context manager."""
        address = f"{self.net}.{extension}"
        return Phone(
            extension,
            address,
            self.address,
            self.directory / "sip",
            secret=secret_of(extension),
            behaviour=behaviour,
            **more,  # type: ignore[arg-type]
        )

    def carrier(self, number: int, behaviour: Behaviour) -> Phone:
        """The called side of the trunk at net.`number`."""
        address = f"{self.net}.{number}"
        name = f"carrier-{number}"
        return Phone(name, address, self.address, self.directory / "sip", behaviour=behaviour)

    def call_in(self, to: str, carrier: int = 21, **more: object) -> Caller:
        """A call from the trunk at net.`carrier`."""
        return Caller(
            "+36301112222",
            f"{self.net}.{carrier}",
            self.address,
            self.directory / "sip",
            to=to,
            **more,  # type: ignore[arg-type]
        )

    def call_from(self, extension: str, to: str, **more: object) -> Caller:
        """A call by an extension's phone."""
        return Caller(
            extension,
            f"{self.net}.{extension}",
            self.address,
            self.directory / "sip",
            to=to,
            secret=secret_of(extension),
            **more,  # type: ignore[arg-type]
        )

    def rows(self, linkedid: str | None = None) -> list[Row]:
        """The journal so far, of one call or of all."""
        rows = read_rows(self.instance.journal_path)
        return [row for row in rows if linkedid in (None, row["linkedid"])]

    async def idle(self, seconds: float = 10.0) -> None:
        """Waits until no channel is left and the journal has taken its last row."""
        async with asyncio.timeout(seconds):
            while True:
                channels = await self.instance.cli("core show channels count")
                rows = self.rows()
                starts = sum(row.type == "CHAN_START" for row in rows)
                ends = sum(row.type == "CHAN_END" for row in rows)
                if channels.startswith("0 active channels") and starts == ends:
                    return
                await asyncio.sleep(0.05)

    async def rows_after(self, count: int) -> list[Row]:
        """All rows but the first `count`, once the switch is idle."""
        await self.idle()
        return self.rows()[count:]

    async def qualified(self, endpoint: str, state: str, seconds: float = 10.0) -> None:
        """Waits until a contact of `endpoint` is Avail or Unavail."""
        async with asyncio.timeout(seconds):
            while True:
                contacts = await self.instance.cli("pjsip show contacts")
                if any(f" {endpoint}/" in c and f" {state}" in c for c in contacts.splitlines()):
                    return
                await asyncio.sleep(0.05)


def read_rows(journal: Path) -> list[Row]:
    """All rows of a journal file; none if there is no file yet."""
    try:
        text = journal.read_text(errors="surrogateescape")
    except FileNotFoundError:
        return []
    found = []
    for values in csv.reader(io.StringIO(text, newline="")):
        columns = dict(zip(_COLUMNS, values, strict=True))
        ours = columns["eventtype"].startswith("CALLCTL_")
        extra = _fields(columns["eventextra"]) if ours else {}
        found.append(Row(columns["eventtype"], columns, extra))
    return found


EXPECTED_COMPLAINTS = (
    # dialplan/10-doors.conf means both: whatever is dialled is routed or refused by a rule, and a
    # number pressed during a call ends with a pause.
    "The use of '_!' for an extension is strongly discouraged",
    "The use of '_.' for an extension is strongly discouraged",
    # A packet came while Asterisk was still loading its modules.
    "registered during operation. Enable PJSIP_SAFE_MODULE",
)


def complaints(log: Path) -> list[str]:
    """Warnings and errors that Asterisk wrote, but those that are explained above."""
    lines = log.read_text(errors="replace").splitlines()
    loud = [line for line in lines if "] WARNING[" in line or "] ERROR[" in line]
    return [line for line in loud if not any(known in line for known in EXPECTED_COMPLAINTS)]


def _fields(extra: str) -> dict[str, str]:
    text = extra.removeprefix('{"extra":"').removesuffix('"}')
    pairs = (part.partition("=") for part in text.split(";") if part)
    return {key: unquote(value) for key, _, value in pairs}


def plan(*steps: Step, direction: Direction = Direction.INBOUND, **more: object) -> str:
    """An encoded plan of these steps."""
    values: dict[str, object] = {
        "plan_id": "p1",
        "account_id": 1,
        "route": "test",
        "trace": (),
        **more,
    }
    return encode_plan(RoutePlan(direction=direction, steps=steps, **values))  # type: ignore[arg-type]
