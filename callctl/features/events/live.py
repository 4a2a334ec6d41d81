"""Calls that go on: followed by the journal's rows, shown, and told as events while it is news."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec

from callctl.core.calls.events import CelEvent
from callctl.core.calls.live import LiveCall, LiveCalls, LiveNews
from callctl.core.calls.not_live import NotLive
from callctl.core.errors import CallctlError
from callctl.core.money.call_costs import NO_COST, CallCost
from callctl.core.money.tariffs import EMERGENCY
from callctl.core.routing.model import RoutingTable
from callctl.core.routing.plan import Direction
from callctl.core.scope import CallScope
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database
from callctl.features.events.model import LiveCallView, LiveView
from callctl.numbers import normalise
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import UNITS_FAILED

log = get_logger("live")

FLUSH_SECONDS = 0.2
"""From one transaction with live events to the next: many cost little more than one."""

MOST_NEWS = 10_000
"""Events kept while PostgreSQL is away; of more, the oldest are never told."""

RETRY_SECONDS = 1.0
RETAIN_EVERY = 5
"""Flushes from one look at which channels there are to the next."""

_EVENT_AT_FAULT = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError)
"""This event will never be written, whatever is tried; others will."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


RunningCost = Callable[[int, str | None, str | None, int, int, bool], CallCost]
"""(account, number, trunk, answered at, now, whether it came in on the number) → what it costs so
far."""


