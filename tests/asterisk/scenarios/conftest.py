"""The whole of callctl on addresses 127.0.7.x, and the rule that no call leaves anything behind."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from callctl.core.permissions import ALL_SCOPES
from callctl.db.embedded import EmbeddedPostgres
from callctl.demo.play import Api
from callctl.demo.sip import Answer, Behaviour, Caller, Phone, Refuse
from callctl.demo.stack import POLL_SECONDS, Stack, open_stack
from callctl.features.ledger.model import TopUp
from callctl.features.people.model import NewGroup, NewUser
from callctl.http.endpoint import Actor
from callctl.telemetry.metrics import UNITS_FAILED
from tests.asterisk.scenarios.desk import Desk
from tests.asterisk.scenarios.office import ALICE, CARRIERS, Office
from tests.console.conftest import DESKTOP
from tests.console.door import enter
from tests.console.house import PASSWORD

NET = "127.0.7"
ROUTING = Path(__file__).with_name("routing.yaml")
NEVER_REGISTERED = {"135", "147"}
SETTLE_SECONDS = 8.0
TRANSACTION_SECONDS = 40.0
CARRIER_SECONDS = 1800

CARRIER_BEHAVIOURS: dict[str, Behaviour] = {
    "carrier-a": Answer(after=0.2),
    "carrier-b": Answer(after=0.2),
    "carrier-503": Refuse(503),
    "carrier-486": Refuse(486, after=0.2, rings=True),
    "carrier-one": Answer(after=0.2),
}


class OwnDatabase:
    """A PostgreSQL of the scenarios' own, which can be stopped and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._server: EmbeddedPostgres | None = None

    async def start(self) -> str:
        """Its URL, always the same."""
        self._server = await asyncio.to_thread(
            EmbeddedPostgres.start, self._directory, durable=False
        )
        return self._server.url

    async def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await asyncio.to_thread(server.stop)


@pytest.fixture(scope="session")
async def database(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OwnDatabase]:
    database = OwnDatabase(tmp_path_factory.mktemp("scenario-db"))
    yield database
    await database.stop()


@pytest.fixture(scope="session")
async def stack(
    database: OwnDatabase, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("stack")
    url = await database.start()
    async with open_stack(directory, ROUTING, net=NET, database_url=url) as stack:
        phones = [
            Phone(e, f"{NET}.{e}", stack.address, directory / "sip", secret=secret)
            for e, secret in stack.secrets.items()
            if e not in NEVER_REGISTERED
        ]
        await asyncio.gather(*(phone.register(3600) for phone in phones))
        await asyncio.gather(*(phone.stop() for phone in phones))
        await _first_call(stack, directory / "sip")
        before = _descriptors_of_asterisk(stack)
        yield stack
        await _descriptors_settled(stack, before)


def _descriptors_of_asterisk(stack: Stack) -> Counter[str]:
    """How many sockets and pipes. What else it opens at its first use, it keeps."""
    place = Path(f"/proc/{stack.asterisk.pid}/fd")
    kinds: Counter[str] = Counter()
    for link in place.iterdir():
        with contextlib.suppress(FileNotFoundError):
            kinds[os.readlink(link).partition(":[")[0]] += 1
    return Counter({kind: kinds[kind] for kind in ("socket", "pipe")})


async def _descriptors_settled(stack: Stack, before: Counter[str]) -> None:
    """Asterisk has no more descriptors after all calls than before the first of them.

    Not asked after each: what a REFER was about is kept for its transaction's last seconds, and
    an INVITE that nobody answers with a word keeps its sockets for 32 s (RFC 3261, 17.1.1.2).
    """
    more = before
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(TRANSACTION_SECONDS):
            while more := _descriptors_of_asterisk(stack) - before:
                await asyncio.sleep(POLL_SECONDS)
    assert not more, f"Asterisk has kept {more}"


async def _first_call(stack: Stack, directory: Path) -> None:
    """Opens what stays open from then on (the journal, for one), so that it is no test's leak."""
    callee = Phone("101", f"{NET}.101", stack.address, directory)
    caller = Caller(ALICE, f"{NET}.21", stack.address, directory, to="+3617000101", talk=0.1)
    await callee.listen()
    async with caller:
        await caller.ended()
    await callee.stop()


@pytest.fixture(scope="session")
async def api(stack: Stack) -> AsyncIterator[Api]:
    token = await stack.daemon.access.issue_token("scenarios")
    # A connection kept open would look like one left over.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Api(stack.url, token, session)


@pytest.fixture(scope="session")
async def carriers(
    stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Phone]]:
    """Carriers that are there, each with a habit of its own, once Asterisk knows that they are."""
    directory = tmp_path_factory.mktemp("carriers")
    carriers = {
        name: Phone(name, f"{NET}.{CARRIERS[name]}", stack.address, directory, behaviour=behaviour)
        for name, behaviour in CARRIER_BEHAVIOURS.items()
    }
    # All the time: one that is away for a moment counts as gone for seconds.
    for carrier in carriers.values():
        carrier.life_seconds = CARRIER_SECONDS
    await asyncio.gather(*(carrier.listen() for carrier in carriers.values()))
    await stack.until_qualified(len(carriers))
    yield carriers
    await asyncio.gather(*(carrier.stop() for carrier in carriers.values()))


