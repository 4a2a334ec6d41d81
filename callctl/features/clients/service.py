"""Clients of an account: finding, adding, changing, and what makes two of one or one of two."""

from typing import Any

from msgspec import UNSET

from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.audit import Values
from callctl.db.pool import Database
from callctl.features.clients import store
from callctl.features.clients.cursor import ListCursor, read_cursor, write_cursor
from callctl.features.clients.draft import (
    Draft,
    clean_email,
    clean_line,
    clean_name,
    clean_text,
    read_numbers,
)
from callctl.features.clients.keys import question_grams, question_words
from callctl.features.clients.model import (
    ClientChange,
    ClientFilters,
    ClientView,
    CompanyFilters,
    NewClient,
    NumberInput,
)
from callctl.features.clients.record import record_client, values_of
from callctl.features.clients.saving import check_owner, find_type, insert_client, update_client
from callctl.http.endpoint import Actor, Page

LOCK_CLIENTS = """
select id, kind, type_id from clients where account_id = $1 and id = any($2::bigint[])
order by id for update
"""
DELETE_CLIENT = "delete from clients where account_id = $1 and id = $2"
LINK = """
insert into client_companies (person_id, company_id) values ($1, $2) on conflict do nothing
returning true
"""
UNLINK = "delete from client_companies where person_id = $1 and company_id = $2 returning true"
COUNT_LINKS = """
select count(*) from client_companies where person_id = $1 or company_id = $1
"""
COPY_LINKS = """
insert into client_companies (person_id, company_id)
select $2, company_id from client_companies where person_id = $1
"""
COPY_MEMBERSHIPS = """
insert into client_group_members (group_id, client_id)
select group_id, $2 from client_group_members where client_id = $1
"""


class ClientService:
    """What lies outside the account does not exist: `not_found`, with where it went if merged."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_clients(
        self, scope: CallScope, filters: CompanyFilters, kind: str | None = None
    ) -> Page[ClientView]:
        """One page. `scope` says whose calls count for `called_since`.

        Raises CallctlError("invalid_field") for a hostile cursor and for `q` without a letter.
        """
        if isinstance(filters, ClientFilters):
            kind = filters.kind
        cursor = read_cursor(filters.cursor, filters.sort)
        words = question_words(filters.q) if filters.q is not None else None
        if words == []:
            raise CallctlError("invalid_field", "no letter and no digit to search for", "query.q")
        called: tuple[Any, ...] = ()
        if filters.called_since is not None:
            own = list(scope.extensions) if scope.extensions is not None else None
            called = (filters.called_since, own)
        rows = await self._db.fetch(
            store.LIST_CLIENTS[filters.sort, bool(called)],
            scope.account_id,
            question_grams(words) if words else None,
            words,
            kind,
            filters.type,
            filters.owner,
            filters.group,
            filters.company,
            filters.registered,
            cursor.key if cursor else None,
            cursor.id if cursor else None,
            filters.limit + 1,
            *called,
        )
        shown = rows[: filters.limit]
        following = None
        if len(rows) > filters.limit:
            key = shown[-1]["sort_key"] if filters.sort == "name" else None
            following = write_cursor(ListCursor(filters.sort, key, shown[-1]["id"]))
        return Page(store.client_views(shown), following)

    async def get_client(self, account_id: int, id_: int) -> ClientView:
        """Raises CallctlError("not_found"); its detail says what the client was merged into."""
        return await self._get(self._db, account_id, id_)

    async def create_client(self, actor: Actor, new: NewClient) -> ClientView:
        """Raises CallctlError: `invalid_field`, `conflict` for a number of another client."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            country = await connection.fetchval(store.ACCOUNT_COUNTRY, account_id)
            type_id = await find_type(connection, account_id, new.type, "body.type")
            await check_owner(connection, account_id, new.owner_id, "body.owner_id")
            draft = build_draft(new, type_id, country)
            id_ = await insert_client(connection, account_id, draft, country)
            return await self._told(connection, actor, "created", id_)

    async def change_client(self, actor: Actor, id_: int, change: ClientChange) -> ClientView:
        """Raises CallctlError: `not_found`, `invalid_field`, `conflict`."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            locked = (await lock_clients(connection, account_id, id_))[id_]
            old = await self._get(connection, account_id, id_)
            country = await connection.fetchval(store.ACCOUNT_COUNTRY, account_id)
            type_id = locked["type_id"]
            # A retired type may stay, but is not given anew.
            if change.type is not UNSET and change.type != old.type:
                type_id = await find_type(connection, account_id, change.type, "body.type")
            if change.owner_id is not UNSET and change.owner_id != old.owner_id:
                await check_owner(connection, account_id, change.owner_id, "body.owner_id")
            new = _changed(old, change)
            draft = build_draft(new, type_id, country)
            await update_client(connection, account_id, id_, draft, country)
            return await self._told(connection, actor, "changed", id_, values_of(old))

    async def delete_client(self, actor: Actor, id_: int) -> None:
        """Its numbers are nobody's then. Raises CallctlError("not_found")."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            await lock_clients(connection, account_id, id_)
            old = values_of(await self._get(connection, account_id, id_))
            await connection.execute(DELETE_CLIENT, account_id, id_)
            await record_client(connection, actor, "deleted", id_, old, None)

    async def convert_client(self, actor: Actor, id_: int, kind: str) -> ClientView:
        """Raises CallctlError: `not_found`; `conflict` while it is linked as what it was."""
        async with self._db.transaction() as connection:
            locked = (await lock_clients(connection, actor.account_id, id_))[id_]
            if locked["kind"] != kind:
                links = await connection.fetchval(COUNT_LINKS, id_)
                if links:
                    what = "companies" if locked["kind"] == "person" else "contacts"
                    raise CallctlError(
                        "conflict", f"it has {links} {what}: part them first", detail={what: links}
                    )
                await connection.execute(
                    "update clients set kind = $2, changed_at = now() where id = $1", id_, kind
                )
            before, after = {"kind": locked["kind"]}, {"kind": kind}
            await record_client(connection, actor, "converted", id_, before, after)
            return await self._get(connection, actor.account_id, id_)

    async def copy_client(self, actor: Actor, id_: int, name: str | None) -> ClientView:
        """A new one with all but its numbers. Raises CallctlError: `not_found`, `invalid_field`."""
        account_id = actor.account_id
        async with self._db.transaction() as connection:
            locked = (await lock_clients(connection, account_id, id_))[id_]
            old = await self._get(connection, account_id, id_)
            country = await connection.fetchval(store.ACCOUNT_COUNTRY, account_id)
            like = _changed(old, ClientChange(name=UNSET if name is None else name, numbers=[]))
            draft = build_draft(like, locked["type_id"], country)
            copy = await insert_client(connection, account_id, draft, country)
            await connection.execute(COPY_LINKS, id_, copy)
            await connection.execute(COPY_MEMBERSHIPS, id_, copy)
            return await self._told(connection, actor, "copied", copy, copy_of=id_)

    async def link(self, actor: Actor, person: int, company: int) -> ClientView:
        """Put a person with a company. Raises CallctlError: `not_found`; `conflict` for two of a
        kind: companies are never in one another, so that there are no circles."""
        async with self._db.transaction() as connection:
            locked = await lock_clients(connection, actor.account_id, person, company)
            kinds = (locked[person]["kind"], locked[company]["kind"])
            if kinds != ("person", "company"):
                raise CallctlError("conflict", f"a person is put with a company, not {kinds}")
            if await connection.fetchval(LINK, person, company):
                after = {"company": company}
                await record_client(connection, actor, "linked", person, None, after)
            return await self._get(connection, actor.account_id, person)

    async def unlink(self, actor: Actor, person: int, company: int) -> None:
        """Doing so twice is fine. Raises CallctlError("not_found")."""
        async with self._db.transaction() as connection:
            await lock_clients(connection, actor.account_id, person, company)
            if await connection.fetchval(UNLINK, person, company):
                before = {"company": company}
                await record_client(connection, actor, "unlinked", person, before, None)

    async def _told(
        self,
        connection: Any,
        actor: Actor,
        verb: str,
        id_: int,
        before: Values | None = None,
        **more: int,
    ) -> ClientView:
        """The client as it is now, which goes into the audit log."""
        client = await self._get(connection, actor.account_id, id_)
        await record_client(connection, actor, verb, id_, before, values_of(client) | more)
        return client

    async def _get(self, connection: Any, account_id: int, id_: int) -> ClientView:
        found = await store.get_client(connection, account_id, id_)
        if found is None:
            raise await not_found(connection, account_id, id_)
        return found


