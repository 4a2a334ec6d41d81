"""What AMI knows of channels: the witness for the journal's beginnings, and for its ends."""

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError, AmiEvent
from callctl.core.calls.events import unique_key
from callctl.core.checks.alarms import Finding
from callctl.core.checks.witness import JournalState, Witness, WitnessLimits
from callctl.telemetry.log import get_logger

log = get_logger("self_check")

LOOK_PATIENCES = 40
"""Every so many patiences (ten minutes) all open channels are looked at, not only those that AMI
saw end: a hang-up may have come while AMI was away."""
BOOT_SECONDS = 3
"""AMI says in whole seconds how long Asterisk has been up."""
MOST_HUNG_UP = 20_000
SHOWN = 5
"""Unique ids that an alarm names; the log has all that are kept."""


class JournalSide(Protocol):
    """What is asked of the journal's reader."""

    read_until: float | None

    @property
    def problem(self) -> str | None: ...

    def open_channels(self) -> frozenset[str]: ...

    def close_channels(self, uniqueids: Sequence[str], /) -> Sequence[str]: ...


class ChannelWatch:
    """Compares AMI with the journal. `patience`: seconds by which a row may be late."""

    def __init__(
        self, ami: AmiClient, reader: Callable[[], JournalSide | None], patience: float
    ) -> None:
        self._ami = ami
        self._reader = reader
        self._patience = patience
        self._quiet = 4 * patience
        self._witness = Witness(WitnessLimits(patience=patience, quiet=self._quiet))
        self._heard_at = time.monotonic()
        self._hung_up: dict[str, float] = {}
        self._open_before: frozenset[str] = frozenset()
        self._look_at_all = 0.0
        self._missing: dict[str, float] = {}
        self._asterisk_began = 0
        self._ends_lost: list[str] = []
        self._ends_lost_at = 0.0

    @property
    def unread(self) -> int:
        """How many channels AMI told of that no row of the journal has shown yet."""
        return self._witness.waiting

    def start(self) -> None:
        """Begin to listen; needs a running loop."""
        names = ("FullyBooted", "Newchannel", "Hangup")
        self._ami.subscribe(names, self._heard, name="witness")

    def channels_read(self, uniqueids: Sequence[str]) -> None:
        """The reader's word: these channels are in the journal."""
        self._witness.rows_read(uniqueids)

    def _heard(self, event: AmiEvent) -> None:
        now = time.monotonic()
        uniqueid = event.get("Uniqueid")
        match event.name:
            case "FullyBooted":
                self._connected(event)
            case "Newchannel":
                self._witness.channel_began(uniqueid, now)
            case "Hangup" if len(self._hung_up) < MOST_HUNG_UP:
                # Of more, those whose end is lost are found when all are looked at.
                self._hung_up[uniqueid] = now
        self._heard_at = now

    def _connected(self, event: AmiEvent) -> None:
        """AMI greets so at each log-in, before it tells of any channel."""
        self._witness.connection_lost(self._heard_at)
        self._missing.clear()
        self._look_at_all = 0.0
        uptime = event.get("Uptime")
        if uptime.isdecimal():
            self._asterisk_began = int(time.time()) - int(uptime) - 1

    def check_beginnings(self) -> list[Finding] | None:
        """Channels that the journal lacks; None when nothing can be said of it."""
        if not self._ami.state.connected:
            # What AMI said just before it was lost is not held against the journal.
            self._witness.connection_lost(self._heard_at)
        reader = self._reader()
        state = self._witness.judge(reader.read_until if reader is not None else None)
        match state:
            case JournalState.UNKNOWN:
                return None
            case JournalState.WELL:
                return []
            case JournalState.LOSING:
                count = self._witness.lost_in_all
                return [Finding("journal_lost", "", _describe(count, self._witness.lost))]

    async def check_ends(self) -> list[Finding] | None:
        """Close what Asterisk has no more and the journal has no end of; None when AMI is away.

        An event may be forged, so a channel counts as gone only when two lists of Asterisk's lack
        it, and the journal was read to its end long after the first.
        """
        reader = self._reader()
        if reader is None or not self._ami.state.connected:
            return None
        if suspects := self._suspects(reader):
            await self._look_for(suspects)
            self._close(reader)
        return self._lost_ends()

    def _suspects(self, reader: JournalSide) -> frozenset[str]:
        """Open by the journal, though AMI saw them end; now and then all that are open."""
        now = time.monotonic()
        still_open = reader.open_channels()
        due = (reader.read_until or 0.0) - self._patience
        ended = {uniqueid for uniqueid, at in self._hung_up.items() if at < due}
        for uniqueid in ended - still_open:
            del self._hung_up[uniqueid]
        suspects = still_open & (ended | self._missing.keys())
        if now >= self._look_at_all and self._open_before:
            # What began since the last round is looked at the next time.
            suspects |= still_open & self._open_before
            self._look_at_all = now + LOOK_PATIENCES * self._patience
        self._open_before = still_open
        return frozenset(suspects)

    async def _look_for(self, suspects: frozenset[str]) -> None:
        asked_at = time.monotonic()
        live = await list_live_channels(self._ami)
        if live is None:
            return
        missing = suspects - live
        self._missing = {u: self._missing.get(u, asked_at) for u in missing}

    def _close(self, reader: JournalSide) -> None:
        read_until = reader.read_until or 0.0
        now = time.monotonic()
        gone = [
            uniqueid
            for uniqueid, since in self._missing.items()
            if since + self._patience < min(read_until, now)
        ]
        closed = reader.close_channels(gone)
        for uniqueid in gone:
            del self._missing[uniqueid]
        # What an Asterisk before this one left open is no fault of the journal's.
        lost = [u for u in closed if unique_key(u)[0] > self._asterisk_began + BOOT_SECONDS]
        if closed:
            log.warning("open_calls_closed", channels=list(closed), without_rows=len(lost))
        if lost:
            if self._ends_lost_at + self._quiet < now:
                self._ends_lost.clear()
            self._ends_lost += lost
            self._ends_lost_at = now

    def _lost_ends(self) -> list[Finding]:
        if not self._ends_lost or self._ends_lost_at + self._quiet < time.monotonic():
            self._ends_lost.clear()
            return []
        return [Finding("journal_end_lost", "", _describe(len(self._ends_lost), self._ends_lost))]


async def list_live_channels(ami: AmiClient) -> frozenset[str] | None:
    """Unique ids of all channels that Asterisk has now; None when the list cannot be trusted.

    An entry without an id is one that a caller's line ends have cut.
    """
    try:
        response = await ami.action("CoreShowChannels")
    except AmiError as error:
        log.info("channel_list_failed", error=str(error))
        return None
    ids = [event.get("Uniqueid") for event in response.events]
    return frozenset(ids) if response.success and all(ids) else None


def _describe(count: int, uniqueids: Iterable[str]) -> str:
    """``3 channels since 2026-11-22T03:00:12Z: pbx-1700000000.5, …``."""
    ids = sorted(uniqueids, key=unique_key)
    since = datetime.fromtimestamp(unique_key(ids[0])[0], UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = ", ".join(ids[:SHOWN]) + (", …" if len(ids) > SHOWN else "")
    return f"{count} {'channel' if count == 1 else 'channels'} since {since}: {named}"
