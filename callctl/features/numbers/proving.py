"""Does it ring? A number is shown as live once the record of a call says that it does.

Our own test call enters where carriers' calls enter (the dialplan's inbound door), is decided and
rung as they are, and its record is judged as theirs: what it cannot prove is that the carrier sends
the number's calls here. A call that came by a trunk proves that, too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiError,
    AmiRefused,
    AmiTimeout,
)
from callctl.asterisk.orders import require_connection
from callctl.core.calls.record import StoredRecord
from callctl.core.errors import CallctlError
from callctl.core.numbers.proof import Verdict, judge_call
from callctl.core.numbers.states import NumberEvent, NumberState, next_state
from callctl.core.routing.plan import Direction
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, forget_answer, transact_once
from callctl.db.pool import Database, Reads
from callctl.features.numbers import store
from callctl.features.numbers.model import NumberItem
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("numbers")

DOOR = "from-trunk"
"""Where carriers' calls enter the dialplan (dialplan/10-doors.conf)."""

ANSWERED = "number-test"
"""The dialplan's context for the far end of a test call once somebody has answered it."""

RECORD_SECONDS = 60
"""How long after the call its record may take."""

CHECK_SECONDS = 5.0

# Those that another transaction changes in this moment are left out: the transaction that stores
# calls may hold wallets, for which those that hold numbers may wait.
PROVABLE = f"""
select {store.STOCK_COLUMNS}, s.proven_by from stock_numbers s
where s.number = any($1::text[]) and s.state in ('assigned', 'testing', 'live', 'failed')
  and s.proven_by <> 'call'
order by s.id for no key update skip locked
"""  # noqa: S608 - a constant of this package

TEST_BEGUN = """
update stock_numbers set tested_at = now(), test_detail = '' where id = $1
"""

PROVED = """
update stock_numbers
set state = $2, until = null, test_detail = $3, changed_at = now(),
    proven_at = case when $4 = '' then proven_at else now() end,
    proven_by = case when $4 = '' then proven_by else $4 end
where id = $1
"""

TEST_DETAIL = "update stock_numbers set test_detail = $2 where id = $1"

OVERDUE_TESTS = f"""
select {store.STOCK_COLUMNS} from stock_numbers s
where s.state = 'testing' and s.until <= now() order by s.id limit 100 for no key update skip locked
"""  # noqa: S608 - a constant of this package

FindTrunk = Callable[[int], str | None]
"""The endpoint of a trunk whose calls reach an account's numbers, None if there is none."""

Show = Callable[[Actor, int, Reads], Awaitable[NumberItem]]