async def lock_clients(connection: Any, account_id: int, *ids: int) -> dict[int, Any]:
    """Rows (id, kind, type_id) that nobody else changes until the transaction's end.

    Raises CallctlError("not_found") unless all of them are the account's.
    """
    rows = await connection.fetch(LOCK_CLIENTS, account_id, list(ids))
    found = {row["id"]: row for row in rows}
    for id_ in ids:
        if id_ not in found:
            raise await not_found(connection, account_id, id_)
    return found


async def not_found(connection: Any, account_id: int, id_: int) -> CallctlError:
    """That there is no such client, with where it went if it was merged."""
    winner = await connection.fetchval(store.MERGED_INTO, account_id, id_)
    if winner is None:
        return CallctlError("not_found", f"there is no client {id_}")
    return CallctlError(
        "not_found", f"client {id_} was merged into {winner}", detail={"merged_into": winner}
    )


def _changed(old: ClientView, change: ClientChange) -> NewClient:
    """`old` with what `change` names."""
    numbers = [NumberInput(n.number, n.label) for n in old.numbers]
    given = {
        name: value
        for name in change.__struct_fields__
        if (value := getattr(change, name)) is not UNSET
    }
    kept = {name: getattr(old, name) for name in NewClient.__struct_fields__ if name != "numbers"}
    return NewClient(**{**kept, "numbers": numbers, **given})


def build_draft(new: NewClient, type_id: int | None, country: str) -> Draft:
    """What is to be written. Raises CallctlError("invalid_field") for text that is none."""
    return Draft(
        name=clean_name(new.name, "body.name"),
        kind=new.kind,
        type_id=type_id,
        service_level=clean_line(new.service_level, "body.service_level"),
        nature=clean_line(new.nature, "body.nature"),
        address=clean_text(new.address, "body.address"),
        email=clean_email(new.email, "body.email"),
        owner_id=new.owner_id,
        notes=clean_text(new.notes, "body.notes"),
        numbers=read_numbers(new.numbers, country, "body.numbers"),
    )
