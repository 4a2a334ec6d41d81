"""Limits of calls to the outside: counted as they are decided, held for a person where need be.

`open_gate` is what the routing asks. Deciding, counting and asking for an approval happen in one
go without waiting, so two calls of the same instant cannot take one place; what people shall see
of it is written to the database a moment later. Without the database calls are decided as ever.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from callctl.core.author import Author, author_of
from callctl.core.calls.record import CallRecord
from callctl.core.checks.alarms import Finding
from callctl.core.errors import CallctlError
from callctl.core.routing.encoding import decode_why
from callctl.core.routing.gate import limits_of
from callctl.core.routing.limits import LimitAction, Rule, Verdict
from callctl.core.routing.model import RoutingTable
from callctl.core.routing.outbound import select_emergency
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.limits.counts import Charge, Counts
from callctl.features.limits.gate import Gate
from callctl.features.limits.model import (
    Approve,
    HoldFilters,
    HoldView,
    NoticeFilters,
    NoticeView,
    Refuse,
    StatusView,
    UsageView,
)
from callctl.features.limits.notebook import Notebook
from callctl.features.limits.past import (
    PastCall,
    charge_past,
    charge_running,
    past_of,
    talk_of,
)
from callctl.features.limits.store import CHANNEL, Decision, LimitStore
from callctl.features.limits.windows import DAY, HOUR
from callctl.http.endpoint import Page
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import HOLDS_WAITING, LIMITED, OUTSIDE_CALLS, UNITS_FAILED

log = get_logger("limits")

FLUSH_SECONDS = 1.0
LOOK_SECONDS = 15.0
LOOK_AGAIN_SECONDS = 0.1
RETRY_SECONDS = 1.0
MANY_BLOCKED = 10
"""Blocked calls of one extension within an hour that a person with a wrong number does not make."""


@dataclass(frozen=True, slots=True)
class LiveChannel:
    """A channel that Asterisk has. `endpoint` is that of its name, `application` what it runs
    (``AppDial``: it was called), `exten` where in the dialplan it is."""

    uniqueid: str
    linkedid: str
    endpoint: str
    application: str
    exten: str


ListChannels = Callable[[], Awaitable[Sequence[LiveChannel] | None]]
"""All channels; None when the list cannot be had or trusted."""


class LimitService:
    """`table` gives the routing in use. Everything is in memory but what people decide and see."""

    def __init__(
        self, db: Database, table: Callable[[], RoutingTable], clock: Clock = utc_now
    ) -> None:
        self._db = db
        self._store = LimitStore(db)
        self._table = table
        self._clock = clock
        self._counts = Counts()
        self._decisions: dict[tuple[int, str, str], Decision] = {}
        self._notebook = Notebook()
        self._look = asyncio.Event()

    # Deciding

    def open_gate(self, now: datetime) -> Gate:
        """A gate for one plan, by the counts as they are."""
        return Gate(self._counts, self.decision_on, self.tell, now)

    def decision_on(self, charge: Charge, now: datetime) -> Decision | None:
        """The most specific that is in force."""
        if not self._decisions:
            return None
        extension, destination = charge.extension or "-", charge.outside.key
        for whom in (extension, ""):
            for where in (destination, ""):
                found = self._decisions.get((charge.account_id, whom, where))
                if found is not None and found.until > now:
                    return found
        return None

    def tell(self, charge: Charge, verdict: Verdict, now: datetime) -> None:
        """A verdict that somebody should hear of: counted, logged, and noted for the database."""
        for finding in verdict.findings:
            action = finding.action if verdict.action is not LimitAction.WARN else LimitAction.WARN
            LIMITED.labels(action.value, finding.limit).inc()
            if self._notebook.add_notice(charge, action, finding, now):
                log.warning(
                    "limit_passed",
                    action=action.value,
                    limit=finding.limit,
                    account=charge.account_id,
                    extension=charge.extension,
                    destination=charge.outside.key,
                    number=charge.outside.number,
                    count=finding.count,
                    threshold=finding.threshold,
                )
        if verdict.action is LimitAction.HOLD and self.decision_on(charge, now) is None:
            held = next(f for f in verdict.findings if f.action is LimitAction.HOLD)
            self._notebook.add_hold(charge, held.reason, now)

    # What happens to calls

    def channel_gone(self, uniqueid: str) -> None:
        """A hint that a channel ended: worth a look if another call may need its place."""
        if self._counts.is_awaited(uniqueid):
            self._look.set()

    def calls_stored(self, records: Iterable[tuple[CallRecord, int, str | None]]) -> None:
        """Records as they are stored, each with its account and the number dialled in E.164."""
        now = self._clock().timestamp()
        for record, account_id, to_number in records:
            if not self._counts.note_record(record.call_id):
                continue
            try:
                past = past_of(record, account_id, to_number)
                legs = [leg.uniqueid for leg in record.legs]
                if not self._counts.settle(legs, past is not None, talk_of(record), now) and past:
                    self._add_past(past, now)
            except Exception:
                # The edge of one call: it is stored, and the next one has done nothing wrong.
                self._failed(record.call_id)

    def observe_channels(self, channels: Sequence[LiveChannel], asked_at: float) -> None:
        """Asterisk's list: ends what it has no more, counts what nobody has counted.

        `asked_at`: what began later may be missing in it.
        """
        now = self._clock().timestamp()
        ids = {channel.uniqueid for channel in channels} | {c.linkedid for c in channels}
        for call in self._counts.live:
            if call.began < asked_at and call.uniqueid not in ids and call.linkedid not in ids:
                self._counts.end(call.uniqueid, now)
        self._adopt(channels, now)

    def _adopt(self, channels: Sequence[LiveChannel], now: float) -> None:
        table = self._table()
        counted = {call.linkedid for call in self._counts.live}
        counted |= {call.uniqueid for call in self._counts.live}
        callers = {c.uniqueid: c for c in channels}
        for channel in channels:
            owner = table.endpoints.get(channel.endpoint)
            if owner is None or owner[1] != "trunk" or channel.application != "AppDial":
                continue
            caller = callers.get(channel.linkedid)
            if channel.linkedid in counted or caller is None:
                continue
            account_id, kind, key = table.endpoints.get(caller.endpoint, (owner[0], "", ""))
            index = table.accounts[account_id]
            if select_emergency(index, caller.exten) is None:
                extension = key if kind == "extension" else None
                running = charge_running(index, extension, caller.exten)
                charges = [(running, self._counts.tallies(running))]
                self._counts.begin(caller.uniqueid, caller.linkedid, charges, now, None)
            counted.add(channel.linkedid)

    def _add_past(self, past: PastCall, now: float) -> None:
        charge = charge_past(past, self._table())
        if charge is not None:
            talked = past.talk or (past.began, past.began)
            self._counts.add_past(charge, past.began, talked, now)

    # The database

    async def restore(self) -> None:
        """Decisions, and the calls of the last day. Raises CallctlError("database_unavailable")."""
        await self.load_decisions()
        now = self._clock()
        since = now - timedelta(seconds=DAY + HOUR)
        for row in await self._store.get_recent_calls(since):
            if self._counts.note_record(row["call_id"]):
                try:
                    self._add_past(_past_of_row(row), now.timestamp())
                except Exception:
                    # The edge of one call: no old record may keep the daemon from routing.
                    self._failed(row["call_id"])

    def _failed(self, call_id: str) -> None:
        UNITS_FAILED.labels("limits_call").inc()
        log.exception("call_not_counted", call_id=call_id)

    async def load_decisions(self) -> None:
        decisions = await self._store.get_decisions()
        self._decisions = {(d.account_id, d.extension, d.destination): d for d in decisions}
        HOLDS_WAITING.set(await self._store.count_waiting())

    async def flush(self) -> None:
        """Write what was noted. Raises CallctlError; nothing is lost by it."""
        held, notices = self._notebook.take()
        if not held and not notices:
            return
        try:
            await self._store.save(held, notices)
        except CallctlError:
            self._notebook.put_back(held, notices)
            raise
        HOLDS_WAITING.set(await self._store.count_waiting())

    async def run_flush(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            OUTSIDE_CALLS.set(len(self._counts.live))
            with contextlib.suppress(CallctlError):
                await self.flush()

    async def run_look(self, list_channels: ListChannels) -> None:
        """Until cancelled: hold the counts against Asterisk's own list, sooner where it matters."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            self._look.clear()
            began = self._clock().timestamp()
            for call in self._counts.expire(began):
                log.warning("call_end_unknown", uniqueid=call.uniqueid, began=call.began)
            channels = await list_channels()
            if channels is not None:
                self.observe_channels(channels, began)
            took = self._clock().timestamp() - began
            await asyncio.sleep(max(LOOK_AGAIN_SECONDS, 20 * took))

    async def run_watch(self) -> None:
        """Until cancelled: take over what another process (the command line) has decided."""
        while True:
            with contextlib.suppress(CallctlError):
                await self._listen()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        decided = asyncio.Event()

        def on_notify(*_: object) -> None:
            decided.set()

        async with self._db.connection() as connection:
            await connection.add_listener(CHANNEL, on_notify)
            connection.add_termination_listener(on_notify)
            try:
                while not connection.is_closed():
                    decided.clear()
                    await self.load_decisions()
                    await decided.wait()
            finally:
                if not connection.is_closed():
                    connection.remove_termination_listener(on_notify)
                    await connection.remove_listener(CHANNEL, on_notify)

    async def check(self) -> list[Finding]:
        """For the self-check: what somebody must look at. Raises CallctlError."""
        found = []
        if waiting := await self._store.count_waiting():
            found.append(Finding("calls_held", "", f"{waiting} to decide on"))
        for extension, calls in await self._store.get_blocked(MANY_BLOCKED):
            found.append(Finding("calls_blocked", extension, f"{calls} calls within the hour"))
        return found

    # For people

    def status(self, scope: CallScope) -> StatusView:
        """What is used of the account's limits, as far as the scope reaches."""
        account_id, only = scope.account_id, scope.extensions
        index = self._table().accounts.get(account_id)
        now = self._clock().timestamp()
        usage = []
        for part, name, used in self._counts.usage(account_id, now) if index else ():
            extension = name if part.value.startswith("extension") else None
            if only is not None and extension not in only:
                continue
            for rule in limits_of(index, extension).rules_abroad if index else ():
                if rule.scope is part and used[rule.measure]:
                    usage.append(_usage(rule, name, used[rule.measure]))
        charges = [call.charges[0] for call in self._counts.live]
        calls = sum(
            1
            for charge in charges
            if charge.account_id == account_id and (only is None or charge.extension in only)
        )
        return StatusView(calls, usage)

    async def list_holds(self, scope: CallScope, filters: HoldFilters) -> Page[HoldView]:
        return await self._store.list_holds(scope, filters)

    async def list_notices(self, scope: CallScope, filters: NoticeFilters) -> Page[NoticeView]:
        return await self._store.list_notices(scope, filters)

    async def approve(
        self, scope: CallScope, hold: int, body: Approve, actor: str | Author
    ) -> HoldView:
        """Let such calls pass. Raises CallctlError("not_found"), also outside the scope."""
        found = await self._get(scope, hold)
        whom = "" if body.whole_account else found.extension
        where = "" if body.any_destination else found.destination
        return await self._decide(
            scope.account_id, found, "approved", author_of(actor), body.hours, whom, where
        )

    async def refuse(
        self, scope: CallScope, hold: int, body: Refuse, actor: str | Author
    ) -> HoldView:
        """Keep such calls held, and ask no more. Raises CallctlError("not_found")."""
        found = await self._get(scope, hold)
        whom = found.extension if found.for_extension is None else found.for_extension
        where = found.destination if found.for_destination is None else found.for_destination
        return await self._decide(
            scope.account_id, found, "refused", author_of(actor), body.hours, whom, where
        )

    async def _get(self, scope: CallScope, hold: int) -> HoldView:
        found = await self._store.get_hold(scope, hold)
        if found is None:
            raise CallctlError("not_found", f"there is no held call {hold}")
        return found

    async def _decide(
        self, account_id: int, hold: HoldView, state: str, author: Author, hours: int, whom: str,
        where: str,
    ) -> HoldView:  # fmt: skip
        decided = await self._store.decide(account_id, hold, state, author, hours, whom, where)
        await self.load_decisions()
        log.info(
            "hold_decided", hold=hold.id, state=state, by=author.name, extension=whom or "all",
            destination=where or "any", hours=hours,
        )  # fmt: skip
        return decided


def _past_of_row(row: Any) -> PastCall:
    """A row of `RECENT_CALLS`."""
    answered, ended = row["answered_at"], row["ended_at"]
    return PastCall(
        call_id=row["call_id"],
        account_id=row["account_id"],
        direction=row["direction"],
        extension=row["extension"],
        to_number=row["to_number"],
        why=decode_why(row["why"]),
        began=row["started_at"].timestamp(),
        talk=(answered.timestamp(), ended.timestamp()) if answered else None,
        number=row["number"],
        endpoint=row["endpoint"],
    )


def _usage(rule: Rule, name: str, used: int) -> UsageView:
    threshold = rule.threshold
    return UsageView(rule.name, name, used, threshold.warn, threshold.hold, threshold.block)
