"""Limits of calls to the outside: counted as they are decided, held for a person where need be.

`open_gate` is what the routing asks. Deciding, counting and asking for an approval happen in one
go without waiting, so two calls of the same instant cannot take one place; what people shall see
of it is written to the database a moment later. Without the database calls are decided as ever.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from callctl.core.author import Author, author_of
from callctl.core.calls.record import CallRecord, StoredRecord
from callctl.core.checks.alarms import Finding
from callctl.core.errors import CallctlError
from callctl.core.routing.gate import limits_of
from callctl.core.routing.limits import LimitAction, Verdict
from callctl.core.routing.model import RoutingTable
from callctl.core.routing.outbound import select_emergency
from callctl.core.scope import CallScope
from callctl.db.pool import Database
from callctl.features.limits.counts import Charge, Counts, day_of, limits_money
from callctl.features.limits.gate import Gate
from callctl.features.limits.model import (
    Approve,
    HoldFilters,
    HoldView,
    NoticeFilters,
    NoticeView,
    Refuse,
    StatusView,
    usage_of,
)
from callctl.features.limits.notebook import Notebook
from callctl.features.limits.past import (
    PastCall,
    charge_past,
    charge_running,
    past_of,
    past_of_row,
    talk_of,
)
from callctl.features.limits.store import CHANNEL, Decision, LimitStore, get_costs
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
        self._costs: Mapping[str, int] = {}
        self._budgets: tuple[RoutingTable | None, bool] = (None, False)

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

    async def read_costs(self, connection: Any, stored: Sequence[StoredRecord]) -> None:
        """In the transaction that stores and prices these calls: what they cost, for budgets."""
        self._costs = {}
        if self._limits_money():
            self._costs = await get_costs(connection, [one.id for one in stored if one.new])

    def _limits_money(self) -> bool:
        table = self._table()
        if self._budgets[0] is not table:
            self._budgets = (table, any(map(limits_money, table.accounts.values())))
        return self._budgets[1]

    def calls_stored(self, records: Iterable[tuple[CallRecord, int, str | None]]) -> None:
        """Records as they are stored, each with its account and the number dialled in E.164."""
        now, costs = self._clock().timestamp(), self._costs
        for record, account_id, to_number in records:
            if not self._counts.note_record(record.call_id):
                continue
            try:
                past = past_of(record, account_id, to_number, costs.get(record.call_id, 0))
                legs = [leg.uniqueid for leg in record.legs]
                talk, cost = talk_of(record), past.cost if past else 0
                day = self._day_of(account_id, record.started_us / 1_000_000) if cost else date.min
                counted = self._counts.settle(legs, past is not None, talk, now, cost, day)
                if past and not counted:
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
            if past.cost:
                day = self._day_of(past.account_id, past.began)
                self._counts.add_cost(charge, past.cost, day)

    def _day_of(self, account_id: int, at: float) -> date:
        index = self._table().accounts.get(account_id)
        moment = datetime.fromtimestamp(at, UTC)
        return day_of(index, moment) if index else moment.date()

    # The database

    async def restore(self) -> None:
        """Decisions, the calls of the last day, and for budgets the costs of the month.

        Raises CallctlError("database_unavailable").
        """
        await self.load_decisions()
        now = self._clock()
        since = now - timedelta(seconds=DAY + HOUR)
        for row in await self._store.get_recent_calls(since):
            if self._counts.note_record(row["call_id"]):
                try:
                    self._add_past(past_of_row(row), now.timestamp())
                except Exception:
                    # The edge of one call: no old record may keep the daemon from routing.
                    self._failed(row["call_id"])

        await self._restore_costs(now)

    async def _restore_costs(self, now: datetime) -> None:
        table = self._table()
        accounts = [a for a, index in table.accounts.items() if limits_money(index)]
        # A month of another zone may have begun a day earlier.
        since = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        for row in await self._store.get_paid_calls(accounts, since) if accounts else ():
            try:
                past = past_of_row(row)
                if charge := charge_past(past, table):
                    day = self._day_of(past.account_id, past.began)
                    self._counts.add_cost(charge, row["cost"], day)
            except Exception:
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
        moment = self._clock()
        today = day_of(index, moment) if index else moment.date()
        usage = []
        for part, name, used in self._counts.usage(account_id, moment.timestamp(), today):
            extension = name if part.value.startswith("extension") else None
            if only is not None and extension not in only:
                continue
            for rule in limits_of(index, extension).rules_abroad if index else ():
                if rule.scope is part and used[rule.measure]:
                    usage.append(usage_of(rule, name, used[rule.measure]))
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
