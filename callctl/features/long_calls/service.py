"""Too long: looked at while calls last, and once more when their record is stored.

Both go by the same rules, and a notice is raised once per call, whichever of them comes first.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from callctl.core.author import Author
from callctl.core.calls.record import StoredRecord
from callctl.core.calls.render import involved_extensions, talk_seconds
from callctl.core.calls.too_long import Passed, Talk, Threshold, find_limit
from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.routing.model import RoutingTable
from callctl.core.routing.plan import Direction
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.long_calls import store
from callctl.features.long_calls.model import TooLongSettings
from callctl.features.long_calls.store import Fired, LongCallStore
from callctl.telemetry.log import get_logger

log = get_logger("long_calls")

TOO_LONG_FIELDS = (
    "call_id", "id", "direction", "from_number", "to_number", "customer_number", "extensions",
    "threshold_seconds", "threshold_cost", "talk_seconds",
)  # fmt: skip
"""The data of `call.too_long` (docs/events.md)."""

LOOK_SECONDS = 0.5
RELOAD_SECONDS = 10.0
"""Thresholds that another daemon saved are in force so long after."""


@dataclass(frozen=True, slots=True)
class TalkingCall:
    """A call that goes on and was answered, as whoever follows calls tells of it. Numbers in E.164
    where they have that form; `trunk` is the endpoint that it left by, `channels` are Asterisk's
    names of what may be hung up; an `emergency` call never is."""

    call_id: str
    account_id: int
    direction: Direction
    from_number: str | None
    to_number: str | None
    customer_number: str | None
    parties: tuple[str, ...]
    extensions: tuple[str, ...]
    answered_us: int
    channels: tuple[str, ...]
    trunk: str | None = None
    emergency: bool = False


TalkingCalls = Callable[[int], Iterable[TalkingCall]]
SecondsUntil = Callable[[int, str | None, str | None, int, int], int | None]
"""(account, number, trunk, answered at in microseconds, money) → how long the call may talk before
it costs more; None: for ever, or nobody knows."""
HangUp = Callable[[Sequence[str]], Awaitable[None]]


class LongCallService:
    """`talking` tells of the calls that go on and were answered before a moment (microseconds),
    nothing while it does not see them."""

    def __init__(
        self,
        db: Database,
        table: Callable[[], RoutingTable],
        talking: TalkingCalls,
        hang_up: HangUp,
        seconds_until: SecondsUntil = lambda *_: None,
    ) -> None:
        self._db = db
        self._store = LongCallStore(db)
        self._table = table
        self._talking = talking
        self._hang_up = hang_up
        self._seconds_until = seconds_until
        self._settings: Mapping[int, TooLongSettings] = {}
        self._thresholds: Mapping[int, tuple[Threshold, ...]] = {}
        self._raised: set[str] = set()
        self._unconnected = True

    async def get_settings(self, account_id: int) -> TooLongSettings:
        return await self._store.get(account_id)

    async def save_settings(
        self, account_id: int, settings: TooLongSettings, author: Author
    ) -> TooLongSettings:
        """In force at once, for calls that go on, too. Raises CallctlError("invalid_field") for a
        rule without a threshold."""
        for place, rule in enumerate(settings.rules):
            if rule.seconds is None and rule.cost is None:
                words = "give `seconds`, or `cost`, or both"
                raise CallctlError("invalid_field", words, f"body.rules[{place}]")
        await self._store.save(account_id, settings, author)
        await self.load()
        return settings

    async def load(self) -> None:
        """Read all thresholds. Raises CallctlError("database_unavailable")."""
        self._unconnected = await self._store.has_unconnected()
        self._settings = await self._store.get_all()
        self._thresholds = {
            account: tuple(rule.threshold() for rule in settings.rules)
            for account, settings in self._settings.items()
        }

    async def run(self) -> None:
        """Until cancelled: look at the calls that go on."""
        loaded_at = time.monotonic()
        while True:
            try:
                if time.monotonic() - loaded_at > RELOAD_SECONDS:
                    await self.load()
                    loaded_at = time.monotonic()
                await self.look(time.time_ns() // 1000)
            except (CallctlError, OSError, asyncpg.PostgresError) as error:
                log.warning("long_calls_wait", error=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self, now_us: int) -> None:
        """Raise what is too long at `now_us` and was not raised yet."""
        every = [
            0 if t.seconds is None or t.cost is not None else t.seconds
            for thresholds in self._thresholds.values()
            for t in thresholds
        ]
        if not every:
            return
        seen: set[str] = set()
        for call in list(self._talking(now_us - min(every) * 1_000_000)):
            seen.add(call.call_id)
            if call.call_id in self._raised:
                continue
            threshold = self._threshold(
                call.account_id, call.direction, call.to_number, call.parties, call.trunk,
                call.answered_us,
            )  # fmt: skip
            talked_us = now_us - call.answered_us
            if threshold is not None and talked_us > threshold.seconds * 1_000_000:
                await self._raise_live(call, threshold, talked_us / 1_000_000)
                self._raised.add(call.call_id)
        self._raised &= seen

    async def _raise_live(self, call: TalkingCall, threshold: Passed, talked: float) -> None:
        data = {
            "call_id": call.call_id,
            "id": None,
            "direction": call.direction.value,
            "from_number": call.from_number,
            "to_number": call.to_number,
            "customer_number": call.customer_number,
            "extensions": list(call.extensions),
            "threshold_seconds": threshold.seconds,
            "threshold_cost": threshold.cost,
            "talk_seconds": round(talked, 3),
        }
        async with self._db.transaction() as connection:
            raised = await self._raise(connection, call.account_id, data)
        self._unconnected = True
        if raised and threshold.hang_up and not call.emergency:
            log.info("long_call_hung_up", call_id=call.call_id, seconds=threshold.seconds)
            await self._hang_up(call.channels)

    async def _raise(self, connection: Any, account_id: int, data: dict[str, Any]) -> bool:
        settings = self._settings.get(account_id, TooLongSettings())
        notice = NewNotice(
            account_id,
            "too_long",
            f"call:{data['call_id']}",
            _text(data),
            data,
            data["extensions"],
            data["id"],
        )
        if await raise_notice(connection, notice, settings.mail_to) is None:
            return False
        event = OutboxEvent(account_id, EventKind.CALL_TOO_LONG, notice.subject, data)
        await append_events(connection, [event])
        return True

    async def mark_stored(self, connection: Any, calls: Sequence[StoredRecord]) -> None:
        """A `StoreStep`: the threshold that the call passed goes into its record, and a call that
        nobody looked at while it lasted gets its one notice now."""
        passed = {c.id: self._threshold_of(c) for c in calls if c.account_id in self._thresholds}
        looked_at = self._unconnected or bool(self._raised)
        asked = [
            call
            for call in calls
            if passed.get(call.id) is not None
            or not call.new
            or (looked_at and call.record.answered_us is not None)
        ]
        if not asked:
            return
        fired = await _connect_raised(connection, asked)
        marks: dict[int, Fired | None] = {}
        for call in asked:
            threshold = passed.get(call.id)
            if threshold is not None and call.id not in fired:
                if not await self._raise(connection, call.account_id, _data_of(call, threshold)):
                    # It was raised in this very moment, while the call was ending.
                    await _connect_raised(connection, [call])
                fired[call.id] = (threshold.seconds, threshold.cost)
            if call.id in fired or not call.new:
                marks[call.id] = fired.get(call.id)
        if marks:
            await store.mark(connection, marks)

    def _threshold_of(self, call: StoredRecord) -> Passed | None:
        """The threshold that a finished call has passed."""
        record = call.record
        parties = tuple(e for e in (record.extension, record.answered_by) if e)
        threshold = self._threshold(
            call.account_id, record.direction, call.to_number, parties, record.trunk,
            record.answered_us,
        )  # fmt: skip
        if threshold is None or talk_seconds(record) <= threshold.seconds:
            return None
        return threshold

    def _threshold(
        self,
        account_id: int,
        direction: Direction,
        to_number: str | None,
        parties: Sequence[str],
        trunk: str | None,
        answered_us: int | None,
    ) -> Passed | None:
        thresholds = self._thresholds.get(account_id, ())
        if not thresholds:
            return None
        groups = self._groups(account_id, parties) if any(t.group for t in thresholds) else ()

        def seconds_for(money: int) -> int | None:
            if direction is not Direction.OUTBOUND or answered_us is None:
                return None
            return self._seconds_until(account_id, to_number, trunk, answered_us, money)

        return find_limit(thresholds, Talk(direction, to_number, parties, groups), seconds_for)

    def _groups(self, account_id: int, parties: Sequence[str]) -> tuple[str, ...]:
        index = self._table().accounts.get(account_id)
        if index is None:
            return ()
        return tuple(
            group.name
            for group in index.hunt_groups.values()
            if any(member.extension in parties for member in group.members)
        )


async def _connect_raised(connection: Any, calls: Sequence[StoredRecord]) -> dict[int, Fired]:
    """Call → threshold of those that a notice was raised for while they lasted; the notice gets the
    id that the call has now."""
    subjects = {f"call:{leg.uniqueid}": c.id for c in calls for leg in c.record.legs}
    accounts = list({c.account_id for c in calls})
    raised = await store.get_raised(connection, accounts, list(subjects))
    if raised:
        await store.connect_notices(connection, accounts, {s: subjects[s] for s in raised})
    return {subjects[subject]: fired for subject, fired in raised.items()}


def _data_of(call: StoredRecord, threshold: Passed) -> dict[str, Any]:
    record = call.record
    return {
        "call_id": record.call_id,
        "id": call.id,
        "direction": record.direction.value,
        "from_number": call.from_number,
        "to_number": call.to_number,
        "customer_number": call.customer_number,
        "extensions": involved_extensions(record),
        "threshold_seconds": threshold.seconds,
        "threshold_cost": threshold.cost,
        "talk_seconds": talk_seconds(record),
    }


def _text(data: Mapping[str, Any]) -> str:
    parties = f"{data['from_number'] or 'unknown'} to {data['to_number'] or 'unknown'}"
    price = ": it costs more than what is set" if data["threshold_cost"] is not None else ""
    return (
        f"The {data['direction']} call from {parties} talks longer than "
        f"{data['threshold_seconds']} seconds{price}."
    )
