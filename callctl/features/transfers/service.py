"""Transfers to the direct superior: made, audited by somebody else, deleted (R000-02 to 08).

A transfer's row is locked before any wallet, so that of several who approve, reject or delete it
one is first, and the others see what became of it.
"""

from typing import Any

from msgspec import structs, to_builtins

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.event_kinds import EventKind
from callctl.core.lines import checked_line
from callctl.core.money.currencies import format_amount
from callctl.core.money.movements import require_currency, transfer_posting
from callctl.core.money.transfers import (
    TransferAct,
    TransferState,
    require_act,
    require_four_eyes,
    require_superior,
)
from callctl.core.permissions import Scope, rights_of
from callctl.db.audit import Values, record_change
from callctl.db.funds import post_funds
from callctl.db.idempotency import RequestKey, answer_once
from callctl.db.ledger import hold, release, wallet_of
from callctl.db.notices import NewNotice, raise_notice, settle_notice
from callctl.db.outbox import OutboxEvent, append_events
from callctl.db.pool import Database, Reads
from callctl.db.tree import superior_of
from callctl.features.transfers import store
from callctl.features.transfers.model import (
    AuditTransfer,
    NewTransfer,
    TransferFilters,
    TransferTarget,
    TransferTargets,
    TransferView,
)
from callctl.http.endpoint import Actor, Empty, Page
from callctl.telemetry.log import get_logger

log = get_logger("callctl.transfers")

NOTICE_KIND = "transfer"
MOST_MAILS = 20


