"""An office for one test: phones that behave as told, callers, and the records of their calls."""

import asyncio
import contextlib
import csv
import io
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from callctl.core.calls.record import CallRecord
from callctl.demo.play import Api
from callctl.demo.sip import Behaviour, Caller, Phone, PhoneSaw
from callctl.demo.sip_log import placed_since
from callctl.demo.stack import POLL_SECONDS, Stack
from callctl.demo.verify import Seen, differences
from callctl.features.calls.attribution import inventory_of
from callctl.features.calls.offline import build_journal
from callctl.numbers import normalise

CARRIERS = {
    "carrier-a": 21,
    "carrier-b": 22,
    "carrier-dead": 23,
    "carrier-503": 24,
    "carrier-486": 25,
    "carrier-one": 26,
}
"""The last number of each carrier's address. Nobody is ever at carrier-dead's."""

ALICE = "+36201110001"
RECORD_SECONDS = 10.0
TOLERANCE_SECONDS = 0.8
"""Between a record's times and the phones' when a dozen of them share a busy machine."""

ASK_SECONDS = 0.2
"""Between two questions to the API."""


class Office:
    """Everything a scenario does goes through here, so that its end can be checked."""

    def __init__(
        self, stack: Stack, api: Api, directory: Path, carriers: Mapping[str, Phone]
    ) -> None:
        self.stack = stack
        self.api = api
        self.expected = 0
        """How many records the test's calls must leave."""
        self._directory = directory
        self._carriers = carriers
        self._phones: dict[str, Phone] = {}
        self._callers: list[Caller] = []
        self._began = time.time()
        self._journal_from = self._journal_size()

    # Parties

    def address(self, extension: str) -> str:
        return f"{self.stack.net}.{extension}"

    async def phones(self, behaviours: Mapping[str, Behaviour]) -> list[Phone]:
        """The phones of these extensions, in order; they are registered already."""
        phones = [
            Phone(e, self.address(e), self.stack.address, self._directory, behaviour=b)
            for e, b in behaviours.items()
        ]
        self._phones.update(zip(behaviours, phones, strict=True))
        await asyncio.gather(*(phone.listen() for phone in phones))
        return phones

    async def phone(self, extension: str, behaviour: Behaviour) -> Phone:
        return (await self.phones({extension: behaviour}))[0]

    async def outside(
        self, to: str, from_: str = ALICE, *, via: str = "carrier-a", records: int = 1, **how: Any
    ) -> Caller:
        """A call from outside by a carrier; `records`: how many it adds to the history."""
        address = f"{self.stack.net}.{CARRIERS[via]}"
        return await self._dial(
            Caller(from_, address, self.stack.address, self._directory, to=to, **how), records
        )

    async def inside(self, extension: str, to: str, *, records: int = 1, **how: Any) -> Caller:
        """A call that an extension's phone places; 0 `records` for a part of another call."""
        server, secret = self.stack.address, self.secrets[extension]
        address = self.address(extension)
        caller = Caller(extension, address, server, self._directory, to=to, secret=secret, **how)
        return await self._dial(caller, records)

    @property
    def secrets(self) -> dict[str, str]:
        """SIP passwords by extension, known also while the daemon is away."""
        return self.stack.secrets

    async def _dial(self, caller: Caller, records: int) -> Caller:
        self._callers.append(caller)
        self.expected += records
        await caller.dial()
        return caller

    async def close(self) -> None:
        """Ends all parties without a word, and what a failed test has left of its calls."""
        for party in (*self._callers, *self._phones.values()):
            await party.stop()
        asterisk = self.stack.asterisk
        if not (await asterisk.cli("core show channels count")).startswith("0 active channels"):
            await asterisk.cli("channel request hangup all")
            await self.until_idle()

    # What was seen

    def saw(self, name: str, caller: PhoneSaw) -> PhoneSaw | None:
        """What `name` saw of the call that `caller` placed; None if nothing."""
        if name in self._carriers:
            number = normalise(caller.dialled, "HU")
            calls = [c for c in self._carriers[name].calls if c.dialled in (number, caller.dialled)]
        elif name in self._phones:
            calls = [c for c in self._phones[name].calls if c.from_number == caller.from_number]
        else:
            return None
        calls = placed_since(calls, caller)
        return calls[-1] if calls else None

    async def verified(self, caller: Caller, tried: Sequence[str]) -> dict[str, Any]:
        """The record of the call, once it is over, held against what every party tried saw."""
        saw = await caller.ended()
        record = await self.record(caller)
        seen = Seen(saw, tuple((name, self.saw(name, saw)) for name in tried))
        found = differences(record, seen, tolerance=TOLERANCE_SECONDS)
        assert not found, f"{found} in {record}"
        return record

    # Records

    async def record(self, caller: Caller) -> dict[str, Any]:
        """The one record of the call that `caller` placed. Raises TimeoutError."""
        inside = caller.secret is not None
        key = "extension" if inside else "from_number"
        value = caller.name if inside else normalise(caller.name, "HU") or caller.name
        placed_at = caller.calls[-1].invited_at
        try:
            async with asyncio.timeout(RECORD_SECONDS):
                while True:
                    found = [
                        c
                        for c in await self.history()
                        if c[key] == value and abs(_epoch(c["started_at"]) - placed_at) < 0.5
                    ]
                    if found and (detail := await self._finished(found[0]["id"])):
                        assert len(found) == 1, found
                        return detail
                    await asyncio.sleep(ASK_SECONDS)
        except TimeoutError:
            history = await self.history()
            raise TimeoutError(f"no record of {caller.name}'s call; there are {history}") from None

    async def only_record(self) -> dict[str, Any]:
        """The record of the test's one call."""
        async with asyncio.timeout(RECORD_SECONDS):
            while True:
                found = await self.history()
                if found and (detail := await self._finished(found[0]["id"])):
                    assert len(found) == 1, found
                    return detail
                await asyncio.sleep(ASK_SECONDS)

    async def _finished(self, call: int) -> dict[str, Any] | None:
        detail: dict[str, Any] = await self.api.get(f"/api/v1/calls/{call}")
        return None if any(r["state"] == "pending" for r in detail["recordings"]) else detail

    async def history(self) -> list[dict[str, Any]]:
        """The test's calls so far, the newest first."""
        since = datetime.fromtimestamp(self._began, UTC).isoformat()
        page = await self.api.get("/api/v1/calls", since=since, limit="200")
        items: list[dict[str, Any]] = page["items"]
        return items

    async def talking(self, *endpoints: str) -> None:
        """Until each of these is in a bridge, by the journal, that is neither hold nor parking."""
        await self.until(lambda: all(self._is_talking(endpoint) for endpoint in endpoints))

    async def until(self, fact: Callable[[], bool], seconds: float = RECORD_SECONDS) -> None:
        """Until `fact` holds."""
        async with asyncio.timeout(seconds):
            while not fact():
                await asyncio.sleep(POLL_SECONDS)

    def _is_talking(self, endpoint: str) -> bool:
        inside: set[str] = set()
        for row in self._rows():
            if row[9].startswith(f"PJSIP/{endpoint}-") and row[1].startswith("BRIDGE_"):
                if row[1] == "BRIDGE_ENTER" and "holding_bridge" not in row[16]:
                    inside.add(row[9])
                elif row[1] == "BRIDGE_EXIT":
                    inside.discard(row[9])
        return bool(inside)

    async def until_ready(self) -> None:
        """Until the daemon says that all that it needs is there."""
        async with asyncio.timeout(RECORD_SECONDS):
            while True:
                async with self.api.request("GET", "/readyz") as response:
                    if response.status == 200:
                        return
                await asyncio.sleep(ASK_SECONDS)

    # The end

    async def until_idle(self, seconds: float = 10.0) -> None:
        """Until no channel is left and the journal has the end of every one that began."""
        listing = ""
        try:
            async with asyncio.timeout(seconds):
                while not (listing.startswith("0 active channels") and self._balanced()):
                    await asyncio.sleep(POLL_SECONDS)
                    listing = await self.stack.asterisk.cli("core show channels count")
        except TimeoutError:
            channels = await self.stack.asterisk.cli("core show channels concise")
            raise TimeoutError(f"channels left: {channels or listing}") from None

    async def stored(self) -> None:
        """Until the history holds exactly the calls that the journal alone tells of."""
        calls = {_essence(c) for c in self.journal_records()}
        assert len(calls) == self.expected, calls
        stored: set[tuple[Any, ...]] = set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RECORD_SECONDS):
                while stored != calls:
                    stored = {
                        (c["call_id"], c["disposition"], c["answered_by"], c["completeness"])
                        for c in await self.history()
                    }
                    await asyncio.sleep(POLL_SECONDS)
        assert stored == calls

    def journal_records(self) -> list[CallRecord]:
        """The test's calls, built from the journal's file alone."""
        with tempfile.NamedTemporaryFile(suffix=".csv") as part:
            part.write(self._journal())
            part.flush()
            read = build_journal(Path(part.name), inventory_of(self.stack.daemon.routing.table))
        assert not read.poison, read.poison
        return read.records

    def _balanced(self) -> bool:
        types = [row[1] for row in self._rows()]
        return types.count("CHAN_START") == types.count("CHAN_END")

    def _rows(self) -> list[list[str]]:
        """Rows, not lines: a caller's words may look like a row."""
        text = self._journal().decode("utf-8", "surrogateescape")
        return [row for row in csv.reader(io.StringIO(text, newline="")) if len(row) == 17]

    def _journal(self) -> bytes:
        try:
            with self.stack.asterisk.journal_path.open("rb") as file:
                file.seek(self._journal_from)
                return file.read()
        except FileNotFoundError:
            return b""

    def _journal_size(self) -> int:
        try:
            return self.stack.asterisk.journal_path.stat().st_size
        except FileNotFoundError:
            return 0


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _essence(record: CallRecord) -> tuple[Any, ...]:
    return (
        record.call_id,
        record.disposition.value,
        record.answered_by,
        record.completeness.value,
    )


def results(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(extension or trunk, result) of each attempt."""
    return [
        (a["extension"] or a["endpoint"].partition("/")[2], a["result"]) for a in record["attempts"]
    ]


def reasons(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(code, subject) of each reason of the routing."""
    return [(r["code"], r["subject"]) for r in record["reasons"]]
