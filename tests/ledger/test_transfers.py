"""Transfers to the superior: every rule, every refusal, and what a crowd and a crash make of it."""

import asyncio
from datetime import timedelta
from typing import Any, Literal

import asyncpg
import pytest

from callctl.core.errors import CallctlError
from callctl.core.permissions import ALL_SCOPES, Role
from callctl.db.ledger import hold
from callctl.features.transfers.model import (
    AuditTransfer,
    NewTransfer,
    TransferFilters,
    TransferView,
)
from callctl.features.transfers.service import auditors_mail
from callctl.http.endpoint import Actor
from tests.ledger.conftest import Tree, key_of, refused, who

ANNA, BERT = "anna", "bert"


async def create(tree: Tree, amount: int = 40, **more: Any) -> TransferView:
    new = NewTransfer(**{"target": tree.reseller, "amount": amount, "currency": "EUR"} | more)
    return await tree.transfers.create(who(tree.shop, ANNA), new, None)


async def audit(
    tree: Tree, id_: int, state: Literal["approved", "rejected"], name: str = BERT
) -> TransferView:
    return await tree.transfers.audit(who(tree.shop, name), id_, AuditTransfer(state, "ok"), None)


async def delete(tree: Tree, id_: int) -> None:
    await tree.transfers.delete(who(tree.shop, ANNA), id_, None)


async def money(tree: Tree) -> tuple[int, int, int]:
    """The shop's balance, what of it is held, and the reseller's balance."""
    shop, reseller = await tree.wallet(tree.shop), await tree.wallet(tree.reseller)
    return shop.balance, shop.held, reseller.balance


async def user(tree: Tree, login: str, **columns: Any) -> int:
    values = {
        "account_id": tree.shop, "login": f"{login}-{tree.shop}", "role": "administrator",
        "password_hash": "-",
    } | columns  # fmt: skip
    id_: int = await tree.db.fetchval(
        f"insert into users ({', '.join(values)})"
        f" values ({', '.join(f'${n + 1}' for n in range(len(values)))}) returning id",
        *values.values(),
    )
    return id_


