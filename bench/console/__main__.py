"""How long the console lets one wait for a page, over 5 million calls."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from yarl import URL

from bench.report import Report, number, open_report
from bench.scratch import scratch_postgres
from bench.store.generate import EXTENSIONS
from bench.store.house import House, make_house
from callctl.app import Daemon
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.console.navigation import MENU
from callctl.core.author import Author
from callctl.core.permissions import ALL_SCOPES, Role
from callctl.db.embedded import EmbeddedPostgres
from callctl.features.people.model import NewUser
from callctl.http.endpoint import Actor

ROUNDS = 5
# The generator makes accounts and calls without triggers.
MAKE_WALLET = """
insert into books (account_id, kind, currency) select id, 'wallet', currency from accounts
where id = $1 on conflict do nothing
"""
LOGIN, PASSWORD = "bench", "correct horse battery"
FULL, QUICK = 5_000_000, 20_000
FIRST_BYTE_MS, LIST_MS = 100.0, 200.0

PAGES = (
    *(entry.path for section in MENU for entry in section.entries),
    *("/?period=7d", "/?period=3d", "/reports/calls-by-period", "/reports/employees-distribution"),
    *("/reports/clients-first-contact", "/calls/{call}", "/clients/{client}", "/first-steps"),
)
LISTS = (
    *("/calls", "/calls?outcome=MISSED", "/calls?recorded=yes", "/calls?extension=1010"),
    *("/calls?direction=inbound&outcome=BUSY", "/calls?number={number}", "/calls?number=4512"),
    *("/calls?first_day=2025-01-01&last_day=2025-01-31", "/clients?q=client+1000"),
)
"""What a list asks for when somebody filters it or goes on in it."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, and what stands in the addresses that are opened."""

    http: aiohttp.ClientSession
    names: dict[str, object]

    async def first_byte_ms(self, path: str) -> float:
        """Raises RuntimeError when it is no page."""
        began = time.perf_counter()
        async with self.http.get(path.format(**self.names), allow_redirects=False) as answer:
            await answer.content.readany()
            waited = time.perf_counter() - began
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
        return waited * 1000


def main() -> None:
    report = open_report("console")
    calls = QUICK if report.options.quick else FULL
    with scratch_postgres() as server:
        asyncio.run(measure(report, server, calls))


async def measure(report: Report, server: EmbeddedPostgres, calls: int) -> None:
    house = await make_house(server, "house", calls, sums=True)
    async with _visit(house, server.url_of("house")) as visitor:
        waited = {path: [await visitor.first_byte_ms(path)] for path in (*PAGES, *LISTS)}
        for _ in range(ROUNDS):
            for path, rounds in waited.items():
                rounds.append(await visitor.first_byte_ms(path))
    waited = {path: rounds[1:] for path, rounds in waited.items()}
    tell(report, calls, waited)
    await house.db.close()


def tell(report: Report, calls: int, waited: dict[str, list[float]]) -> None:
    for name, paths, limit in (
        ("first byte of a page", PAGES, FIRST_BYTE_MS),
        ("a list's answer", LISTS, LIST_MS),
    ):
        worst = max(paths, key=lambda path: statistics.median(waited[path]))
        middle = statistics.median(statistics.median(waited[path]) for path in paths)
        report.limit(
            f"{name} at {calls:,} calls, the slowest of {len(paths)}",
            waited[worst],
            "ms",
            at_most=limit,
            note=f"{worst}. The median of all of them is {middle:.0f} ms. Client and daemon share "
            "a process.",
        )
    lines = ["| Address | ms |", "|---|---:|"]
    ranked = sorted(waited, key=lambda path: -statistics.median(waited[path]))
    lines += [f"| `{path}` | {number(statistics.median(waited[path]))} |" for path in ranked]
    report.figure("Every page", "\n".join(lines))


@asynccontextmanager
async def _visit(house: House, url: str) -> AsyncIterator[Visitor]:
    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as state:
        values = {
            "STATE_DIR": state,
            "HTTP_PORT": 0,
            "AGI_PORT": 0,
            "AMI_PORT": free_port("127.0.0.1"),
            "JOURNAL_PATH": Path(state) / "journal.csv",
            "RECORDINGS_SPOOL": Path(state) / "spool",
            "ASTERISK_GENERATED_DIR": Path(state) / "generated",
        }
        settings = load_settings({f"CALLCTL_{name}": str(value) for name, value in values.items()})
        async with Daemon(settings, house.db, url) as daemon:
            await daemon.ready.wait()
            await _furnish(daemon, house.account)
            base = URL(f"http://127.0.0.1:{daemon.http_port}")
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(base, cookie_jar=jar) as http:
                form = {"login": LOGIN, "password": PASSWORD}
                origin = {"Origin": str(base)}
                async with http.post("/sign-in", data=form, headers=origin) as answer:
                    answer.raise_for_status()
                yield Visitor(http, await _names(house))


async def _furnish(daemon: Daemon, account: int) -> None:
    await daemon.db.execute(MAKE_WALLET, account)
    extensions = ", ".join(f"{{number: {1000 + i}}}" for i in range(EXTENSIONS))
    head = "account: {code: bench, country: HU, timezone: Europe/Budapest}"
    routing = f"{head}\nextensions: [{extensions}]\n"
    await daemon.routing.apply(account, routing, Author(LOGIN))
    boss = Actor(account, LOGIN, ALL_SCOPES)
    new = NewUser(LOGIN, "Bench", Role.ADMINISTRATOR, extension="1010", password=PASSWORD)
    await daemon.users.create_user(boss, new)


async def _names(house: House) -> dict[str, object]:
    return {
        "call": await house.db.fetchval("select max(id) from calls"),
        "client": await house.db.fetchval("select max(id) from clients"),
        "number": await house.db.fetchval("select number from numbers where id = 1000"),
    }


if __name__ == "__main__":
    main()
