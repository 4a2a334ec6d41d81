"""Wallets, settings and what is set aside for running calls, in PostgreSQL.

A reservation is a hold in the ledger while its call goes on: nobody else spends its money, other
daemons see it, and it is there after a restart. It is written a moment after the call has begun and
let go of in the very transaction that reads the balances which show the call's charge.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.guard import Purse
from callctl.db.audit import record_change
from callctl.db.idempotency import RequestKey, transact_once
from callctl.db.ledger import hold, release
from callctl.db.pool import Database, Reads
from callctl.features.spend.model import SpendSettings

CHANNEL = "callctl_wallets"
"""PostgreSQL notification on every change of a wallet (a trigger) or of settings; the payload is
the account's id."""

PURSES = """
select b.account_id, b.currency, s.account_id is not null as postpaid, s.credit_limit,
       b.balance - b.held + coalesce((
           select sum(h.amount) from ledger_holds h
           where h.book_id = b.id and h.released_at is null and h.reference like $1 || '%'
       ), 0)::bigint as balance
from books b left join spend_settings s on s.account_id = b.account_id
where b.kind = 'wallet' and ($2::bigint[] is null or b.account_id = any($2))
"""

OWN_HOLDS = """
select id, account_id, amount, reference from ledger_holds
where released_at is null and reference like $1 || '%' order by id
"""

FORGET_HOLDS = """
delete from ledger_holds where id = any($1::bigint[]) and released_at is not null
"""

STORED_CHANNELS = "select uniqueid from legs where uniqueid = any($1::text[])"

SETTINGS = "select credit_limit from spend_settings where account_id = $1"
SETTINGS_LOCK = "select id from accounts where id = $1 for no key update"
SETTINGS_SAVE = """
insert into spend_settings (account_id, credit_limit, changed_by) values ($1, $2, $3)
on conflict (account_id) do update
set credit_limit = excluded.credit_limit, changed_by = excluded.changed_by, changed_at = now()
"""
SETTINGS_DELETE = "delete from spend_settings where account_id = $1"

IS_BELOW = """
with recursive up as (
    select id, parent_id from accounts where id = $2
    union all
    select a.id, a.parent_id from accounts a join up on a.id = up.parent_id where up.id <> $1
)
select exists (select from up where id = $1)
"""

_NOTIFY = "select pg_notify($1, $2)"


Place = tuple[int, str]
"""An account, and the key of a call that it pays for."""


@dataclass(frozen=True, slots=True)
class StoredPurse:
    purse: Purse
    currency: str


@dataclass(frozen=True, slots=True)
class Held:
    """A hold in the ledger for a running call of this Asterisk."""

    id: int
    account_id: int
    amount: int
    key: str

    @property
    def place(self) -> Place:
        return self.account_id, self.key


class SpendStore:
    """`systemname`: this Asterisk's, so that each daemon knows its own calls' holds."""

    def __init__(self, db: Database, systemname: str) -> None:
        self._db = db
        self._prefix = f"talk:{_escaped(systemname)}:"
        self._mark = f"talk:{systemname}:"

    async def get_purses(
        self, accounts: Collection[int] | None = None, connection: Any = None
    ) -> dict[int, StoredPurse]:
        """Of these accounts, or of all: what is in the wallet, less what is set aside for other
        things than this Asterisk's calls."""
        only = None if accounts is None else list(accounts)
        rows = await (connection or self._db).fetch(PURSES, self._prefix, only)
        return {row["account_id"]: _purse(row) for row in rows}

    async def get_holds(self) -> list[Held]:
        """What is set aside for calls of this Asterisk, the oldest first."""
        rows = await self._db.fetch(OWN_HOLDS, self._prefix)
        return [
            Held(r["id"], r["account_id"], r["amount"], r["reference"].removeprefix(self._mark))
            for r in rows
        ]

    async def get_stored(self, keys: Collection[str]) -> set[str]:
        """Those of `keys` (channels) whose call has its record, and so its charge."""
        return {row["uniqueid"] for row in await self._db.fetch(STORED_CHANNELS, list(keys))}

    async def write(
        self,
        letting_go: Sequence[Held],
        setting_aside: Mapping[Place, int],
        accounts: Collection[int] | None,
    ) -> tuple[list[Held], dict[int, StoredPurse]]:
        """Let go of holds, set amounts aside, and read the purses after it: all in one transaction.
        Returns the new holds, and the purses.

        What a wallet does not cover (somebody was quicker) is not set aside. Raises CallctlError.
        """
        made: list[Held] = []
        over: dict[Place, list[Held]] = {}
        for held in letting_go:
            over.setdefault(held.place, []).append(held)
        async with self._db.transaction() as connection:
            # In the ledger's own order, so that two writers never wait for each other.
            for place in sorted(over.keys() | setting_aside.keys(), reverse=True):
                for held in over.get(place, ()):
                    await release(connection, held.id)
                if place in setting_aside:
                    made += await self._hold(connection, place, setting_aside[place])
            if letting_go:
                await connection.execute(FORGET_HOLDS, [held.id for held in letting_go])
            return made, await self.get_purses(accounts, connection)

    async def _hold(self, connection: Any, place: Place, amount: int) -> list[Held]:
        account_id, key = place
        try:
            hold_id = await hold(
                connection, account_id=account_id, amount=amount, reference=self._mark + key
            )
        except CallctlError as error:
            if error.code == "database_unavailable":
                raise
            return []
        return [Held(hold_id, account_id, amount, key)]

    async def get_settings(self, account_id: int) -> SpendSettings:
        return await _settings(self._db, account_id)

    async def save_settings(
        self, account_id: int, new: SpendSettings, author: Author, key: RequestKey | None = None
    ) -> SpendSettings:
        async def act(connection: Any) -> SpendSettings:
            await connection.execute(SETTINGS_LOCK, account_id)
            before = await _settings(connection, account_id)
            if new.mode == "prepaid":
                await connection.execute(SETTINGS_DELETE, account_id)
            else:
                await connection.execute(SETTINGS_SAVE, account_id, new.credit_limit, author.name)
            await record_change(
                connection, account_id, author, "spend.changed", "spend", _audited(before),
                _audited(new),
            )  # fmt: skip
            await connection.execute(_NOTIFY, CHANNEL, str(account_id))
            return new

        return await transact_once(self._db, key, SpendSettings, act)

    async def is_below(self, above: int, account_id: int) -> bool:
        """Whether `account_id` is `above` itself or below it."""
        found: bool = await self._db.fetchval(IS_BELOW, above, account_id)
        return found


async def _settings(reads: Reads, account_id: int) -> SpendSettings:
    row = await reads.fetchrow(SETTINGS, account_id)
    return SpendSettings() if row is None else SpendSettings("postpaid", row["credit_limit"])


def _purse(row: Mapping[str, Any]) -> StoredPurse:
    credit = row["credit_limit"] if row["postpaid"] else 0
    return StoredPurse(Purse(row["balance"], credit), row["currency"])


def _audited(settings: SpendSettings) -> dict[str, Any]:
    return {"mode": settings.mode, "credit_limit": settings.credit_limit}


def _escaped(text: str) -> str:
    r"""As a part of a LIKE pattern: ``_``, ``%`` and ``\`` stand for themselves."""
    return "".join("\\" + c if c in r"\%_" else c for c in text)
