"""Routing objects in PostgreSQL: a row per object, its body as the document says it.

Reading gives whole accounts; writing compares with what is there and touches only what differs.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.routing.model import Account, AccountKind, RecordPolicy, SipCredential
from callctl.core.routing.package import PackageRights
from callctl.db.audit import record_change, record_reading
from callctl.db.pool import Database
from callctl.features.routing import structs
from callctl.features.routing.objects import KIND_OF_FIELD, KINDS, Change, objects_of

CHANNEL = "callctl_routing"
"""PostgreSQL notification on every change; the payload is the account's id."""

_TAKEN_BY_OTHERS = frozenset({"routing_endpoints", "routing_dids"})
"""Indexes of what is unique over all accounts."""

_FOR_SALE = frozenset({"routing_dids_not_for_sale"})
"""What a trigger of migrations/0016_numbers.sql raises; the detail is the number."""

MOST_AUDITED = 200
"""Changes of one apply that the audit log holds; the revision holds the document."""

_ACCOUNTS = """
select a.id, a.parent_id, a.code, a.name, a.kind, a.timezone, a.country, a.settings,
       r.account_id is not null as needs_package, r.until, r.over, r.extensions,
       (select coalesce(max(v.id), 0) from routing_revisions v where v.account_id = a.id)
           as revision
from accounts a left join package_rights r on r.account_id = a.id
order by a.id
"""

_OBJECTS = """
select account_id, kind, name, position, body from routing_objects
order by account_id, kind, position, name
"""

_ROWS_AT_ONCE = 500
"""Of a table that is read as a whole: what they were decoded from is gone before the next come."""

_REVISION = "select coalesce(max(id), 0) from routing_revisions"

_CREDENTIALS = "select endpoint, account_id, username, secret from sip_credentials"

# Not "for update": rows that refer to the account, as calls and entries, need not wait.
_LOCK_ACCOUNT = "select code from accounts where id = $1 for no key update"

_ACCOUNT_REVISION = "select coalesce(max(id), 0) from routing_revisions where account_id = $1"

_OWN_OBJECTS = "select kind, name, position, body from routing_objects where account_id = $1"

_UPDATE_ACCOUNT = """
update accounts set name = $2, timezone = $3, country = $4, settings = settings || $5 where id = $1
"""

_UPSERT_OBJECT = """
insert into routing_objects (account_id, kind, name, position, body) values ($1, $2, $3, $4, $5)
on conflict (account_id, kind, name) do update set position = $4, body = $5
"""

_DELETE_OBJECT = "delete from routing_objects where account_id = $1 and kind = $2 and name = $3"

_UPSERT_CREDENTIAL = """
insert into sip_credentials (endpoint, account_id, username, secret) values ($1, $2, $3, $4)
on conflict (endpoint) do update set username = $3, secret = $4
where sip_credentials.account_id = $2
"""

_DELETE_CREDENTIALS = """
delete from sip_credentials where account_id = $1 and not endpoint = any($2::text[])
"""

_INSERT_REVISION = """
insert into routing_revisions (account_id, applied_by, document) values ($1, $2, $3) returning id
"""

_REVISIONS = """
select id, applied_at, applied_by, document from routing_revisions
where account_id = $1 and ($2::bigint is null or id < $2) order by id desc limit $3
"""

_NOTIFY = "select pg_notify($1, $2)"

_HUNT_MEMORY = "select account_id, hunt_group, first_offered from hunt_memory"

_SAVE_HUNT_MEMORY = """
insert into hunt_memory (account_id, hunt_group, first_offered) values ($1, $2, $3)
on conflict (account_id, hunt_group) do update set first_offered = $3
"""

_ANSWERED = """
select c.account_id, c.answered_by,
       extract(epoch from max(c.answered_at))::double precision as answered_at,
       count(*) filter (
           where c.answered_at >= date_trunc('day', now(), a.timezone)) as answered_today
from calls c join accounts a on a.id = c.account_id
where c.answered_by is not null and c.answered_at is not null
  and c.started_at >= now() - interval '8 days'
group by c.account_id, c.answered_by
"""