async def test_nothing_is_paid_before_somebody_else_approves(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    made = await create(tree)
    assert (made.state, made.created_by, made.audited_by) == ("awaiting_audit", ANNA, None)
    assert await money(tree) == (100, 40, 0)
    done = await audit(tree, made.id, "approved")
    assert (done.state, done.audited_by, done.audit_note) == ("approved", BERT, "ok")
    assert await money(tree) == (60, 0, 40)
    rows = await tree.db.fetch(
        "select b.account_id, e.class, e.source, e.amount from ledger_entries e"
        " join books b on b.id = e.book_id where e.transaction_id = $1 order by e.amount",
        done.transaction_id,
    )
    assert [tuple(row) for row in rows] == [
        (tree.shop, "out", "manual", -40),
        (tree.reseller, "in", "manual", 40),
    ]
    assert await tree.problems() == []


async def test_what_is_rejected_or_deleted_moves_nothing_and_lets_the_money_go(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    first, second = await create(tree), await create(tree)
    assert await money(tree) == (100, 80, 0)
    assert (await audit(tree, first.id, "rejected")).transaction_id is None
    assert await money(tree) == (100, 40, 0)
    for id_ in (first.id, second.id):
        await delete(tree, id_)
        await refused(tree.transfers.get(who(tree.shop), id_), "not_found")
    assert await money(tree) == (100, 0, 0)
    rows = await tree.db.fetch(
        "select before from audit where account_id = $1 and action = 'transfer.deleted'"
        " order by id",
        tree.shop,
    )
    assert [(r["before"]["state"], r["before"]["amount"]) for r in rows] == [
        ("rejected", 40),
        ("awaiting_audit", 40),
    ]


async def test_what_is_approved_can_be_neither_edited_nor_deleted(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    made = await create(tree)
    await audit(tree, made.id, "approved")
    for act in (
        audit(tree, made.id, "approved"), audit(tree, made.id, "rejected"), delete(tree, made.id)
    ):  # fmt: skip
        error = await refused(act, "transfer_final")
        assert (error.status, error.detail) == (409, {"state": "approved"})
    assert await money(tree) == (60, 0, 40)
    for sql in (
        "delete from transfers where id = $1",
        "update transfers set note = '' where id=$1",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await tree.db.execute(sql, made.id)


async def test_what_is_rejected_is_final_but_for_deleting(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    made = await create(tree)
    await audit(tree, made.id, "rejected")
    await refused(audit(tree, made.id, "approved"), "transfer_final")
    await refused(audit(tree, made.id, "rejected"), "transfer_final")
    await delete(tree, made.id)


async def test_it_goes_to_the_direct_superior_and_nowhere_else(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await tree.fund(tree.reseller, 100)
    targets = await tree.transfers.list_targets(who(tree.shop))
    assert [t.id for t in targets.items] == [tree.reseller]
    assert (await tree.transfers.list_targets(who(tree.operator))).items == []
    for payer, target in (
        (tree.shop, tree.shop), (tree.shop, tree.bank), (tree.shop, tree.operator),
        (tree.shop, 10**15), (tree.reseller, tree.shop), (tree.operator, tree.operator),
    ):  # fmt: skip
        new = NewTransfer(target, 1, "EUR")
        error = await refused(tree.transfers.create(who(payer), new, None), "not_the_superior")
        assert (error.status, error.field) == (422, "body.target")
    assert (await tree.wallet(tree.shop)).held == 0


async def test_another_currency_on_either_side_is_refused(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await refused(create(tree, currency="HUF"), "currency_mismatch")
    await tree.db.execute("update accounts set currency = 'COIN' where id = $1", tree.reseller)
    await refused(create(tree), "currency_mismatch")


async def test_more_than_there_is_or_than_is_not_held_is_refused(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await create(tree, 70)
    error = await refused(create(tree, 31), "insufficient_funds")
    assert error.detail == {"needed": 31, "available": 30, "shortfall": 1, "currency": "EUR"}
    await refused(tree.charge(tree.shop, 31), "insufficient_funds")
    await create(tree, 30)


async def test_what_is_approved_was_set_aside_whatever_was_spent_meanwhile(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    made = await create(tree, 100)
    await tree.charge(tree.shop, 50, overdraw=True)
    await refused(audit(tree, made.id, "approved"), "insufficient_funds")
    await audit(tree, made.id, "rejected")


async def test_nobody_audits_their_own_not_even_by_a_token(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    anna_id, bert_id = await user(tree, "anna"), await user(tree, "bert")
    anna = Actor(tree.shop, "anna", ALL_SCOPES, anna_id)
    annas_token = Actor(tree.shop, "token:annas", ALL_SCOPES, None, None, anna_id)
    new, approve = NewTransfer(tree.reseller, 5, "EUR"), AuditTransfer("approved")
    for creator in (anna, annas_token):
        made = await tree.transfers.create(creator, new, None)
        for auditor in (anna, annas_token):
            error = await refused(
                tree.transfers.audit(auditor, made.id, approve, None), "own_transfer"
            )
            assert error.status == 403
        bert = Actor(tree.shop, "bert", ALL_SCOPES, bert_id)
        await tree.transfers.audit(bert, made.id, approve, None)
    made = await tree.transfers.create(anna, new, None)
    with pytest.raises(asyncpg.CheckViolationError, match="four_eyes"):
        await tree.db.execute(
            "update transfers set audited_by_id = created_by_id, audited_at = now(),"
            " state = 'rejected' where id = $1",
            made.id,
        )


async def test_another_accounts_transfer_is_not_there(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    made = await create(tree)
    for account in (tree.bank, tree.reseller, tree.operator):
        actor = who(account, BERT)
        await refused(tree.transfers.get(actor, made.id), "not_found")
        await refused(tree.transfers.delete(actor, made.id, None), "not_found")
        audit_it = tree.transfers.audit(actor, made.id, AuditTransfer("approved"), None)
        await refused(audit_it, "not_found")
        assert (await tree.transfers.list_transfers(actor, TransferFilters())).items == []


async def test_any_combination_of_dates_and_state_shows_what_fits(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    states: tuple[Literal["approved", "rejected"] | None, ...] = (
        "approved",
        None,
        "rejected",
        None,
    )
    for state in states:
        made = await create(tree, 5)
        if state:
            await audit(tree, made.id, state)
    every = (await tree.transfers.list_transfers(who(tree.shop), TransferFilters())).items
    assert len(every) == 4
    times = [None, *(t.created_at for t in every), every[0].created_at + timedelta(seconds=1)]
    for since in times:
        for until in times:
            if since and until and since > until:
                continue
            for state_ in (None, "awaiting_audit", "approved", "rejected"):
                filters = TransferFilters(since, until, state_)  # type: ignore[arg-type]
                found = await tree.transfers.list_transfers(who(tree.shop), filters)
                assert [t.id for t in found.items] == [
                    t.id
                    for t in every
                    if (since is None or t.created_at >= since)
                    and (until is None or t.created_at < until)
                    and state_ in (None, t.state)
                ]
    page = await tree.transfers.list_transfers(who(tree.shop), TransferFilters(limit=3))
    rest = TransferFilters(limit=3, cursor=page.next)
    assert len((await tree.transfers.list_transfers(who(tree.shop), rest)).items) == 1


async def test_who_may_audit_is_told_and_told_no_more_when_it_is_done(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    anna_id = await user(tree, "anna", email="anna@example.org")
    await user(tree, "bert", email="bert@example.org")
    await user(tree, "carl", email="carl@example.org", role="head")
    await user(tree, "dora", email="dora@example.org", role="head", granted=["transfers:audit"])
    await user(tree, "emil", email="emil@example.org", active=False)
    anna = Actor(tree.shop, "anna", ALL_SCOPES, anna_id)
    new = NewTransfer(tree.reseller, 1234, "EUR")
    await tree.fund(tree.shop, 5000)
    made = await tree.transfers.create(anna, new, None)
    row = await tree.db.fetchrow(
        "select id, text, acknowledged_by from notices where account_id = $1", tree.shop
    )
    assert row["text"].startswith("anna wants to transfer 12.34 EUR")
    mails = "select recipient from notice_mails where notice = $1 order by 1"
    told = [r[0] for r in await tree.db.fetch(mails, row["id"])]
    assert told == ["bert@example.org", "dora@example.org"]
    await audit(tree, made.id, "rejected")
    assert (
        await tree.db.fetchval("select acknowledged_by from notices where id=$1", row["id"]) == BERT
    )
    assert await tree.db.fetch(mails, row["id"]) == []
    kinds = await tree.db.fetch(
        "select kind from outbox where account_id = $1 and kind like 'transfer.%' order by id",
        tree.shop,
    )
    assert [r[0] for r in kinds] == ["transfer.created", "transfer.rejected"]


def test_no_more_mails_than_so_many_and_only_to_those_who_may() -> None:
    person = {
        "id": 1, "email": "a@example.org", "role": Role.ADMINISTRATOR, "granted": [],
        "withdrawn": [], "kind": "enterprise",
    }  # fmt: skip
    crowd = [person | {"id": n} for n in range(50)]
    assert len(auditors_mail(crowd, None)) == 20
    assert auditors_mail([person | {"withdrawn": ["transfers:audit"]}], None) == []
    assert auditors_mail([person], 1) == []


async def test_sent_again_with_its_key_each_act_is_done_once(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    anna, bert = who(tree.shop, ANNA), who(tree.shop, BERT)
    new, approve = NewTransfer(tree.reseller, 10, "EUR"), AuditTransfer("approved")
    made = await asyncio.gather(
        *(tree.transfers.create(anna, new, key_of(anna, "c", new)) for _ in range(20))
    )
    assert len({t.id for t in made}) == 1
    assert await money(tree) == (100, 10, 0)
    done = await asyncio.gather(
        *(
            tree.transfers.audit(bert, made[0].id, approve, key_of(bert, "a", approve))
            for _ in range(20)
        )
    )
    assert len(set(done)) == 1
    assert await money(tree) == (90, 0, 10)
    other = await create(tree)
    for _ in range(3):
        await tree.transfers.delete(anna, other.id, key_of(anna, "d", other.id))
    again = tree.transfers.create(anna, NewTransfer(tree.reseller, 11, "EUR"), key_of(anna, "c", 1))
    await refused(again, "idempotency_conflict")


async def test_fifty_who_approve_reject_and_delete_one_at_once_make_one_thing_of_it(
    tree: Tree,
) -> None:
    await tree.fund(tree.shop, 100)
    for _ in range(3):
        before = await money(tree)
        made = await create(tree, 10)
        acts = [
            (
                audit(tree, made.id, "approved") if n % 3 == 0
                else audit(tree, made.id, "rejected") if n % 3 == 1
                else delete(tree, made.id)
            )
            for n in range(50)
        ]  # fmt: skip
        results = await asyncio.gather(*acts, return_exceptions=True)
        failed = [r for r in results if isinstance(r, BaseException)]
        codes = {r.code for r in failed if isinstance(r, CallctlError)}
        assert len(codes) > 0
        assert codes <= {"not_found", "transfer_final"}
        row = await tree.db.fetchrow("select state from transfers where id = $1", made.id)
        approved = [r for r in results if isinstance(r, TransferView) and r.state == "approved"]
        assert len(approved) == (1 if row is not None and row["state"] == "approved" else 0)
        shop, held, reseller = await money(tree)
        paid = 10 * len(approved)
        assert (shop, held, reseller) == (before[0] - paid, 0, before[2] + paid)
    assert await tree.problems() == []


async def test_the_last_coin_goes_one_way_whoever_asks_for_it(tree: Tree) -> None:
    """Fifty at once: half transfer it, half spend it; whatever is held is approved or deleted."""
    await tree.fund(tree.shop, 10)
    acts = [create(tree, 1) if n % 2 else tree.charge(tree.shop, 1) for n in range(50)]
    results = await asyncio.gather(*acts, return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException)]
    assert {r.code for r in failed if isinstance(r, CallctlError)} == {"insufficient_funds"}
    assert len(failed) == 40
    made = [r for r in results if isinstance(r, TransferView)]
    wallet = await tree.wallet(tree.shop)
    assert (wallet.balance, wallet.held, wallet.available) == (len(made), len(made), 0)
    await asyncio.gather(
        *(
            audit(tree, t.id, "approved") if n % 2 else delete(tree, t.id)
            for n, t in enumerate(made)
        )
    )
    shop, held, reseller = await money(tree)
    assert held == 0
    assert shop + reseller == len(made)
    assert await tree.problems() == []


async def test_killed_when_all_but_the_end_is_done_nothing_of_it_is(tree: Tree) -> None:
    """The backend dies after the money was posted and the transfer marked, before the commit."""
    await tree.fund(tree.shop, 100)
    made = await create(tree)
    bert, approve = who(tree.shop, BERT), AuditTransfer("approved")
    key = key_of(bert, "k", approve)
    async with tree.db.transaction() as blocker:
        await blocker.execute("select from notices where account_id = $1 for update", tree.shop)
        me = await blocker.fetchval("select pg_backend_pid()")
        act = asyncio.ensure_future(tree.transfers.audit(bert, made.id, approve, key))
        victim = None
        while victim is None:
            await asyncio.sleep(0.01)
            victim = await tree.db.fetchval(
                "select pid from pg_stat_activity where $1 = any(pg_blocking_pids(pid))", me
            )
        assert await tree.db.fetchval("select pg_terminate_backend($1)", victim)
        await refused(act, "database_unavailable")
    assert await money(tree) == (100, 40, 0)
    assert (await tree.transfers.get(bert, made.id)).state == "awaiting_audit"
    done = await tree.transfers.audit(bert, made.id, approve, key)
    assert await tree.transfers.audit(bert, made.id, approve, key) == done
    assert await money(tree) == (60, 0, 40)
    assert await tree.problems() == []


async def test_another_hold_is_not_touched(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    async with tree.db.transaction() as connection:
        await hold(connection, account_id=tree.shop, amount=7, reference="call:1")
    made = await create(tree)
    await audit(tree, made.id, "approved")
    assert await money(tree) == (60, 7, 40)
