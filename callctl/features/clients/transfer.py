"""Import and export of clients as CSV: streamed, in one transaction, every wrong line told.

Rows are read and checked in a thread, a few hundred at a time, and written as many at once. Numbers
are linked at the very end: until the transaction's end, whoever stores a call of one would wait.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from callctl.core.errors import CallctlError
from callctl.db.numbers import save_numbers
from callctl.db.pool import WRITE_MODE, Database
from callctl.features.clients import store
from callctl.features.clients.cells import (
    MAX_ROWS,
    Row,
    invalid_import,
    read_rows,
    write_heading,
    write_rows,
)
from callctl.features.clients.draft import Draft, clean_line, clean_name
from callctl.features.clients.keys import search_text, sort_key
from callctl.features.clients.model import ImportOptions, ImportReport, LineError
from callctl.features.clients.record import record
from callctl.features.clients.saving import NUMBER_OWNERS
from callctl.features.clients.service import build_draft
from callctl.http.endpoint import Actor

EXPORT_ROWS = 500
BATCH_ROWS = 500
LINKED_AT_ONCE = 5_000
TOLD_ERRORS = 100

COUNT = "select count(*) from clients where account_id = $1"
TYPES = "select name, id from client_types where account_id = $1"
USERS = "select login, id from users where account_id = $1"
EXISTING = """
select id, kind from clients where account_id = $1 and id = any($2::bigint[])
order by id for update
"""
NEXT_IDS = """
select nextval(pg_get_serial_sequence('clients', 'id')) from generate_series(1, $1::int)
"""
_ARRAYS = """
unnest($2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
       $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[])
    v(id, kind, name, type_id, service_level, nature, address, email, owner_id, notes, sort_key,
      search)
"""
INSERT_MANY = f"""
insert into clients (account_id, id, kind, name, type_id, service_level, nature, address, email,
                     owner_id, notes, sort_key, search)
overriding system value
select $1, v.* from {_ARRAYS}
"""  # noqa: S608 - constants of this file
UPDATE_MANY = f"""
update clients c
set kind = v.kind, name = v.name, type_id = v.type_id, service_level = v.service_level,
    nature = v.nature, address = v.address, email = v.email, owner_id = v.owner_id,
    notes = v.notes, sort_key = v.sort_key, search = v.search, changed_at = now()
from {_ARRAYS} where c.account_id = $1 and c.id = v.id
"""  # noqa: S608 - constants of this file
NUMBERS_CLEAR = "delete from client_numbers where client_id = any($1::bigint[])"
NUMBERS_ADD = """
insert into client_numbers (account_id, number_id, client_id, label, position)
select $1, number_id, client_id, label, position
from unnest($2::bigint[], $3::bigint[], $4::text[], $5::smallint[])
    v(number_id, client_id, label, position)
