"""The routing in use: the snapshot that calls are decided with, and the way to change it."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from callctl.core.author import COMMAND_LINE, Author, author_of
from callctl.core.errors import CallctlError
from callctl.core.routing.check import Problem
from callctl.core.routing.gate import CountingGate
from callctl.core.routing.model import (
    AccountIndex,
    HuntMemory,
    RoutingTable,
    SipCredential,
    build_table,
)
from callctl.core.routing.plan import RoutePlan, RouteRequest, Source
from callctl.core.routing.planner import plan_route
from callctl.features.routing import structs
from callctl.features.routing.document import DocumentError, parse_document
from callctl.features.routing.objects import KIND_OF_FIELD, Change, Kind, diff_documents, objects_of
from callctl.features.routing.prepare import (
    OrdersOf,
    add_secrets,
    invalid_routing,
    prepare,
    table_of,
    with_routing,
)
from callctl.features.routing.source import Source as YamlSource
from callctl.features.routing.store import (
    Memories,
    Revision,
    RoutingStore,
    Snapshot,
    StoredAccount,
)
from callctl.features.routing.trial import (
    NO_COUNTS,
    build_request,
    clean_dialled,
    parse_at,
    plan_feature,
    remarks_on,
)
from callctl.numbers import normalise

OnChange = Callable[[RoutingTable], Awaitable[None]]

Edit = Callable[[structs.Document], structs.Document]
"""Makes another document of the one that is stored, which stays as it is."""

OpenGate = Callable[[datetime], CountingGate]
"""A gate for one plan, made at this moment."""

EXPLAIN_UNIQUEID = "explain"


class ApplyResult(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an apply did. No changes: nothing was written, `revision` is the last one."""

    revision: int
    changes: list[Change]
    warnings: list[str]


@dataclass(slots=True)
class RoutingChange:
    """A change under way. Not `wanted`: the routing stays as it is, the rest is kept."""

    connection: Any
    wanted: bool = True


async def _nothing(table: RoutingTable) -> None:
    """For those who need to do nothing after a change."""


