"""The self-check: every few seconds callctl asks whether all that it promises still holds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path

from callctl.asterisk.ami import AmiClient
from callctl.config import Settings
from callctl.core.checks.alarms import Finding
from callctl.core.checks.disks import CODES as DISK_CODES
from callctl.core.checks.disks import Thresholds, group_places, judge_disks
from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.checks.channels import ChannelWatch, JournalSide
from callctl.features.checks.disks import read_spaces
from callctl.features.checks.recordings import CODES as RECORDING_CODES
from callctl.features.checks.recordings import RecordingWatch
from callctl.features.checks.service import AlarmService
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import DISK_FREE

log = get_logger("self_check")

AWAY_SECONDS = 30.0
"""A restart of PostgreSQL or Asterisk is no alarm."""
BEHIND_SECONDS = 60.0
LIMIT_CODES = ("calls_held", "calls_blocked")
CHECK_SECONDS = 10.0
"""A check that takes longer has failed."""

COUNT_DAMAGED = """
select count(*) from journal_quarantine
where systemname = $1 and found_at > now() - interval '1 day'
"""


def places_of(settings: Settings) -> dict[str, Path]:
    """Where calls are written, by the setting that names it."""
    return {
        "journal_path": settings.journal_path.parent,
        "recordings_spool": settings.recordings_spool,
        "recordings_dir": settings.recordings_dir,
        "state_dir": settings.state_dir,
    }


Findings = Sequence[Finding] | None
"""None: nothing can be said now; what is raised stays raised."""


class SelfCheck:
    """One round every `every` seconds, each check for itself: none hides what another found."""

    def __init__(
        self,
        alarms: AlarmService,
        db: Database,
        ami: AmiClient,
        reader: Callable[[], JournalSide | None],
        channels: ChannelWatch,
        recordings: RecordingWatch,
        *,
        systemname: str,
        places: Mapping[str, Path],
        thresholds: Thresholds,
        every: float,
        limits: Callable[[], Awaitable[Findings]] | None = None,
    ) -> None:
        self._alarms = alarms
        self._db = db
        self._ami = ami
        self._reader = reader
        self._channels = channels
        self._systemname = systemname
        self._places = dict(places)
        self._thresholds = thresholds
        self._every = every
        self._began = time.monotonic()
        self._database_seen = self._began
        self._failed: dict[str, Finding] = {}
        self._checks: tuple[tuple[str, Collection[str], Callable[[], Awaitable[Findings]]], ...] = (
            ("database", ("database_away",), self._check_database),
            ("disks", DISK_CODES, self._check_disks),
            ("ami", ("ami_away",), self._check_ami),
            ("journal", ("journal_lost",), self._check_journal),
            ("calls", ("journal_end_lost",), channels.check_ends),
            ("reader", ("journal_behind",), self._check_reader),
            ("damage", ("journal_damaged",), self._check_damage),
            ("recordings", RECORDING_CODES, recordings.check),
            *((("limits", LIMIT_CODES, limits),) if limits is not None else ()),
        )

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.check_once()
            await asyncio.sleep(self._every)

    async def check_once(self) -> None:
        """All checks once, and what they found told to everybody."""
        for name, codes, check in self._checks:
            await self._make(name, codes, check)
        self._alarms.observe(("check_failed",), self._failed.values())
        try:
            await self._alarms.flush()
        except CallctlError as error:
            log.info("alarms_wait", error=error.message)

    async def _make(
        self, name: str, codes: Collection[str], check: Callable[[], Awaitable[Findings]]
    ) -> None:
        """The edge of one check: that it fails is a finding of its own."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                found = await check()
        except CallctlError as error:
            # `database_away` says so.
            log.info("self_check_waits", check=name, error=error.message)
        except Exception as error:
            if name not in self._failed:
                log.exception("self_check_failed", check=name)
            words = str(error) or type(error).__name__
            self._failed[name] = Finding("check_failed", name, words)
        else:
            self._failed.pop(name, None)
            if found is not None:
                self._alarms.observe(codes, found)

    async def _check_database(self) -> Findings:
        try:
            await self._db.check()
        except CallctlError as error:
            away = time.monotonic() - self._database_seen
            return [Finding("database_away", "", error.message)] if away > AWAY_SECONDS else None
        self._database_seen = time.monotonic()
        return []

    async def _check_disks(self) -> Findings:
        spaces = await read_spaces(self._places, CHECK_SECONDS)
        for places, space in group_places(spaces):
            DISK_FREE.labels(places).set(space.free_bytes)
        return judge_disks(spaces, self._thresholds)

    async def _check_ami(self) -> Findings:
        state = self._ami.state
        if state.connected:
            return []
        if time.time() - state.since < AWAY_SECONDS:
            return None
        return [Finding("ami_away", "", state.reason)]

    async def _check_journal(self) -> Findings:
        return self._channels.check_beginnings()

    async def _check_reader(self) -> Findings:
        """Behind by its own fault: while PostgreSQL is away, that is the alarm."""
        if any(alarm.code == "database_away" for alarm in self._alarms.raised):
            return []
        reader = self._reader()
        until = reader.read_until if reader is not None else None
        behind = time.monotonic() - (self._began if until is None else until)
        if behind < BEHIND_SECONDS:
            return []
        reason = reader.problem if reader is not None else "it waits for the database"
        return [Finding("journal_behind", "", f"for {behind:.0f} s; {reason or 'reads a backlog'}")]

    async def _check_damage(self) -> Findings:
        count = await self._db.fetchval(COUNT_DAMAGED, self._systemname)
        return [Finding("journal_damaged", "", f"{count} pieces set aside")] if count else []