@pytest.fixture
async def office(
    request: pytest.FixtureRequest, stack: Stack, api: Api, tmp_path: Path
) -> AsyncIterator[Office]:
    """Afterwards each call has its one record, and nothing of it is left anywhere."""
    carriers = request.getfixturevalue("carriers") if "carriers" in request.fixturenames else {}
    before = await Resources.of(stack)
    office = Office(stack, api, tmp_path, carriers)
    try:
        yield office
        await office.until_idle()
        await office.stored()
    finally:
        await office.close()
    await _settled(stack, before)


@dataclass(frozen=True, slots=True)
class Resources:
    """What a call might leave behind, counted."""

    tasks: Counter[str]
    """By what they run."""
    descriptors: int
    agi_sessions: int
    raw_recordings: int
    channels_unread: int
    failed_units: float

    @classmethod
    async def of(cls, stack: Stack) -> "Resources":
        daemon = stack.daemon
        return cls(
            tasks=Counter(_what_runs(task) for task in asyncio.all_tasks()),
            # The pool opens connections when they are needed, and keeps them for a while.
            descriptors=len(os.listdir("/proc/self/fd")) - daemon.db.open_connections,
            agi_sessions=daemon.agi.open_sessions,
            raw_recordings=len(os.listdir(stack.asterisk.recordings_spool)),
            # One that stayed would be an alarm: AMI told of it, and the journal did not.
            channels_unread=daemon.channel_watch.unread,
            failed_units=sum(
                sample.value
                for metric in UNITS_FAILED.collect()
                for sample in metric.samples
                if sample.name.endswith("_total")
            ),
        )

    def exceeds(self, other: "Resources") -> list[str]:
        """Names of what is more here than in `other`."""
        names = [name for name in self.__slots__ if name != "tasks"]
        more = [name for name in names if getattr(self, name) > getattr(other, name)]
        if self.tasks.total() > other.tasks.total():
            more += [f"task {name}" for name in self.tasks - other.tasks]
        return more


def _what_runs(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


async def _settled(stack: Stack, before: Resources) -> None:
    """Waits until there is no more of anything than before."""
    after = before
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while (after := await Resources.of(stack)).exceeds(before):
                await asyncio.sleep(POLL_SECONDS)
    assert after.exceeds(before) == [], f"before {before}, after {after}"


_RESELLER = """
insert into accounts (parent_id, code, name, kind, country, timezone, currency)
values ($1, 'resale', 'Resale Ltd', 'reseller', 'HU', 'Europe/Budapest', 'USD') returning id
"""


@pytest.fixture(scope="session")
async def staff(stack: Stack) -> None:
    """A head, a leader (102) whose group an agent (101) is in, and a reseller with money."""
    daemon = stack.daemon
    boss = Actor(daemon.default_account_id, "admin", ALL_SCOPES, 1)
    group = (await daemon.groups.create_group(boss, NewGroup("Sales"))).id
    for login, role, extension, of in (
        ("hanna", "head", "103", None),
        ("lea", "group_leader", "102", group),
        ("max", "manager", "101", group),
    ):
        new = NewUser(login, login, role, extension=extension, group_id=of, password=PASSWORD)  # type: ignore[arg-type]
        await daemon.users.create_user(boss, new)
    resale: int = await daemon.db.fetchval(_RESELLER, boss.account_id)
    await daemon.routing.accounts_changed()
    rita = NewUser("rita", "Rita", "administrator", password=PASSWORD)  # type: ignore[arg-type]
    await daemon.users.create_user(Actor(resale, "rita", ALL_SCOPES), rita)
    await daemon.ledger.top_up(boss, TopUp(1000_00, "USD", resale, "opening"), None)


@pytest.fixture
async def desk(chromium: Browser, stack: Stack, staff: None) -> AsyncIterator[Desk]:
    """A page of somebody who has signed in. To be asked for after the office: so it is closed
    before the office counts what is left."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(login: str, password: str = PASSWORD) -> Page:
        context = await chromium.new_context(
            base_url=stack.url, viewport=DESKTOP, reduced_motion="reduce", locale="en-GB"
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        await enter(page, login, password)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not complaints, complaints