class ProvingService:
    """`show` tells of an account's number; `ring_seconds`: how long a test call lets a phone ring
    before it gives up."""

    def __init__(
        self, db: Database, ami: AmiClient, find_trunk: FindTrunk, show: Show, *, ring_seconds: int
    ) -> None:
        self._db = db
        self._ami = ami
        self._find_trunk = find_trunk
        self._show = show
        self._ring_seconds = ring_seconds

    async def test(self, actor: Actor, number_id: int, key: RequestKey | None = None) -> NumberItem:
        """Place a test call to the number; its record decides. The number as the test begins.

        Raises CallctlError: `not_found`, `conflict` (a test is on its way, or nothing could bring
        a call in), `asterisk_unavailable`, `call_failed` (nothing was placed in either case).
        """
        begun: list[tuple[store.StockNumber, str]] = []

        async def act(connection: Any) -> NumberItem:
            found = await store.lock_own(connection, number_id, actor.account_id)
            endpoint = self._way_in(actor.account_id)
            until = found.at + timedelta(seconds=self._ring_seconds + RECORD_SECONDS)
            await store.move(
                connection, found, NumberEvent.TEST, account_id=actor.account_id, until=until
            )
            await connection.execute(TEST_BEGUN, found.id)
            await record_change(
                connection, actor.account_id, actor.author, "number.tested",
                f"number:{number_id}", None, {"number": found.number},
            )  # fmt: skip
            begun.append((found, endpoint))
            return await self._show(actor, number_id, connection)

        item = await transact_once(self._db, key, NumberItem, act)
        for found, endpoint in begun:
            # The client may go away; a test that has begun must get its end.
            await asyncio.shield(self._place(found, endpoint, key))
        return item

    def _way_in(self, account_id: int) -> str:
        """The trunk that the test call comes in by."""
        endpoint = self._find_trunk(account_id)
        if endpoint is None:
            raise CallctlError("conflict", "no trunk brings calls to this account")
        require_connection(self._ami)
        return endpoint

    async def _place(
        self, number: store.StockNumber, endpoint: str, key: RequestKey | None
    ) -> None:
        try:
            await self._ami.originate(
                channel=f"Local/{number.number}@{DOOR}/n",
                context=ANSWERED,
                exten="s",
                # The call is decided as one of this trunk.
                variables={
                    "CALLCTL_ENDPOINT": endpoint,
                    "CALLCTL_BEHALF": f"PJSIP/{endpoint}-00000000",
                },
                caller_id='"callctl test" <>',
                ring_seconds=self._ring_seconds,
            )
        except (AmiTimeout, AmiConnectionLost) as error:
            # Perhaps it rings: its record, or the time, decides.
            log.warning("number_test_unclear", number=number.number, error=str(error))
        except AmiError as error:
            why = error.response.message if isinstance(error, AmiRefused) else str(error)
            with suppress(CallctlError):
                await self._fail(number.id, f"the call was not placed: {why}", key)
            raise CallctlError(
                "call_failed", "Asterisk refused to place the call", detail=why
            ) from None

    async def _fail(self, number_id: int, reason: str, key: RequestKey | None) -> None:
        async with self._db.transaction() as connection:
            await forget_answer(connection, key)
            number = await store.lock_number(connection, number_id)
            await _settle(connection, number, Verdict(False, reason), "")

    async def run_watch(self) -> None:
        """Until cancelled: tests of which no record came have failed."""
        while True:
            with suppress(CallctlError):
                await self.fail_overdue()
            await asyncio.sleep(CHECK_SECONDS)

    async def fail_overdue(self) -> int:
        """How many there were."""
        async with self._db.transaction() as connection:
            rows = await connection.fetch(OVERDUE_TESTS)
            for row in rows:
                number = store.stock_number(row)
                reason = number.test_detail or "no record of the test call came"
                await _settle(connection, number, Verdict(False, reason), "")
        return len(rows)


async def prove_numbers(connection: Any, calls: Sequence[StoredRecord]) -> None:
    """A `StoreStep`: calls that came in on a number say whether it rings."""
    came_in = {
        call.record.did: call.record
        for call in calls
        if call.record.did is not None and call.record.direction is Direction.INBOUND
    }
    if not came_in:
        return
    for row in await connection.fetch(PROVABLE, list(came_in)):
        values = dict(row)
        proven_by = values.pop("proven_by")
        record = came_in[row["number"]]
        by = "test" if record.trunk is None else "call"
        number = store.stock_number(values)
        if proven_by and by == "test" and number.state is NumberState.LIVE:
            continue
        await _settle(connection, number, judge_call(record), by)


async def _settle(connection: Any, number: store.StockNumber, verdict: Verdict, by: str) -> None:
    """What `verdict` makes of a number: nothing, where it does not go with its state."""
    if verdict.rang is None:
        if number.state is NumberState.TESTING:
            await connection.execute(TEST_DETAIL, number.id, verdict.reason)
        return
    event = NumberEvent.RANG if verdict.rang else NumberEvent.SILENT
    state = next_state(number.state, event)
    if state is None:
        return
    proven_by = by if verdict.rang else ""
    await connection.execute(PROVED, number.id, state.value, verdict.reason, proven_by)
    log.info("number_judged", number=number.number, state=state, reason=verdict.reason)
