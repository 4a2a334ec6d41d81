"""Money in the call path: purses in memory, reservations for running calls, both kept current.

`open_gate` is what the routing asks; it waits for nothing. One job (`run`) alone takes over
balances: it lets go of a call's money in the step in which it takes over a balance that shows the
call's charge, so that no money is promised twice.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from callctl.core.author import Author
from callctl.core.calls.record import CallRecord
from callctl.core.errors import CallctlError
from callctl.core.money.guard import TERMS, Guard, Reservation, Terms
from callctl.core.scope import CallScope
from callctl.db.idempotency import RequestKey
from callctl.db.pool import Database
from callctl.features.spend.extending import EndAfter, Extender, TalkOf
from callctl.features.spend.gate import CountingGate, PayersOf, Refusal, SpendGate
from callctl.features.spend.model import SpendSettings, SpendView
from callctl.features.spend.store import CHANNEL, Held, Place, SpendStore, StoredPurse
from callctl.telemetry.clock import Clock, utc_now
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import PAID_CALLS, WITHOUT_MONEY

log = get_logger("spend")

WRITE_SECONDS = 0.5
"""So long after a call has begun its money is set aside in the ledger, too."""

RETRY_SECONDS = 1.0
LATE_SECONDS = 3600
"""How long after its latest end a call's record is waited for, while the journal is read."""

RESTORED_FOR = timedelta(days=1)
"""When a call that began before a restart must be over."""