class TransferService:
    """Every method sees the transfers of the actor's own account only."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_targets(self, actor: Actor) -> TransferTargets:
        superior = await superior_of(self._db, actor.account_id)
        if superior is None:
            return TransferTargets([])
        target = TransferTarget(superior.id, superior.code, superior.name, superior.currency)
        return TransferTargets([target])

    async def list_transfers(self, actor: Actor, filters: TransferFilters) -> Page[TransferView]:
        """The newest first. Raises CallctlError("invalid_field")."""
        return await transfers_page(self._db, actor.account_id, filters)

    async def get(self, actor: Actor, id_: int) -> TransferView:
        """Raises CallctlError("not_found")."""
        row = await self._db.fetchrow(store.TRANSFER, actor.account_id, id_)
        if row is None:
            raise _no_transfer(id_)
        return TransferView(**row)

    async def create(self, actor: Actor, new: NewTransfer, key: RequestKey | None) -> TransferView:
        """Set the money aside and ask for an audit; nothing is paid yet (R000-04).

        Raises CallctlError: `not_the_superior`, `currency_mismatch`, `insufficient_funds`,
        `invalid_field`, `idempotency_conflict`.
        """
        note = checked_line(new.note, "body.note")
        async with self._db.transaction() as connection:

            async def act() -> TransferView:
                superior = await superior_of(connection, actor.account_id)
                require_superior(new.target, None if superior is None else superior.id)
                assert superior is not None
                wallet = await wallet_of(connection, actor.account_id, lock=True)
                require_currency(new.currency, wallet.currency)
                require_currency(new.currency, superior.currency)
                id_ = await connection.fetchval(store.NEXT_ID)
                hold_id = await hold(
                    connection, account_id=actor.account_id, amount=new.amount,
                    reference=f"transfer:{id_}",
                )  # fmt: skip
                row = await connection.fetchrow(
                    store.TRANSFER_INSERT, actor.account_id, id_, superior.id, new.amount,
                    new.currency, note, hold_id, actor.author.responsible_id, actor.name,
                )  # fmt: skip
                made = TransferView(**row)
                await _tell(connection, actor, "created", None, made)
                await self._ask_for_audit(connection, actor, made)
                return made

            return await answer_once(connection, key, TransferView, act)

    async def audit(
        self, actor: Actor, id_: int, audit: AuditTransfer, key: RequestKey | None
    ) -> TransferView:
        """Approve, which pays, or reject, which lets the money go (R000-05).

        Raises CallctlError: `not_found`, `transfer_final`, `own_transfer`, `invalid_field`,
        `idempotency_conflict`.
        """
        note = checked_line(audit.note, "body.note")
        act_wanted = TransferAct.APPROVE if audit.state == "approved" else TransferAct.REJECT
        async with self._db.transaction() as connection:

            async def act() -> TransferView:
                before, row = await _lock(connection, actor, id_)
                require_act(TransferState(before.state), act_wanted)
                creator = Author(before.created_by, row["created_by_id"])
                require_four_eyes(creator, actor.author)
                transaction_id = None
                if act_wanted is TransferAct.APPROVE:
                    transaction_id = await _pay(connection, actor, before, row["hold_id"])
                else:
                    await release(connection, row["hold_id"])
                audited = await connection.fetchrow(
                    store.TRANSFER_AUDITED, actor.account_id, id_, audit.state,
                    actor.author.responsible_id, actor.name, note, transaction_id,
                )  # fmt: skip
                after = TransferView(**audited)
                await _tell(connection, actor, audit.state, before, after)
                await _settle(connection, actor, id_)
                return after

            return await answer_once(connection, key, TransferView, act)

    async def delete(self, actor: Actor, id_: int, key: RequestKey | None) -> Empty:
        """Of one that is not approved; the audit log keeps what it was (R000-06).

        Raises CallctlError: `not_found`, `transfer_final`, `idempotency_conflict`.
        """
        async with self._db.transaction() as connection:

            async def act() -> Empty:
                before, row = await _lock(connection, actor, id_)
                require_act(TransferState(before.state), TransferAct.DELETE)
                await connection.execute(store.TRANSFER_DELETE, actor.account_id, id_)
                await release(connection, row["hold_id"])
                await _record(connection, actor, "deleted", id_, _values(before), None)
                await _settle(connection, actor, id_)
                return Empty()

            return await answer_once(connection, key, Empty, act)

    async def _ask_for_audit(self, connection: Any, actor: Actor, made: TransferView) -> None:
        amount = f"{format_amount(made.amount, made.currency)} {made.currency}"
        text = f"{made.created_by} wants to transfer {amount} to the superior: approve or reject it"
        data = {"transfer": made.id, "amount": made.amount, "currency": made.currency}
        notice = NewNotice(actor.account_id, NOTICE_KIND, f"transfer:{made.id}", text, data)
        people = await connection.fetch(store.PEOPLE_WITH_MAIL, actor.account_id)
        await raise_notice(connection, notice, auditors_mail(people, actor.author.responsible_id))


def auditors_mail(people: list[Any], creator_id: int | None) -> list[str]:
    """Addresses of those who may audit and did not make the transfer."""
    return [
        person["email"]
        for person in people
        if person["id"] != creator_id
        and Scope.TRANSFERS_AUDIT
        in rights_of(person["role"], person["granted"], person["withdrawn"], person["kind"])
    ][:MOST_MAILS]


async def transfers_page(
    reads: Reads, account_id: int, filters: TransferFilters
) -> Page[TransferView]:
    """One page, the newest first. Raises CallctlError("invalid_field")."""
    check_filters(filters)
    rows = await reads.fetch(
        store.TRANSFERS, account_id, filters.since, filters.until, filters.state,
        int(filters.cursor) if filters.cursor else None, filters.limit + 1,
    )  # fmt: skip
    items = [TransferView(**row) for row in rows[: filters.limit]]
    return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)


def check_filters(filters: TransferFilters) -> None:
    """Raises CallctlError("invalid_field") for a period that ends before it starts."""
    if filters.since and filters.until and filters.since > filters.until:
        raise CallctlError("invalid_field", "the period ends before it starts", "query.until")


async def _lock(connection: Any, actor: Actor, id_: int) -> tuple[TransferView, Any]:
    row = await connection.fetchrow(store.TRANSFER_LOCK, actor.account_id, id_)
    if row is None:
        raise _no_transfer(id_)
    view = TransferView(**{name: row[name] for name in TransferView.__struct_fields__})
    return view, row


async def _pay(connection: Any, actor: Actor, transfer: TransferView, hold_id: int) -> int:
    posting = transfer_posting(
        actor.account_id, transfer.target, transfer.amount, transfer.currency,
        reference=f"transfer:{transfer.id}", hold_id=hold_id, note=transfer.note,
    )  # fmt: skip
    return (await post_funds(connection, posting, actor.author)).transaction_id


async def _tell(
    connection: Any, actor: Actor, verb: str, before: TransferView | None, after: TransferView
) -> None:
    old = None if before is None else _values(before)
    await _record(connection, actor, verb, after.id, old, _values(after))
    event = OutboxEvent(
        actor.account_id, EventKind(f"transfer.{verb}"), f"transfer:{after.id}",
        structs.asdict(after),
    )  # fmt: skip
    await append_events(connection, [event])
    log.info("transfer", id=after.id, state=after.state, actor=actor.name)


async def _record(
    connection: Any, actor: Actor, verb: str, id_: int, before: Values | None, after: Values | None
) -> None:
    await record_change(
        connection, actor.account_id, actor.author, f"transfer.{verb}", f"transfer:{id_}",
        before, after,
    )  # fmt: skip


async def _settle(connection: Any, actor: Actor, id_: int) -> None:
    """Nobody needs to look any more."""
    await settle_notice(connection, actor.account_id, NOTICE_KIND, f"transfer:{id_}", actor.name)


def _values(transfer: TransferView) -> dict[str, Any]:
    values: dict[str, Any] = to_builtins(transfer)
    del values["id"]
    return values


def _no_transfer(id_: int) -> CallctlError:
    return CallctlError("not_found", f"there is no transfer {id_}")
