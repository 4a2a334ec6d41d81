"""A call centre in a browser: the daemon without an Asterisk, its journal written by hand."""

import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from callctl.app import Daemon
from callctl.core.author import Author
from callctl.core.permissions import ALL_SCOPES
from callctl.features.people.model import NewUser
from callctl.http.endpoint import Actor
from tests.history.conftest import eventually, fixture_rows

PASSWORD = "correct horse battery"
HOSTILE = "<script>document.title='owned'</script>"
RIGHT_TO_LEFT = "שרה כהן"

ROUTING = """
account: {code: main, name: Example Ltd, country: GB, timezone: Europe/Budapest}
extensions:
  - {number: 201, name: Ada Meadow}
  - {number: 202, name: Ben Okafor}
  - {number: 203, name: Csilla Tóth}
  - {number: 204, name: Đặng Thu Hà}
trunks: [{name: trunk, host: 192.0.2.1, match: [192.0.2.1]}]
dids:
  - {number: +44 20 7946 0100, label: main line, to: [hunt_group:sales]}
  - number: +44 20 7946 0101
    label: support
    to: [extension:201, extension:202]
    schedule: office
    closed: ["hangup:unavailable"]
hunt_groups:
  - {name: sales, number: 600, members: [201, 202, 203], ring_seconds: 10}
schedules:
  - name: office
    weekly: [mon-fri 08:00-17:00]
    holidays: [{day: 2026-12-25, name: Christmas, yearly: true}]
blocklist: [{match: "+44909.", reason: premium rate numbers never call in}]
outbound: [{name: national, patterns: ["+44XXXXXXXXXX"], trunks: [trunk], permission: national}]
"""

PEOPLE = (
    ("hanna", "Hanna Head", "head", None),
    ("lea", "Lea Leader", "group_leader", "202"),
    ("max", "Max Manager", "manager", "201"),
)

_written = itertools.count(1)


def rows_at(name: str, at: float, caller: str | None = None) -> bytes:
    """A fixture's rows as if its first one had been written at `at`; `caller`: another name for
    who calls in it. Each time another call, also within one second."""
    text = fixture_rows(name).decode()
    shift = int(at) - int(text[:10])
    moved = re.sub(r"\b1795\d{6}\b", lambda found: str(int(found[0]) + shift), text)
    moved = moved.replace('"lab-', f'"lab{next(_written)}-')
    if caller is not None:
        moved = moved.replace("Alice Adams", caller.replace('"', '""'))
    return moved.encode()


@dataclass(slots=True)
class House:
    """The daemon, and what the tests know of it."""

    daemon: Daemon
    journal: Path
    account: int
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.daemon.http_port}"

    @property
    def boss(self) -> Actor:
        return Actor(self.account, "admin", ALL_SCOPES, 1)

    def write(self, rows: bytes) -> None:
        with self.journal.open("ab") as file:
            file.write(rows)

    async def calls(self) -> int:
        count = await self.daemon.db.fetchval("select count(*) from calls")
        assert isinstance(count, int)
        return count

    async def call(self, name: str, ago: float, caller: str | None = None) -> int:
        """A call that happened `ago` seconds before now; its id."""
        before = await self.daemon.db.fetchval("select coalesce(max(id), 0) from calls")
        self.write(rows_at(name, time.time() - ago, caller))
        found: list[int] = []

        async def stored() -> bool:
            found[:] = [
                row[0]
                for row in await self.daemon.db.fetch("select id from calls where id > $1", before)
            ]
            return bool(found)

        await eventually(stored, f"the call {name} is stored")
        return found[0]

    async def calls_of(self, names: Sequence[tuple[str, float, str | None]]) -> None:
        """Many at once: a fixture's name, how many seconds ago, who calls."""
        now = time.time()
        expected = await self.calls()
        for name, ago, caller in sorted(names, key=lambda one: -one[1]):
            self.write(rows_at(name, now - ago, caller))
        expected += len(names)

        async def stored() -> bool:
            return await self.calls() >= expected

        await eventually(stored, f"{expected} calls are stored")


@asynccontextmanager
async def open_house(daemon: Daemon, journal: Path) -> AsyncIterator[House]:
    """With people, routing, and a week of calls."""
    account = daemon.default_account_id
    house = House(daemon, journal, account)
    house.passwords["admin"] = await daemon.access.reset_password("admin")
    await daemon.routing.apply(account, ROUTING, Author("admin"))
    for login, name, role, extension in PEOPLE:
        await daemon.users.create_user(
            house.boss,
            NewUser(login, name, role, extension=extension, password=PASSWORD),  # type: ignore[arg-type]
        )
        house.passwords[login] = PASSWORD
    await house.calls_of(list(week()))
    yield house


def week() -> Iterator[tuple[str, float, str | None]]:
    """Some sixty calls of the last six days, of all kinds."""
    names = (
        "answered",
        "missed_by_all",
        "internal",
        "outbound",
        "busy",
        "second_answers",
        "cancelled_first",
        "attended_transfer",
        "anonymous",
    )
    callers = (None, HOSTILE, RIGHT_TO_LEFT, None)
    for day in range(6):
        for place in range(10):
            name = names[(place + day) % len(names)]
            yield name, 3600 + day * 86400 + place * 2700 + day * 31, callers[place % 4]