Versions = tuple[tuple[Account, int], ...]
"""What differs when anything that is stored does. Each account has its own last revision: of two
accounts that are changed at once, the one with the lower number may be the later to be seen."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """`endpoints` maps (kind, object's key) to the PJSIP endpoint's name. `revision`: the account's
    last one, 0 before the first."""

    account: Account
    document: structs.Document
    endpoints: Mapping[tuple[str, str], str]
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything stored, read in one transaction."""

    accounts: tuple[StoredAccount, ...]
    credentials: Mapping[str, SipCredential]
    revision: int

    @property
    def versions(self) -> Versions:
        return tuple((stored.account, stored.revision) for stored in self.accounts)


@dataclass(frozen=True, slots=True)
class Revision:
    """An apply of the past. `document` is canonical, without secrets."""

    id: int
    applied_at: datetime
    applied_by: str
    document: Any


@dataclass(frozen=True, slots=True)
class Memories:
    """What the strategies remember, keyed as `HuntMemory` is."""

    offered_first: dict[tuple[int, str], str]
    answered_at: dict[tuple[int, str], float]
    answered_count: dict[tuple[int, str], int]


class RoutingStore:
    """The routing's tables."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get_snapshot(self) -> Snapshot:
        async with self._db.transaction() as connection:
            await connection.execute("set transaction isolation level repeatable read, read only")
            accounts = await connection.fetch(_ACCOUNTS)
            drafts = {row["id"]: _Draft() for row in accounts}
            texts = _Texts()
            async for row in connection.cursor(_OBJECTS, prefetch=_ROWS_AT_ONCE):
                drafts[row["account_id"]].add(row, texts)
            credentials = {}
            async for row in connection.cursor(_CREDENTIALS, prefetch=_ROWS_AT_ONCE):
                endpoint, username = texts.once(row["endpoint"]), texts.once(row["username"])
                credentials[endpoint] = SipCredential(endpoint, username, row["secret"])
            revision = await connection.fetchval(_REVISION)
        return Snapshot(
            accounts=tuple(_stored_account(row, drafts[row["id"]]) for row in accounts),
            credentials=credentials,
            revision=revision,
        )

    async def get_versions(self) -> Versions:
        """The `Snapshot.versions` of what is stored now."""
        return tuple((_account(row), row["revision"]) for row in await self._db.fetch(_ACCOUNTS))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """One whose end is a `save_in`. Raises CallctlError: `already_exists` when another account
        took a number or an endpoint's name meanwhile, `invalid_routing` for a number that is for
        sale and not the account's."""
        try:
            async with self._db.transaction() as connection:
                yield connection
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name not in _TAKEN_BY_OTHERS:
                raise
            raise CallctlError(
                "already_exists",
                "another account has just taken a number of this routing",
                detail=error.detail,
            ) from error
        except asyncpg.CheckViolationError as error:
            if error.constraint_name not in _FOR_SALE:
                raise
            message = f"dids: {error.detail} is a number for sale: it must be bought first"
            detail = [{"path": "dids", "message": message}]
            raise CallctlError("invalid_routing", message, detail=detail) from None

    async def save(
        self,
        stored: StoredAccount,
        credentials: Mapping[str, SipCredential],
        author: Author,
        base_revision: int | None,
        changes: Sequence[Change] = (),
    ) -> int:
        """`save_in` a transaction of its own. Raises as both do."""
        async with self.transaction() as connection:
            return await self.save_in(
                connection, stored, credentials, author, base_revision, changes
            )

    async def save_in(
        self,
        connection: Any,
        stored: StoredAccount,
        credentials: Mapping[str, SipCredential],
        author: Author,
        base_revision: int | None,
        changes: Sequence[Change] = (),
    ) -> int:
        """Write an account's routing whole, within a `transaction`; its new revision.

        `changes` are for the audit log. Raises CallctlError: ``revision_conflict`` when
        `base_revision` is not the account's last, ``not_found``.
        """
        account_id = stored.account.id
        if await connection.fetchval(_LOCK_ACCOUNT, account_id) is None:
            raise CallctlError("not_found", f"there is no account {account_id}")
        current = await connection.fetchval(_ACCOUNT_REVISION, account_id)
        if base_revision is not None and base_revision != current:
            message = f"the routing is at revision {current}, not at {base_revision}"
            raise CallctlError("revision_conflict", message)
        await self._write(connection, stored, credentials)
        document = msgspec.to_builtins(stored.document)
        revision: int = await connection.fetchval(
            _INSERT_REVISION, account_id, author.name, document
        )
        await record_change(
            connection, account_id, author, "routing.changed", "routing",
            {"revision": current},
            {
                "revision": revision,
                "changes": list(changes[:MOST_AUDITED]),
                "changes_in_all": len(changes),
            },
        )  # fmt: skip
        await connection.execute(_NOTIFY, CHANNEL, str(account_id))
        return revision

    async def note_secrets_read(self, account_id: int, author: Author) -> None:
        """For the audit log, before they are shown."""
        async with self._db.transaction() as connection:
            await record_reading(connection, account_id, author, "routing.secrets_read", "routing")

    async def get_account_revision(self, account_id: int) -> int:
        """The account's last one, 0 before the first."""
        revision: int = await self._db.fetchval(_ACCOUNT_REVISION, account_id)
        return revision

    async def _write(
        self, connection: Any, stored: StoredAccount, credentials: Mapping[str, SipCredential]
    ) -> None:
        account_id, doc = stored.account.id, stored.document.account
        settings = {
            "record": doc.record.value,
            "record_share": doc.record_share,
            "record_announce": doc.record_announce,
            "max_call_seconds": doc.max_call_seconds,
            "caller_id_number": doc.caller_id_number,
            "limits": msgspec.to_builtins(stored.document.limits),
        }
        await connection.execute(
            _UPDATE_ACCOUNT, account_id, doc.name or doc.code, doc.timezone, doc.country, settings
        )
        old = {
            (row["kind"], row["name"]): (row["position"], row["body"])
            for row in await connection.fetch(_OWN_OBJECTS, account_id)
        }
        new = dict(_rows(stored))
        gone = [(account_id, *key) for key in old if key not in new]
        await connection.executemany(_DELETE_OBJECT, gone)
        changed = [(account_id, *key, *row) for key, row in new.items() if old.get(key) != row]
        await connection.executemany(_UPSERT_OBJECT, changed)
        await connection.execute(_DELETE_CREDENTIALS, account_id, list(credentials))
        await connection.executemany(
            _UPSERT_CREDENTIAL,
            [(c.endpoint, account_id, c.username, c.secret) for c in credentials.values()],
        )

    async def notify(self) -> None:
        """Have every process look whether anything is new."""
        await self._db.execute(_NOTIFY, CHANNEL, "")

    async def list_revisions(
        self, account_id: int, before: int | None, limit: int
    ) -> list[Revision]:
        """The newest first, those before revision `before`."""
        rows = await self._db.fetch(_REVISIONS, account_id, before, limit)
        return [Revision(r["id"], r["applied_at"], r["applied_by"], r["document"]) for r in rows]

    async def get_memories(self) -> Memories:
        """Who was offered first, and what extensions answered in the last eight days."""
        offered = await self._db.fetch(_HUNT_MEMORY)
        answered = await self._db.fetch(_ANSWERED)
        return Memories(
            {(r["account_id"], r["hunt_group"]): r["first_offered"] for r in offered},
            {(r["account_id"], r["answered_by"]): r["answered_at"] for r in answered},
            {(r["account_id"], r["answered_by"]): r["answered_today"] for r in answered},
        )

    async def save_offered(self, offered: Mapping[tuple[int, str], str]) -> None:
        rows = [(account, group, first) for (account, group), first in offered.items()]
        async with self._db.transaction() as connection:
            await connection.executemany(_SAVE_HUNT_MEMORY, sorted(rows))


def _rows(stored: StoredAccount) -> Any:
    for kind in KINDS:
        for position, (name, doc) in enumerate(objects_of(stored.document, kind).items()):
            body = msgspec.to_builtins(doc)
            if (kind.name, name) in stored.endpoints:
                body["endpoint"] = stored.endpoints[kind.name, name]
            yield (kind.name, name), (position, body)


class _Texts:
    """Equal texts of one snapshot as one object: ten thousand numbers ring the same extensions."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def once(self, text: str) -> str:
        return self._known.setdefault(text, text)

    def once_in(self, value: Any) -> Any:
        match value:
            case str():
                return self.once(value)
            case list():
                return [self.once_in(item) for item in value]
        return value


class _Draft:
    """An account's objects while they are read."""

    def __init__(self) -> None:
        self.fields: dict[str, list[Any]] = {field: [] for field in KIND_OF_FIELD}
        self.endpoints: dict[tuple[str, str], str] = {}

    def add(self, row: Any, texts: _Texts) -> None:
        kind = _KIND_OF_NAME[row["kind"]]
        body = {name: texts.once_in(value) for name, value in row["body"].items()}
        endpoint = body.pop("endpoint", None)
        if endpoint is not None:
            self.endpoints[kind.name, texts.once(row["name"])] = endpoint
        self.fields[kind.field].append(structs.settled(msgspec.convert(body, kind.struct)))


_KIND_OF_NAME = {kind.name: kind for kind in KINDS}


def _account(row: Any) -> Account:
    rights = None
    if row["needs_package"]:
        rights = PackageRights(row["until"], row["over"], frozenset(row["extensions"]))
    return Account(
        id=row["id"],
        code=row["code"],
        name=row["name"],
        kind=AccountKind(row["kind"]),
        parent_id=row["parent_id"],
        timezone=row["timezone"],
        country=row["country"],
        package=rights,
    )


def _stored_account(row: Any, draft: _Draft) -> StoredAccount:
    settings, account = row["settings"], _account(row)
    document = structs.Document(
        account=structs.settled(
            structs.AccountDoc(
                code=account.code,
                name=account.name,
                timezone=account.timezone,
                country=account.country,
                record=RecordPolicy(settings.get("record", "never")),
                record_share=settings.get("record_share", 100),
                record_announce=settings.get("record_announce"),
                max_call_seconds=settings.get("max_call_seconds", 4 * 3600),
                caller_id_number=settings.get("caller_id_number"),
            )
        ),
        limits=structs.settled(msgspec.convert(settings.get("limits", {}), structs.LimitsDoc)),
        **draft.fields,
    )
    return StoredAccount(account, document, draft.endpoints, row["revision"])
