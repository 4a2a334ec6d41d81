"""Invitations: a link that makes one user, once, of whoever holds it (R002-03)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from callctl import secrets
from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.permissions import Role, rights_of
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.people import store
from callctl.features.people.model import (
    AcceptedInvitation,
    AcceptInvitation,
    InvitationFilters,
    InvitationView,
    IssuedInvitation,
    NewInvitation,
    NewUser,
    OpenInvitation,
)
from callctl.features.people.users import checked_name, insert_user, require_givable
from callctl.http.endpoint import Actor, Page
from callctl.telemetry.log import get_logger

log = get_logger("callctl.people")


class InvitationService:
    """`link_of` makes the address of the page that a secret is accepted on."""

    def __init__(
        self, db: Database, passwords: secrets.Passwords, link_of: Callable[[str], str]
    ) -> None:
        self._db = db
        self._passwords = passwords
        self._link_of = link_of

    async def invite(self, actor: Actor, new: NewInvitation) -> IssuedInvitation:
        """Raises CallctlError: `invalid_field`, `forbidden` for a role that may do more."""
        async with self._db.transaction() as connection:
            kind = await store.lock_account(connection, actor.account_id)
            require_givable(actor, rights_of(new.role, (), (), kind))
            return await self.invite_in(connection, actor.account_id, actor.author, new)

    async def invite_administrator(
        self, connection: Any, account_id: int, author: Author, name: str, email: str | None
    ) -> tuple[str, str, datetime]:
        """The first one of an account, in the transaction that makes it: secret and link, and
        until when these work."""
        new = NewInvitation(Role.ADMINISTRATOR, name, email)
        issued = await self.invite_in(connection, account_id, author, new)
        return issued.secret, issued.link, issued.invitation.expires_at

    async def invite_in(
        self, connection: Any, account_id: int, author: Author, new: NewInvitation
    ) -> IssuedInvitation:
        """Inside the caller's transaction, whoever may do so. Raises CallctlError."""
        secret = secrets.new_invitation()
        name = new.name and checked_name(new.name, "body.name")
        try:
            invitation_id = await connection.fetchval(
                store.INVITATION_INSERT, account_id, secrets.digest(secret), name, new.email,
                new.role, new.group_id, new.employee_number, new.extension, author.responsible_id,
                author.name, timedelta(hours=new.hours),
            )  # fmt: skip
        except asyncpg.IntegrityConstraintViolationError as error:
            raise store.refusal(error) from None
        view = await _get(connection, account_id, invitation_id)
        after = {"name": name, "email": new.email, "role": new.role, "group_id": new.group_id}
        await _record(connection, account_id, author, "created", view.id, None, after)
        log.info("invited", role=new.role, actor=author.name)
        return IssuedInvitation(view, secret, self._link_of(secret))

    async def list_invitations(
        self, actor: Actor, filters: InvitationFilters
    ) -> Page[InvitationView]:
        """The newest first."""
        rows = await self._db.fetch(
            store.INVITATIONS_PAGE, actor.account_id, filters.cursor, filters.state,
            filters.limit + 1,
        )  # fmt: skip
        items = [InvitationView(**row) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def revoke(self, actor: Actor, invitation_id: int) -> None:
        """Its link ends; doing so twice is fine. Raises CallctlError: `not_found`, `conflict`
        when it was accepted."""
        async with self._db.transaction() as connection:
            row = await connection.fetchrow(store.INVITATION_LOCK, actor.account_id, invitation_id)
            if row is None:
                raise CallctlError("not_found", f"no invitation with the id {invitation_id}")
            if row["accepted_at"] is not None:
                raise CallctlError("conflict", "the invitation was accepted; block the user")
            if row["revoked_at"] is None:
                await connection.execute(store.INVITATION_REVOKE, invitation_id)
                await _record(
                    connection, actor.account_id, actor.author, "revoked", invitation_id, None, None
                )

    async def look(self, secret: str) -> OpenInvitation:
        """What whoever holds the link is invited to. Raises CallctlError: `not_found`, as
        `accept`."""
        row = await self._db.fetchrow(store.INVITATION_OFFER, secrets.digest(secret))
        if row is None:
            raise _unknown()
        return OpenInvitation(**row)

    async def accept(self, order: AcceptInvitation) -> AcceptedInvitation:
        """Make the user, once.

        Raises CallctlError: `not_found` for a secret that is unknown, used, revoked or too old;
        `already_exists` (login, extension, …), `invalid_field`; after these it can be tried again.
        """
        digest = secrets.digest(order.secret)
        # Hashing is slow: not for whoever only guesses.
        if await self._db.fetchval(store.INVITATION_OPEN, digest) is None:
            raise _unknown()
        password_hash = await self._passwords.hash(order.password)
        async with self._db.transaction() as connection:
            invitation = await connection.fetchrow(store.INVITATION_ACCEPT, digest)
            if invitation is None:
                raise _unknown()
            new = NewUser(
                login=order.login,
                name=checked_name(order.name or invitation["name"] or order.login, "body.name"),
                role=Role(invitation["role"]),
                email=invitation["email"],
                employee_number=invitation["employee_number"],
                extension=invitation["extension"],
                group_id=invitation["group_id"],
            )
            account_id = invitation["account_id"]
            user_id = await insert_user(connection, account_id, new, password_hash)
            await connection.execute(store.INVITATION_MADE, invitation["id"], user_id)
            await _record(
                connection, account_id, Author(order.login, user_id), "accepted",
                invitation["id"], None, {"user_id": user_id, "login": order.login},
            )  # fmt: skip
        log.info("invitation_accepted", login=order.login)
        return AcceptedInvitation(new.login, new.name, new.role)


def _unknown() -> CallctlError:
    return CallctlError("not_found", "no such invitation, or it was used, revoked, or is too old")


async def _get(connection: Any, account_id: int, invitation_id: int) -> InvitationView:
    return InvitationView(**await connection.fetchrow(store.INVITATION, account_id, invitation_id))


async def _record(
    connection: Any, account_id: int, author: Author, verb: str, invitation_id: int, before: Any,
    after: Any,
) -> None:  # fmt: skip
    await record_change(
        connection, account_id, author, f"invitation.{verb}", f"invitation:{invitation_id}",
        before, after,
    )  # fmt: skip