class LiveDesk:
    """One per Asterisk. `why_not_live` says why what is known may be old, None when it is not."""

    def __init__(
        self,
        db: Database,
        table: Callable[[], RoutingTable],
        *,
        default_account_id: Callable[[], int],
        open_channels: Callable[[], Collection[str]],
        why_not_live: Callable[[], NotLive | None],
        running_cost: RunningCost = lambda *_: NO_COST,
    ) -> None:
        self._db = db
        self._table = table
        self._default_account_id = default_account_id
        self._open_channels = open_channels
        self.why_not_live = why_not_live
        self._running_cost = running_cost
        self._live = LiveCalls()
        self._news: deque[LiveNews] = deque(maxlen=MOST_NEWS)
        self._writing = asyncio.Lock()

    def rows_read(self, events: Sequence[CelEvent]) -> None:
        """For the journal's reader: in memory only, a few microseconds a row. Whatever goes wrong
        here must not keep a call from being stored."""
        try:
            self._news += self._live.feed(events, self._table().endpoints, time.time_ns() // 1000)
        except Exception:
            UNITS_FAILED.labels("live").inc()
            log.exception("live_rows_failed")
            self._live = LiveCalls()

    def calls(self) -> Iterator[LiveCall]:
        """All of them, whoever they belong to."""
        return iter(self._live)

    def call_of(self, uniqueid: str) -> LiveCall | None:
        """The call of this channel, while it goes on."""
        return self._live.call_of(uniqueid)

    def account_of(self, call: LiveCall) -> int:
        return call.account_id or self._default_account_id()

    def find(self, scope: CallScope, uniqueid: str) -> LiveCall | None:
        """The call of this channel, while it goes on and if the scope sees it."""
        call = self._live.call_of(uniqueid)
        return call if call is not None and self._is_in(scope, call) else None

    def _is_in(self, scope: CallScope, call: LiveCall) -> bool:
        own = scope.extensions
        inside = own is None or not call.extensions.keys().isdisjoint(own)
        return inside and self.account_of(call) == scope.account_id

    def view(self, scope: CallScope) -> LiveView:
        """The calls of `scope`, the oldest first."""
        now_us = time.time_ns() // 1000
        items = [self.view_of(call, now_us) for call in self._live if self._is_in(scope, call)]
        items.sort(key=lambda c: c.started_at)
        why, at = self.why_not_live(), _instant(now_us)
        if why is None:
            return LiveView(True, None, at, items)
        since = None if why.since is None else datetime.fromtimestamp(why.since, UTC)
        return LiveView(False, why.reason, at, items, why.missing, since)

    def view_of(self, call: LiveCall, now_us: int) -> LiveCallView:
        """One call as it is at `now_us`, its outside numbers in E.164 where they have that form."""
        index = self._table().accounts.get(self.account_of(call))
        country = index.routing.account.country if index else "ZZ"
        from_number, to_number = call.from_number, call.to_number
        if from_number and call.direction is Direction.INBOUND:
            from_number = normalise(from_number, country) or from_number
        if to_number and call.direction is not Direction.INTERNAL:
            to_number = normalise(to_number, country) or to_number
        customer = {Direction.INBOUND: from_number, Direction.OUTBOUND: to_number}
        answered = call.answered_us
        cost = self._cost(call, to_number, now_us)
        return LiveCallView(
            call_id=call.call_id,
            direction=call.direction.value,
            from_number=from_number,
            from_name=call.from_name,
            to_number=to_number,
            customer_number=customer.get(call.direction),
            extension=call.extension,
            did=call.did or None,
            started_at=_instant(call.started_us),
            answered_at=None if answered is None else _instant(answered),
            answered_by=call.answered_by,
            ringing=call.ringing,
            talking=call.talking,
            extensions=list(call.extensions),
            talk_seconds=0.0 if answered is None else max(0, now_us - answered) / 1_000_000,
            cost=cost.amount,
            currency=cost.currency,
            cost_reason=cost.reason,
            feature=call.feature,
            emergency=call.emergency,
        )

    def _cost(self, call: LiveCall, to_number: str | None, now_us: int) -> CallCost:
        incoming = call.direction is Direction.INBOUND
        if call.direction is Direction.INTERNAL or call.answered_us is None:
            return NO_COST
        if incoming and not call.did:
            return NO_COST
        if call.free:
            return CallCost(0, None, EMERGENCY)
        account_id = self.account_of(call)
        number = call.did if incoming else to_number
        return self._running_cost(
            account_id, number, call.trunk, call.answered_us, now_us, incoming
        )

    async def forget_news(self, uniqueids: Sequence[str]) -> None:
        """Before the calls of these channels are stored: that a call rings is no news when it is
        over, and must not be told after its end. Events are told in the order in which their
        transactions began, so that news on their way are waited for."""
        over = frozenset(uniqueids)
        async with self._writing:
            kept = [n for n in self._news if n.call.call_id not in over]
            self._news = deque(kept, maxlen=MOST_NEWS)

    async def run(self) -> None:
        """Until cancelled: write events, drop what the reader knows to be gone."""
        for turn in itertools.count():
            await asyncio.sleep(FLUSH_SECONDS)
            if turn % RETAIN_EVERY == 0:
                self._live.retain(self._open_channels())
            if self._news:
                await self.flush()

    async def flush(self) -> None:
        """Write the news there is, in one transaction. Without PostgreSQL it waits."""
        try:
            async with self._writing:
                await self._write_news()
        except (CallctlError, OSError, asyncpg.PostgresError) as error:
            log.warning("live_events_wait", events=len(self._news), error=str(error))
            await asyncio.sleep(RETRY_SECONDS)

    async def _write_news(self) -> None:
        """News that come meanwhile stay; if it fails, all do."""
        batch = list(self._news)
        try:
            await self._write(batch)
        except _EVENT_AT_FAULT:
            for news in batch:
                try:
                    await self._write([news])
                except _EVENT_AT_FAULT as error:
                    log.error("live_event_lost", call_id=news.call.call_id, error=str(error))
        written = set(map(id, batch))
        self._news = deque((n for n in self._news if id(n) not in written), maxlen=MOST_NEWS)

    async def _write(self, batch: Sequence[LiveNews]) -> None:
        events = list(self._events(batch))
        async with self._db.transaction() as connection:
            await append_events(connection, events)

    def _events(self, batch: Sequence[LiveNews]) -> Iterator[OutboxEvent]:
        """Without those that a mistake of ours keeps from being made: tried again, it would be
        made again, and all others would wait for ever."""
        for news in batch:
            try:
                yield self._event(news)
            except CallctlError:
                raise
            except Exception:
                UNITS_FAILED.labels("live").inc()
                log.exception("live_event_lost", call_id=news.call.call_id)

    def _event(self, news: LiveNews) -> OutboxEvent:
        call = news.call
        data = msgspec.structs.asdict(self.view_of(call, news.at_us))
        data["ringing"] = list(news.ringing)
        subject = f"call:{call.call_id}"
        return OutboxEvent(
            self.account_of(call), news.kind, subject, data, once=f"{news.kind.value} {subject}"
        )


def _instant(us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=us)