class RoutingService:
    """Decides calls from memory; loads, changes and exports the routing.

    `table` is the snapshot in use, replaced as a whole. `on_change` is awaited after each change
    with the new table (provisioning and fallback are written there). It stands in memory only:
    `decide` works without the database. `open_gate` gives what says which calls may leave,
    `orders_of` which trunks are the cheapest.
    """

    def __init__(
        self,
        store: RoutingStore,
        on_change: OnChange = _nothing,
        environ: Mapping[str, str] = os.environ,
        open_gate: OpenGate = lambda now: NO_COUNTS,
        orders_of: OrdersOf = lambda routing: {},
    ) -> None:
        self._store = store
        self._open_gate = open_gate
        self._orders_of = orders_of
        self._on_change = on_change
        self._environ = environ
        self._changing = asyncio.Lock()
        self._snapshot = Snapshot((), {}, 0)
        self._memories = Memories({}, {}, {})
        self._unsaved: dict[tuple[int, str], str] = {}
        self._count_days: dict[int, date] = {}
        self._table: RoutingTable = build_table(())

    @property
    def table(self) -> RoutingTable:
        return self._table

    @property
    def credentials(self) -> Mapping[str, SipCredential]:
        """By endpoint: of every extension, and of the trunks that have a secret."""
        return self._snapshot.credentials

    # Deciding

    def decide(
        self,
        *,
        endpoint: str,
        uniqueid: str,
        dialled: str,
        caller_number: str | None,
        caller_name: str,
        withheld: bool,
        now: datetime,
        linkedid: str | None = None,
    ) -> RoutePlan:
        """The plan of a call. Never waits, never raises for what a caller can send.

        `endpoint` is that of the caller's channel and settles the source and the account.
        """
        account_id, source, key = self._table.endpoints.get(endpoint, (0, "trunk", endpoint))
        index = self._table.accounts.get(account_id)
        country = index.account.country if index else ""
        dialled = clean_dialled(dialled)
        number = None if withheld else _digits_or_none(caller_number)
        request = RouteRequest(
            uniqueid=uniqueid,
            account_id=account_id,
            source=Source(source),
            key=key,
            dialled=dialled,
            dialled_e164=normalise(dialled, country),
            caller_number=number,
            caller_e164=normalise(number, country) if number else None,
            caller_name=caller_name,
        )
        owner = self._table.did_accounts.get(request.dialled_e164 or "", account_id)
        memory = self._memory(self._table.accounts.get(owner), now)
        gate = self._open_gate(now)
        plan = plan_route(request, self._table, now, memory, gate)
        gate.keep(uniqueid, linkedid, plan.max_seconds)
        for group, first in plan.first_offered:
            self._memories.offered_first[plan.account_id, group] = first
            self._unsaved[plan.account_id, group] = first
        return plan

    def explain(
        self,
        account_id: int,
        from_: str,
        to: str,
        at: datetime | str,
        via: str | None = None,
        document: structs.Document | None = None,
    ) -> RoutePlan:
        """What would happen if `from_` called `to` at `at`; rings nobody, remembers nothing.
        `document`: with it in force as the account's routing, checked as `apply` does.

        `from_` is an extension's number, a number outside, or ``withheld``; `at` as text is local
        time of the account unless it has an offset. Raises CallctlError.
        """
        table = self._table
        if document is not None:
            parsed, _ = _parsed(document, "")
            ready = prepare(parsed, account_id, self._snapshot, self._environ)
            table = with_routing(table, ready, self._orders_of)
        request = build_request(table, account_id, from_, to, via, EXPLAIN_UNIQUEID)
        if (told := plan_feature(request)) is not None:
            return told
        index = table.accounts[account_id]
        now = parse_at(at, index.account.timezone) if isinstance(at, str) else at
        memory = self._memory(index, now)
        plan = plan_route(request, table, now, memory, self._open_gate(now))
        return replace(plan, trace=(*remarks_on(request), *plan.trace))

    # Changing

    async def load(self) -> None:
        """Read everything from the database. Raises CallctlError("database_unavailable")."""
        snapshot = await self._store.get_snapshot()
        self._memories = await self._store.get_memories()
        self._memories.offered_first.update(self._unsaved)
        await self._use(snapshot)

    async def refresh(self) -> bool:
        """Take over what another process has changed; whether there was anything."""
        async with self._changing:
            if await self._store.get_versions() == self._snapshot.versions:
                return False
            await self._use(await self._store.get_snapshot())
        await self._on_change(self._table)
        return True

    async def accounts_changed(self) -> None:
        """Take over accounts that are new, renamed or in another zone, and tell other processes."""
        await self.refresh()
        await self._store.notify()

    async def prices_changed(self) -> None:
        """Carriers cost something else: routes that try the cheapest trunk first may try another.
        What is left without it is written anew only if any does."""
        async with self._changing:
            if await asyncio.to_thread(self._orders_stand):
                return
            await self._use(self._snapshot)
        await self._on_change(self._table)

    async def apply(
        self,
        account_id: int,
        document: structs.Document | str | bytes,
        actor: str | Author,
        *,
        file: str = "",
        base_revision: int | None = None,
    ) -> ApplyResult:
        """Make `document` (YAML, or already decoded) the account's routing: all of it or nothing.

        Raises CallctlError: ``invalid_routing`` (lines of `file` included), ``broken_expectation``,
        ``revision_conflict``, ``database_unavailable``.
        """
        parsed, source = _parsed(document, file)
        async with self._changing:
            snapshot = await self._store.get_snapshot()
            # Checking a large routing takes long; calls are decided meanwhile.
            ready = await asyncio.to_thread(
                prepare, parsed, account_id, snapshot, self._environ, source=source, file=file
            )
            before = _account(snapshot, account_id)
            changes = diff_documents(before.document, ready.stored.document)
            warnings = [_warning(problem) for problem in ready.warnings]
            if not changes and all(
                snapshot.credentials.get(name) == new for name, new in ready.credentials.items()
            ):
                return ApplyResult(snapshot.revision, [], warnings)
            revision = await self._store.save(
                ready.stored, ready.credentials, author_of(actor), base_revision, changes
            )
            await self._use(await self._store.get_snapshot())
        await self._on_change(self._table)
        return ApplyResult(revision, changes, warnings)

    @asynccontextmanager
    async def changing(
        self, account_id: int, edit: Edit, author: Author
    ) -> AsyncIterator[RoutingChange]:
        """A transaction at whose end the account's routing becomes what `edit` makes of it: what is
        written on its connection stands or falls with it, and the next call goes by it.

        Raises as `apply` does.
        """
        async with self._changing:
            revision = await self._store.get_account_revision(account_id)
            snapshot = await self._store.get_snapshot()
            before = _account(snapshot, account_id)
            edited = edit(before.document)
            ready = await asyncio.to_thread(prepare, edited, account_id, snapshot, self._environ)
            changes = diff_documents(before.document, ready.stored.document)
            async with self._store.transaction() as connection:
                change = RoutingChange(connection)
                yield change
                if not (changes and change.wanted):
                    return
                await self._store.save_in(
                    connection, ready.stored, ready.credentials, author, revision, changes
                )
            await self._use(await self._store.get_snapshot())
        await self._on_change(self._table)

    def diff(
        self, account_id: int, document: structs.Document | str | bytes, *, file: str = ""
    ) -> list[Change]:
        """What `apply` would change, without doing it. Raises as `apply` does."""
        parsed, source = _parsed(document, file)
        ready = prepare(parsed, account_id, self._snapshot, self._environ, source=source, file=file)
        return diff_documents(_account(self._snapshot, account_id).document, ready.stored.document)

    def export(self, account_id: int) -> structs.Document:
        """The account's routing in canonical form; applying it changes nothing."""
        document = _account(self._snapshot, account_id).document
        # Its lists are copied: the snapshot in use is nobody's to change.
        fields = {name: list(getattr(document, name)) for name in KIND_OF_FIELD}
        return msgspec.structs.replace(document, **fields)

    async def export_with_secrets(
        self, account_id: int, author: Author = COMMAND_LINE
    ) -> structs.Document:
        """`export` with the passwords of phones and carriers; the audit log says who read them."""
        await self._store.note_secrets_read(account_id, author)
        return add_secrets(_account(self._snapshot, account_id), self._snapshot.credentials)

    # One object at a time

    async def put_object(
        self, account_id: int, kind: Kind, name: str | None, doc: structs.Doc, actor: str | Author
    ) -> ApplyResult:
        """Replace the object `name`, or add `doc` (`name` None). Raises as `apply` does, and
        ``not_found`` or ``already_exists``."""
        document = self.export(account_id)
        objects = list(getattr(document, kind.field))
        names = list(objects_of(document, kind))
        if name is None:
            if kind.key_of(doc) in names:
                message = f"{kind.field} has {kind.key_of(doc)} already"
                raise CallctlError("already_exists", message, field=f"body.{kind.key}")
            objects.append(doc)
        else:
            self.get_object(account_id, kind, name)
            objects[names.index(name)] = doc
        return await self._apply_objects(account_id, document, kind, objects, actor)

    async def delete_object(
        self, account_id: int, kind: Kind, name: str, actor: str | Author
    ) -> ApplyResult:
        """Remove it. Refused with ``invalid_routing`` while something leads to it."""
        self.get_object(account_id, kind, name)
        document = self.export(account_id)
        objects = [d for d in getattr(document, kind.field) if kind.key_of(d) != name]
        return await self._apply_objects(account_id, document, kind, objects, actor)

    def get_object(self, account_id: int, kind: Kind, name: str) -> structs.Doc:
        """Raises CallctlError("not_found")."""
        found = objects_of(self.export(account_id), kind).get(name)
        if found is None:
            raise CallctlError("not_found", f"{kind.field} has no {name[:80]!r}")
        return found

    async def _apply_objects(
        self,
        account_id: int,
        document: structs.Document,
        kind: Kind,
        objects: list[Any],
        actor: str | Author,
    ) -> ApplyResult:
        changed = msgspec.structs.replace(document, **{kind.field: objects})
        return await self.apply(account_id, changed, actor)

    async def list_revisions(
        self, account_id: int, before: int | None = None, limit: int = 50
    ) -> list[Revision]:
        """The account's applies, the newest first."""
        return await self._store.list_revisions(account_id, before, limit)

    # Memory of the strategies

    def note_answered(self, account_id: int, extension: str, at: datetime) -> None:
        """`extension` has answered a call: what least recent and fewest calls go by."""
        key = (account_id, extension)
        index = self._table.accounts.get(account_id)
        if index is not None:
            self._memory(index, at)
        latest = max(self._memories.answered_at.get(key, 0.0), at.timestamp())
        self._memories.answered_at[key] = latest
        count = self._memories.answered_count
        count[key] = count.get(key, 0) + 1

    async def save_memory(self) -> None:
        """Store what round robin remembers. Raises CallctlError("database_unavailable")."""
        unsaved, self._unsaved = self._unsaved, {}
        if not unsaved:
            return
        try:
            await self._store.save_offered(unsaved)
        except CallctlError:
            self._unsaved = unsaved | self._unsaved
            raise

    def _memory(self, index: AccountIndex | None, now: datetime) -> HuntMemory:
        """What is remembered; today's counts start anew with the account's day."""
        memories = self._memories
        if index is not None:
            account = index.account
            today = now.astimezone(ZoneInfo(account.timezone)).date()
            if self._count_days.setdefault(account.id, today) < today:
                self._count_days[account.id] = today
                for key in [k for k in memories.answered_count if k[0] == account.id]:
                    del memories.answered_count[key]
        return HuntMemory(memories.offered_first, memories.answered_at, memories.answered_count)

    def _orders_stand(self) -> bool:
        """Whether every route tries its trunks as it would if the table were made now."""
        routings = [index.routing for index in self._table.accounts.values()]
        return all(self._orders_of(routing) == routing.trunk_orders for routing in routings)

    async def _use(self, snapshot: Snapshot) -> None:
        self._table = await asyncio.to_thread(table_of, snapshot, self._orders_of)
        self._snapshot = snapshot


def _digits_or_none(text: str | None) -> str | None:
    """A caller's number; None for names such as ``anonymous`` and other text without digits."""
    number = "".join(c for c in (text or "")[:64] if c in "0123456789+*#")
    return number[:32] if any(c.isdigit() for c in number) else None


def _parsed(
    document: structs.Document | str | bytes, file: str
) -> tuple[structs.Document, YamlSource | None]:
    if isinstance(document, structs.Document):
        return document, None
    try:
        return parse_document(document, file)
    except DocumentError as error:
        raise invalid_routing(error.places, None, file) from None


def _account(snapshot: Snapshot, account_id: int) -> StoredAccount:
    for stored in snapshot.accounts:
        if stored.account.id == account_id:
            return stored
    raise CallctlError("not_found", f"there is no account {account_id}")


def _warning(problem: Problem) -> str:
    return f"{problem.path}: {problem.message}"