order by number_id
on conflict do nothing returning number_id
"""
GROUPS_CLEAR = "delete from client_group_members where client_id = any($1::bigint[])"
GROUPS_MAKE = """
insert into client_groups (account_id, name)
select $1, name from unnest($2::text[]) name order by name on conflict do nothing
"""
GROUPS_ADD = """
insert into client_group_members (group_id, client_id)
select g.id, v.client_id from unnest($2::text[], $3::bigint[]) v(name, client_id)
join client_groups g on g.account_id = $1 and g.name = v.name
on conflict do nothing
"""
COMPANIES_CLEAR = "delete from client_companies where person_id = any($1::bigint[])"
COMPANIES = """
select id, name from clients
where account_id = $1 and kind = 'company' and (id = any($2::bigint[]) or name = any($3::text[]))
"""
COMPANIES_ADD = """
insert into client_companies (person_id, company_id)
select * from unnest($1::bigint[], $2::bigint[]) on conflict do nothing
"""


class _RolledBack(Exception):
    """Ends the transaction of an import that is not to be kept."""


async def export_clients(db: Database, actor: Actor) -> AsyncIterator[bytes]:
    """The file in pieces: companies first, so that people can name them.

    The audit log has its line before the first piece: who reads all at once leaves evidence.
    """
    account_id = actor.account_id
    async with db.transaction() as connection:
        after = {"clients": await connection.fetchval(COUNT, account_id)}
        await record(connection, actor, "client.exported", "clients", None, after)
    yield write_heading()
    for kind in ("company", "person"):
        last = 0
        while rows := await db.fetch(store.EXPORT_PAGE, account_id, kind, last, EXPORT_ROWS):
            yield write_rows(rows)
            last = rows[-1]["id"]


async def import_clients(
    db: Database, actor: Actor, file: BinaryIO, options: ImportOptions
) -> ImportReport:
    """All of the file, or, if anything is wrong, nothing (but for `partial`).

    Raises CallctlError: `invalid_import`; `body_too_large` for more than 100,000 rows; `conflict`
    when somebody else takes one of the numbers meanwhile.
    """
    account_id = actor.account_id
    country = await db.fetchval(store.ACCOUNT_COUNTRY, account_id)
    rows = read_rows(file, whole=options.update)
    try:
        async with db.transaction() as connection:
            await connection.execute(WRITE_MODE)
            run = _Import(db, connection, account_id, country, options)
            await run.prepare()
            while batch := await asyncio.to_thread(_next_batch, rows, country):
                await run.take(batch)
            await run.link_companies()
            await run.link_numbers()
            if options.dry_run or (run.failed and not options.partial):
                raise _RolledBack
            after = {"created": run.created, "updated": run.updated, "failed": run.failed}
            await record(connection, actor, "client.imported", "clients", None, after)
    except _RolledBack:
        if not options.dry_run:
            raise invalid_import(*run.errors, failed=run.failed) from None
    finally:
        rows.close()
    return ImportReport(options.dry_run, run.created, run.updated, run.failed, run.errors)


@dataclass(frozen=True, slots=True)
class _Read:
    """A row that is in order by itself; its type and owner are yet to be found."""

    row: Row
    draft: Draft
    sort_key: str
    search: str


def _next_batch(rows: Iterator[Row | LineError], country: str) -> list[_Read | LineError]:
    return [_check(row, country) for row in itertools.islice(rows, BATCH_ROWS)]


def _check(row: Row | LineError, country: str) -> _Read | LineError:
    if isinstance(row, LineError):
        return row
    try:
        draft = build_draft(row.client, None, country)
        for name in row.groups:
            if len(clean_name(name, "body.groups")) > 100:
                raise CallctlError("invalid_field", "longer than 100 characters", "body.groups")
        for name in row.companies:
            clean_line(name, "body.companies")
    except CallctlError as error:
        column = (error.field or "").removeprefix("body.").partition("[")[0]
        return LineError(row.line, column or None, error.message)
    words = search_text(draft.name, draft.address, draft.numbers, country)
    return _Read(row, draft, sort_key(draft.name), words)


@dataclass(slots=True)
class _Import:
    """One import under way, on one connection inside its transaction."""

    db: Database
    connection: Any
    account_id: int
    country: str
    options: ImportOptions
    created: int = 0
    updated: int = 0
    failed: int = 0
    errors: list[LineError] = field(default_factory=list)
    rows: int = 0
    types: dict[str, int] = field(default_factory=dict)
    users: dict[str, int] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """In which line each number stood."""
    ids: dict[str, int] = field(default_factory=dict)
    """The file's ids, and those that the rows have here."""
    numbers: list[tuple[int, int, str, int]] = field(default_factory=list)
    """(number, client, label, place), to be linked."""
    links: list[tuple[int, int, str]] = field(default_factory=list)
    """(line, person, company as the file has it)."""

    async def prepare(self) -> None:
        self.types = dict(await self.connection.fetch(TYPES, self.account_id))
        self.users = dict(await self.connection.fetch(USERS, self.account_id))

    def fail(self, line: int, column: str | None, message: str) -> None:
        self.failed += 1
        if len(self.errors) < TOLD_ERRORS:
            self.errors.append(LineError(line, column, message))

    async def take(self, batch: Sequence[_Read | LineError]) -> None:
        """Write those of a batch that are in order."""
        self.rows += len(batch)
        if self.rows > MAX_ROWS:
            words = f"the file has more than {MAX_ROWS} rows"
            raise CallctlError("body_too_large", words, detail={"limit_rows": MAX_ROWS})
        read: list[_Read] = []
        for item in batch:
            if isinstance(item, LineError):
                self.fail(item.line, item.column, item.message)
            else:
                read.append(item)
        existing = await self._existing(read)
        owners = await self._number_owners(read)
        new: list[_Read] = []
        old: list[tuple[int, _Read]] = []
        for item in read:
            target = existing.get(item.row.id)
            problem = self._problem(item, target, owners)
            if problem is not None:
                self.fail(item.row.line, *problem)
                continue
            self.lines |= dict.fromkeys(item.draft.numbers, item.row.line)
            if target is None:
                new.append(item)
            else:
                old.append((target[0], item))
        ids = [r[0] for r in await self.connection.fetch(NEXT_IDS, len(new))]
        await self._write(list(zip(ids, new, strict=True)), old)

    async def _existing(self, read: Sequence[_Read]) -> dict[str, tuple[int, str]]:
        """The file's ids that are clients here: id and kind."""
        if not self.options.update:
            return {}
        texts = {r.row.id for r in read}
        ids = [int(t) for t in texts if t.isascii() and t.isdecimal() and len(t) <= 18]
        rows = await self.connection.fetch(EXISTING, self.account_id, ids)
        return {str(row["id"]): (row["id"], row["kind"]) for row in rows}

    async def _number_owners(self, read: Sequence[_Read]) -> dict[str, tuple[int, str]]:
        numbers = [n for r in read for n in r.draft.numbers]
        rows = await self.connection.fetch(NUMBER_OWNERS, self.account_id, numbers)
        return {number: (id_, name) for number, id_, name in rows}

    def _problem(
        self, read: _Read, target: tuple[int, str] | None, owners: dict[str, tuple[int, str]]
    ) -> tuple[str, str] | None:
        """(column, words) of what stands against the row."""
        row = read.row
        if row.id and row.id in self.ids:
            return "id", f"{row.id[:40]} stands in the file twice"
        if row.client.type is not None and row.client.type not in self.types:
            return "type", f"{row.client.type} is not in the list of client types"
        if row.owner and row.owner not in self.users:
            return "owner", f"there is no user {row.owner[:100]}"
        if target is not None and target[1] != row.client.kind:
            return "kind", f"client {target[0]} is a {target[1]}: convert it first"
        if row.companies and row.client.kind == "company":
            return "companies", "a company is never with another"
        for number in read.draft.numbers:
            if number in self.lines:
                return "numbers", f"{number} stands in line {self.lines[number]}, too"
            owner = owners.get(number)
            if owner is not None and (target is None or owner[0] != target[0]):
                return "numbers", f"{number} belongs to client {owner[0]}, {owner[1]}"
        if row.id:
            self.ids[row.id] = 0
        return None

    async def _write(self, new: list[tuple[int, _Read]], old: list[tuple[int, _Read]]) -> None:
        if new:
            await self.connection.execute(INSERT_MANY, self.account_id, *self._arrays(new))
        if old:
            await self.connection.execute(UPDATE_MANY, self.account_id, *self._arrays(old))
            changed = [id_ for id_, _ in old]
            for clear in (NUMBERS_CLEAR, GROUPS_CLEAR, COMPANIES_CLEAR):
                await self.connection.execute(clear, changed)
        self.created += len(new)
        self.updated += len(old)
        both = new + old
        await self._save_numbers(both)
        await self._write_groups(both)
        for id_, read in both:
            if read.row.id:
                self.ids[read.row.id] = id_
            self.links += [(read.row.line, id_, company) for company in read.row.companies]

    def _arrays(self, pairs: Sequence[tuple[int, _Read]]) -> list[list[Any]]:
        rows = [
            (
                id_,
                read.draft.kind,
                read.draft.name,
                self.types.get(read.row.client.type or ""),
                read.draft.service_level,
                read.draft.nature,
                read.draft.address,
                read.draft.email,
                self.users.get(read.row.owner),
                read.draft.notes,
                read.sort_key,
                read.search,
            )
            for id_, read in pairs
        ]
        return [list(column) for column in zip(*rows, strict=True)]

    async def _save_numbers(self, pairs: Sequence[tuple[int, _Read]]) -> None:
        """Into the dictionary on a connection of its own: one that is new there is seen at once."""
        async with self.db.connection() as connection:
            ids = await save_numbers(connection, [n for _, r in pairs for n in r.draft.numbers])
        self.numbers += [
            (ids[number], client, label, place)
            for client, read in pairs
            for place, (number, label) in enumerate(read.draft.numbers.items())
        ]

    async def link_numbers(self) -> None:
        """Raises CallctlError("conflict")."""
        self.numbers.sort()
        for start in range(0, len(self.numbers), LINKED_AT_ONCE):
            rows = self.numbers[start : start + LINKED_AT_ONCE]
            columns = [list(column) for column in zip(*rows, strict=True)]
            added = await self.connection.fetch(NUMBERS_ADD, self.account_id, *columns)
            if len(added) < len(rows):
                words = "somebody took one of the numbers meanwhile: try again"
                raise CallctlError("conflict", words)

    async def _write_groups(self, pairs: Sequence[tuple[int, _Read]]) -> None:
        rows = [(name, id_) for id_, read in pairs for name in read.row.groups]
        if rows:
            names, clients = ([r[0] for r in rows], [r[1] for r in rows])
            await self.connection.execute(GROUPS_MAKE, self.account_id, sorted(set(names)))
            await self.connection.execute(GROUPS_ADD, self.account_id, names, clients)

    async def link_companies(self) -> None:
        """At the end, since a row may name a company of a later one."""
        named = {company for _, _, company in self.links}
        ids = {c: self.ids.get(c) or _as_id(c, self.options.update) for c in named}
        wanted = [i for i in ids.values() if i]
        rows = await self.connection.fetch(COMPANIES, self.account_id, wanted, list(named))
        companies = {row["id"] for row in rows}
        by_name: dict[str, list[int]] = {}
        for row in rows:
            by_name.setdefault(row["name"], []).append(row["id"])
        pairs: list[tuple[int, int]] = []
        for line, person, company in self.links:
            found = [ids[company]] if ids[company] in companies else by_name.get(company, [])
            if len(found) == 1:
                pairs.append((person, found[0] or 0))
            else:
                what = "several companies are called" if found else "there is no company"
                self.fail(line, "companies", f"{what} {company[:100]}")
        if pairs:
            await self.connection.execute(
                COMPANIES_ADD, [p for p, _ in pairs], [c for _, c in pairs]
            )


def _as_id(text: str, update: bool) -> int:
    """The id of a client here, which only a file that updates may mean; 0 if it is none."""
    return int(text) if update and text.isascii() and text.isdecimal() and len(text) <= 18 else 0
