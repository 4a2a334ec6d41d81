"""An archive of recordings: real files, a real database, calls that own them."""

import array
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from callctl.asterisk.ami import AmiClient, AmiTiming
from callctl.core.errors import CallctlError
from callctl.core.master_key import MasterKey
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.recordings import api as recordings_api
from callctl.features.recordings.keys import Keyring
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.live import LiveRecordings
from callctl.features.recordings.places import RecordingPlaces
from callctl.features.recordings.retention import RetentionService
from callctl.features.recordings.service import RecordingService
from callctl.http.auth import Origin
from callctl.http.endpoint import Actor
from callctl.http.server import HttpServer, build_web_app
from tests.http.conftest import Api
from tests.recordings.switchboard import Switchboard
from tests.wire.peers import HOST, ami_peer

MASTER = MasterKey(bytes(range(32)))

_CALL = """
with n as (
    insert into numbers (number, grams) values ($6, '{}')
    on conflict (number) do update set grams = '{}' returning id
)
insert into calls (account_id, call_id, linkedids, direction, started_at, answered_at, ended_at,
    wait_seconds, talk_seconds, total_seconds, disposition, missed, has_recording, tried,
    completeness, extension, answered_by, from_number_id)
select $1, $2, array[$2], $3, $4, $4, $4, 0, 60, 60, 'ANSWERED', false, true, '{}', 'complete',
    null, $5, n.id from n returning id
"""
_EXTENSION = """
insert into call_extensions (account_id, extension, started_at, call) values ($1, $2, $3, $4)
"""
_RECORDING = """
insert into recordings (call, account_id, file, started_at) values ($1, $2, $3, $4) returning id
"""


def tone(seconds: float, hz: int = 440, loud: int = 8000) -> list[int]:
    return [round(loud * math.sin(2 * math.pi * hz * n / 8000)) for n in range(int(seconds * 8000))]


def raw_of(caller: list[int], called: list[int]) -> bytes:
    """As MixMonitor writes it on the called channel: the called party first."""
    pairs = zip(called, caller, strict=True)
    return array.array("h", [sample for pair in pairs for sample in pair]).tobytes()


TALK = raw_of(tone(1, 440) + [0] * 8000, [0] * 8000 + tone(1, 1000))
"""Two seconds: the caller, then the called party."""


class Archive:
    """`db`, places, and the services on them."""

    def __init__(self, db: Database, account_id: int, directory: Path) -> None:
        self.db = db
        self.account_id = account_id
        self.places = RecordingPlaces(directory / "spool", directory / "recordings")
        self.places.spool.mkdir(exist_ok=True)
        self.restart(MASTER)
        self.retention = RetentionService(db, self.places.root)
        self.scope = CallScope(account_id)
        self.actor = Actor(account_id, "token test", frozenset())

    def restart(self, master: MasterKey | None) -> None:
        """A daemon that knows no key yet, with this master key."""

        def read() -> MasterKey:
            if master is None:
                raise CallctlError("recording_key_unavailable", "there is none")
            return master

        self.keys = Keyring(self.db, read)
        self.library = RecordingLibrary(self.db, self.places.root, self.keys)

    def service(self, format_: str = "opus") -> RecordingService:
        return RecordingService(self.db, self.places, self.keys, format_=format_)

    async def add(
        self,
        name: str,
        *,
        days_ago: float = 0,
        raw: bytes | None = TALK,
        extension: str = "101",
        direction: str = "inbound",
        number: str = "+36201110001",
    ) -> int:
        """A call with a recording that is yet to be made; its id."""
        at = datetime.now(UTC) - timedelta(days=days_ago)
        call = await self.db.fetchval(
            _CALL, self.account_id, name, direction, at, extension, number
        )
        await self.db.execute(_EXTENSION, self.account_id, extension, at, call)
        file = f"{name}-1.raw"
        if raw is not None:
            (self.places.spool / file).write_bytes(raw)
        id_ = await self.db.fetchval(_RECORDING, call, self.account_id, file, at)
        assert isinstance(id_, int)
        return id_

    async def made(self, name: str, format_: str = "wav", **options: object) -> int:
        id_ = await self.add(name, **options)  # type: ignore[arg-type]
        assert await self.service(format_).finish_pending() == 1
        return id_

    def files(self) -> list[str]:
        return sorted(p.name for p in self.places.root.rglob("*") if p.is_file())

    async def state(self, id_: int) -> str:
        value = await self.db.fetchval("select state from recordings where id = $1", id_)
        assert isinstance(value, str)
        return value

    async def settings(self, **values: object) -> None:
        """The account's, whatever they were."""
        await self.db.execute("delete from recording_settings")
        columns = "".join(f", {name}" for name in values)
        marks = "".join(f", ${i}" for i in range(2, len(values) + 2))
        await self.db.execute(
            f"insert into recording_settings (account_id, changed_by{columns}) "
            f"values ($1, 'test'{marks})",
            self.account_id,
            *values.values(),
        )


@pytest.fixture
async def archive(db: Database, tmp_path: Path) -> Archive:
    account = await db.fetchval(
        "insert into accounts (code, name, kind) values ('lab', 'Lab', 'operator') returning id"
    )
    return Archive(db, account, tmp_path)


@pytest.fixture
def switchboard() -> Switchboard:
    return Switchboard()


@pytest.fixture
async def ami(switchboard: Switchboard) -> AsyncIterator[AmiClient]:
    async with ami_peer(switchboard.script) as port:
        client = AmiClient(HOST, port, "callctl", "secret", timing=AmiTiming(action=2.0))
        await client.start()
        await client.wait_for_state(connected=True, within=5)
        yield client
        await client.stop()


@pytest.fixture
async def api(
    db: Database, tmp_path: Path, switchboard: Switchboard, ami: AmiClient
) -> AsyncIterator[tuple[Api, Archive]]:
    """The recordings' API on a free port; the archive is of the first account."""
    access = AccessService(AccessStore(db))
    bootstrap = await access.bootstrap()
    archive = Archive(db, bootstrap.account_id, tmp_path)
    live = LiveRecordings(ami, db, switchboard.owner_of)
    app = build_web_app(
        recordings_api.endpoints(archive.library, archive.retention, live, Origin()), access
    )
    server = HttpServer(app)
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Api(port, bootstrap, access, client), archive
    await server.stop()