class SpendService:
    """`payers_of` tells who pays for a call; `is_current` whether all that Asterisk has journaled
    is stored, so that a call without a record is none. `talk_of` and `end_after` know of running
    calls and may make them last longer."""

    def __init__(
        self,
        db: Database,
        payers_of: PayersOf,
        systemname: str,
        is_current: Callable[[], bool],
        talk_of: TalkOf,
        end_after: EndAfter,
        clock: Clock = utc_now,
        terms: Terms = TERMS,
    ) -> None:
        self._db = db
        self._store = SpendStore(db, systemname)
        self._payers_of = payers_of
        self._is_current = is_current
        self._clock = clock
        self.guard = Guard(terms)
        self._purses: dict[int, StoredPurse] = {}
        self._holds: dict[str, list[Held]] = {}
        """What is set aside for a call in the ledger, as far as is known."""
        self._doubtful = False
        """Whether it must be read anew."""
        self._unwritten: set[str] = set()
        self._charged: set[str] = set()
        self._changed: set[int] | None = set()
        """Accounts whose wallets are to be read; None: all."""
        self._wake = asyncio.Event()
        self.extender = Extender(
            self.guard, talk_of, end_after, lambda r: self._unwritten.add(r.key), clock
        )

    # Deciding

    def open_gate(self, inner: CountingGate, now: datetime) -> SpendGate:
        """A gate for one plan, by the money there is now."""
        return SpendGate(
            inner, self.guard, self._payers_of, now, began=self._began, refused=self._refused
        )

    def _began(self, reservation: Reservation) -> None:
        self.guard.begin(reservation)
        self._unwritten.add(reservation.key)

    def _refused(self, refusal: Refusal) -> None:
        WITHOUT_MONEY.labels(refusal.code).inc()
        log.debug(
            "call_without_money",
            account=refusal.account_id,
            extension=refusal.extension,
            number=refusal.number,
            reason=refusal.code,
        )

    # What happens to calls

    def calls_stored(self, records: Iterable[CallRecord]) -> None:
        """Their charges are committed: their money is let go of with the next balances."""
        for record in records:
            for leg in record.legs:
                if leg.uniqueid in self.guard:
                    self._charged.add(leg.uniqueid)
        if self._charged:
            self._wake.set()

    # The database

    async def restore(self) -> None:
        """Wallets, and what is set aside for calls. Raises CallctlError("database_unavailable")."""
        self._purses = await self._store.get_purses()
        self.guard.settle({a: stored.purse for a, stored in self._purses.items()}, ())
        await self._read_holds()
        ends = (self._clock() + RESTORED_FOR).timestamp()
        for key, held in self._holds.items():
            amounts = {one.account_id: one.amount for one in held}
            self.guard.begin(Reservation(key, tuple(amounts.items()), ends))
        self._unwritten |= self._holds.keys()
        self._charged |= await self._store.get_stored(self._holds.keys())
        await self.write()

    async def _read_holds(self) -> None:
        self._holds = {}
        for held in await self._store.get_holds():
            self._holds.setdefault(held.key, []).append(held)
        self._doubtful = False

    async def refresh(self) -> None:
        """Let go of what is over, write, and take over all balances. Raises CallctlError."""
        self._changed = None
        self._expire()
        await self.write()

    async def write(self) -> None:
        """Set aside and let go of what has changed, take over balances. Raises CallctlError; then
        all of it is done the next time."""
        if self._doubtful:
            await self._read_holds()
        charged, unwritten, changed = set(self._charged), self._unwritten, self._changed
        keys = unwritten | charged
        accounts = None if changed is None else changed | self._accounts_of(keys)
        if accounts is not None and not accounts:
            return
        letting_go, setting_aside = self._differences(keys, charged)
        self._unwritten, self._changed = set(), set()
        try:
            made, purses = await self._store.write(letting_go, setting_aside, accounts)
        except BaseException:
            # Nobody knows whether it was committed.
            self._doubtful, self._unwritten, self._changed = True, self._unwritten | keys, None
            raise
        self._note_holds(letting_go, made)
        gone = setting_aside.keys() - {held.place for held in made}
        self._purses = purses if accounts is None else self._purses | purses
        self.guard.settle({a: stored.purse for a, stored in self._purses.items()}, charged)
        if gone:
            log.warning("money_gone", calls=sorted(gone))
            self._unwritten |= {key for _, key in gone if self.guard.shorten(key)}
        self._charged -= charged
        PAID_CALLS.set(len(self.guard))

    def _differences(
        self, keys: set[str], charged: set[str]
    ) -> tuple[list[Held], dict[Place, int]]:
        """Holds that are to go, and amounts that are to be set aside, of these calls."""
        setting_aside = {
            (account_id, key): amount
            for key in keys - charged
            for account_id, amount in self.guard.amounts(key).items()
            if amount and self.guard.purse(account_id).credit == 0
        }
        letting_go = []
        for held in (held for key in keys for held in self._holds.get(key, ())):
            if setting_aside.get(held.place) == held.amount:
                del setting_aside[held.place]
            else:
                letting_go.append(held)
        return letting_go, setting_aside

    def _note_holds(self, gone: Iterable[Held], made: Iterable[Held]) -> None:
        for held in gone:
            self._holds[held.key].remove(held)
            if not self._holds[held.key]:
                del self._holds[held.key]
        for held in made:
            self._holds.setdefault(held.key, []).append(held)

    def _accounts_of(self, keys: Iterable[str]) -> set[int]:
        found: set[int] = set()
        for key in keys:
            found |= self.guard.amounts(key).keys()
            found |= {held.account_id for held in self._holds.get(key, ())}
        return found

    async def run(self) -> None:
        """Until cancelled: follow the wallets, write what is reserved."""
        while True:
            with contextlib.suppress(CallctlError):
                await self._follow()
            await asyncio.sleep(RETRY_SECONDS)

    async def _follow(self) -> None:
        async with self._db.connection() as connection:
            await connection.add_listener(CHANNEL, self._on_notify)
            connection.add_termination_listener(self._on_end)
            self._changed = None
            try:
                while not connection.is_closed():
                    self._expire()
                    await self.write()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(WRITE_SECONDS):
                            await self._wake.wait()
                    self._wake.clear()
            finally:
                if not connection.is_closed():
                    connection.remove_termination_listener(self._on_end)
                    await connection.remove_listener(CHANNEL, self._on_notify)

    def _on_notify(self, connection: object, pid: int, channel: str, payload: object) -> None:
        if self._changed is not None:
            self._changed.add(int(str(payload)))
        self._wake.set()

    def _on_end(self, connection: object) -> None:
        self._wake.set()

    def _expire(self) -> None:
        """Calls that no record tells of, once all that was journaled is stored."""
        if not self._is_current():
            return
        for late in self.guard.expire(self._clock().timestamp() - LATE_SECONDS):
            log.warning("paid_call_without_record", uniqueid=late.key, amounts=late.amounts)
            self._unwritten.add(late.key)

    # For people

    def status(self, scope: CallScope) -> SpendView:
        """The account's money as calls are decided by it. Raises CallctlError("not_found")."""
        account_id = scope.account_id
        stored = self._purses.get(account_id)
        if stored is None:
            raise CallctlError("not_found", f"no wallet of account {account_id} is known yet")
        purse = stored.purse
        return SpendView(
            mode="prepaid" if purse.credit == 0 else "postpaid",
            credit_limit=purse.credit or None,
            currency=stored.currency,
            balance=purse.balance,
            reserved=self.guard.reserved(account_id),
            free=self.guard.free(account_id),
            calls=self.guard.calls(account_id),
        )

    async def get_settings(self, actor_account: int, account_id: int) -> SpendSettings:
        """Of one's own account or one below. Raises CallctlError("not_found")."""
        await self._require_below(actor_account, account_id)
        return await self._store.get_settings(account_id)

    async def save_settings(
        self,
        actor_account: int,
        account_id: int,
        new: SpendSettings,
        author: Author,
        key: RequestKey | None = None,
    ) -> SpendSettings:
        """Of an account below. Raises CallctlError: `not_found`; `conflict` for one's own."""
        await self._require_below(actor_account, account_id)
        if account_id == actor_account:
            raise CallctlError("conflict", "only who sells to an account gives it credit")
        if new.mode == "prepaid" and new.credit_limit is not None:
            message = "who pays beforehand has no credit; leave credit_limit out"
            raise CallctlError("invalid_field", message, field="body.credit_limit")
        return await self._store.save_settings(account_id, new, author, key)

    async def _require_below(self, above: int, account_id: int) -> None:
        if not await self._store.is_below(above, account_id):
            raise CallctlError("not_found", f"no account with the id {account_id}")
