"""What an account's ledger shows, what is issued downwards, and what is proved of all of it."""

import asyncio
import csv
import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callctl.cli import main
from callctl.db.pool import Database
from callctl.features.exports.model import NewExport
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.features.ledger.export import LEDGER_TABLE
from callctl.features.ledger.model import (
    IssuedFunds,
    IssueFunds,
    LedgerFilters,
    TopUp,
    WalletFilters,
)
from callctl.features.ledger.verify import Counts, find_problems
from callctl.features.transfers.export import TRANSFERS_TABLE
from callctl.features.transfers.model import NewTransfer
from callctl.http import list_table
from tests.ledger.conftest import Tree, key_of, refused, who

FAR = datetime(2099, 1, 1, tzinfo=UTC)


async def issue(tree: Tree, giver: int, taker: int, amount: int) -> IssuedFunds:
    return await tree.ledger.issue(who(giver), IssueFunds(taker, amount, "EUR", "n"), None)


async def top_up(tree: Tree, account: int, amount: int) -> IssuedFunds:
    new = TopUp(amount, "EUR", account)
    return await tree.ledger.top_up(who(tree.operator), new, None)


async def seqs(tree: Tree, account: int, **filters: Any) -> list[int]:
    page = await tree.ledger.list_entries(who(account), LedgerFilters(**filters))
    return [entry.seq for entry in page.items]


async def test_money_goes_down_the_tree_as_out_here_and_in_there(tree: Tree) -> None:
    await top_up(tree, tree.operator, 1000)
    await issue(tree, tree.operator, tree.reseller, 600)
    given = await issue(tree, tree.reseller, tree.shop, 250)
    assert (given.amount, given.wallet.balance, given.wallet.account_id) == (
        250,
        350,
        tree.reseller,
    )
    assert await tree.balances() == {
        (tree.operator, "issuance"): -1000,
        (tree.operator, "wallet"): 400,
        (tree.reseller, "wallet"): 350,
        (tree.shop, "wallet"): 250,
    }
    page = await tree.ledger.list_entries(who(tree.reseller), LedgerFilters())
    shown = [(e.seq, e.entry_class, e.source, e.kind, e.amount, e.balance) for e in page.items]
    assert shown == [
        (2, "out", "manual", "issue", -250, 350),
        (1, "in", "manual", "issue", 600, 600),
    ]
    assert await tree.problems() == []


async def test_funds_go_directly_below_in_one_currency_and_out_of_what_is_there(tree: Tree) -> None:
    await top_up(tree, tree.operator, 100)
    for giver, taker in (
        (tree.operator, tree.shop), (tree.shop, tree.bank), (tree.shop, tree.reseller),
        (tree.reseller, tree.reseller), (tree.operator, 10**15),
    ):  # fmt: skip
        await refused(issue(tree, giver, taker, 1), "not_found")
    error = await refused(issue(tree, tree.operator, tree.reseller, 101), "insufficient_funds")
    assert error.detail["shortfall"] == 1
    new = IssueFunds(tree.reseller, 1, "HUF")
    await refused(tree.ledger.issue(who(tree.operator), new, None), "currency_mismatch")
    await tree.db.execute("update accounts set currency = 'COIN' where id = $1", tree.reseller)
    await refused(issue(tree, tree.operator, tree.reseller, 1), "currency_mismatch")
    assert await seqs(tree, tree.operator) == [1]


async def test_money_from_outside_is_the_operators_to_credit(tree: Tree) -> None:
    await top_up(tree, tree.shop, 70)
    assert (await tree.wallet(tree.shop)).balance == 70
    new = TopUp(1, "EUR", tree.shop)
    await refused(tree.ledger.top_up(who(tree.reseller), new, None), "conflict")
    other = await tree.db.fetchval(
        "insert into accounts (code, name, kind, currency)"
        " values ('o' || $1::text, 'o', 'operator', 'EUR') returning id",
        str(tree.shop),
    )
    await refused(top_up(tree, other, 1), "not_found")
    new = TopUp(5, "EUR", tree.shop)
    key = key_of(who(tree.operator), "k", new)
    first = await tree.ledger.top_up(who(tree.operator), new, key)
    assert await tree.ledger.top_up(who(tree.operator), new, key) == first
    assert (await tree.wallet(tree.shop)).balance == 75


async def test_every_combination_of_filters_shows_what_fits_and_nothing_else(tree: Tree) -> None:
    await top_up(tree, tree.shop, 100)
    await tree.charge(tree.shop, 10, kind="call")
    await tree.charge(tree.shop, 20, kind="seat")
    made = await tree.transfers.create(who(tree.shop), NewTransfer(tree.reseller, 5, "EUR"), None)
    assert made.state == "awaiting_audit"
    page = await tree.ledger.list_entries(who(tree.shop), LedgerFilters())
    every = page.items
    assert [e.seq for e in every] == [3, 2, 1]
    times = [None, *(e.posted_at for e in every), FAR]
    for since in times:
        for until in times:
            if since and until and since > until:
                continue
            for class_ in (None, "in", "out"):
                for source in (None, "manual", "system"):
                    wanted = [
                        e.seq
                        for e in every
                        if (since is None or e.posted_at >= since)
                        and (until is None or e.posted_at < until)
                        and class_ in (None, e.entry_class)
                        and source in (None, e.source)
                    ]
                    found = await seqs(
                        tree, tree.shop, since=since, until=until, entry_class=class_,
                        source=source,
                    )  # fmt: skip
                    assert found == wanted, (since, until, class_, source)
    assert await seqs(tree, tree.shop, kind="seat") == [3]
    assert await seqs(tree, tree.shop, entry_class="in", source="system") == []
    filters = LedgerFilters(since=FAR, until=FAR - timedelta(days=1))
    error = await refused(tree.ledger.list_entries(who(tree.shop), filters), "invalid_field")
    assert error.field == "query.until"


async def test_pages_hold_each_entry_once_and_balances_run_through_them(tree: Tree) -> None:
    await top_up(tree, tree.shop, 100)
    for _ in range(6):
        await tree.charge(tree.shop, 3)
    found, cursor = [], None
    while True:
        filters = LedgerFilters(limit=3, cursor=cursor)
        page = await tree.ledger.list_entries(who(tree.shop), filters)
        found += page.items
        # What is posted meanwhile is on no later page.
        await tree.charge(tree.shop, 1)
        cursor = page.next
        if cursor is None:
            break
    assert [e.seq for e in found] == [7, 6, 5, 4, 3, 2, 1]
    assert all(a.balance - a.amount == b.balance for a, b in itertools.pairwise(found))
    assert await seqs(tree, tree.shop, cursor="999") == []


async def test_a_superior_reads_the_ledger_of_those_directly_below_and_of_nobody_else(
    tree: Tree,
) -> None:
    await top_up(tree, tree.shop, 100)
    below = tree.ledger.list_entries_below
    page = await below(who(tree.reseller), tree.shop, LedgerFilters())
    assert [e.amount for e in page.items] == [100]
    assert (await tree.ledger.get_wallet_below(who(tree.reseller), tree.shop)).available == 100
    for actor, account in (
        (tree.operator, tree.shop), (tree.bank, tree.shop), (tree.shop, tree.reseller),
        (tree.shop, tree.shop),
    ):  # fmt: skip
        await refused(below(who(actor), account, LedgerFilters()), "not_found")
        await refused(tree.ledger.get_wallet_below(who(actor), account), "not_found")


async def test_wallets_of_those_directly_below_are_read_page_by_page(tree: Tree) -> None:
    await top_up(tree, tree.shop, 100)

    async def wallets(actor: int, **filters: Any) -> tuple[dict[int, int], str | None]:
        page = await tree.ledger.list_wallets_below(who(actor), WalletFilters(**filters))
        return {one.account_id: one.available for one in page.items}, page.next

    assert await wallets(tree.reseller) == ({tree.shop: 100, tree.bank: 0}, None)
    assert await wallets(tree.reseller, account_id=[tree.bank, tree.operator]) == (
        {tree.bank: 0}, None,
    )  # fmt: skip
    assert await wallets(tree.reseller, limit=1) == ({tree.shop: 100}, str(tree.shop))
    assert await wallets(tree.reseller, limit=1, cursor=tree.shop) == ({tree.bank: 0}, None)
    assert list((await wallets(tree.operator))[0]) == [tree.reseller]
    assert await wallets(tree.shop) == ({}, None)


async def test_the_ledger_and_the_transfers_are_exported_in_four_modes_with_evidence(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_table, "AT_ONCE", 2)
    await top_up(tree, tree.shop, 100)
    for _ in range(4):
        await tree.charge(tree.shop, 3, note="=1+1")
    transfer = NewTransfer(tree.reseller, 5, "EUR")
    for _ in range(2):
        await tree.transfers.create(who(tree.shop), transfer, None)
    settings = ExportSettings(tmp_path, f"lab-{tree.shop}", 72, 20)
    service = ExportService(tree.db, (LEDGER_TABLE, TRANSFERS_TABLE), settings)
    runner, actor = ExportRunner(tree.db, settings), who(tree.shop)

    async def rows(**new: Any) -> list[dict[str, str]]:
        made = await service.create(actor, NewExport(**new))
        assert await runner.run_next(service)
        done = await service.get(actor, made.id)
        assert done.state == "done", done.reason
        verified = await service.verify(actor, done.sha256 or "")
        assert [e.id for e in verified.exports] == [done.id]
        assert not (await service.verify(who(tree.bank), done.sha256 or "")).known
        with (tmp_path / f"{done.id}.csv").open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def numbers(found: list[dict[str, str]], column: str = "seq") -> list[int]:
        return [int(row[column]) for row in found]

    everything = await rows(source="ledger", mode="all")
    assert numbers(everything) == [5, 4, 3, 2, 1]
    assert (everything[0]["class"], everything[0]["balance"]) == ("out", "88")
    assert everything[0]["note"] == "'=1+1"
    filters = {"class": "in"}
    assert numbers(await rows(source="ledger", mode="search", filters=filters)) == [1]
    filters = {"limit": 2, "cursor": "5"}
    assert numbers(await rows(source="ledger", mode="page", filters=filters)) == [4, 3]
    assert numbers(await rows(source="ledger", mode="selected", keys=["1", "4", "77"])) == [4, 1]

    ids = numbers(await rows(source="transfers", mode="all"), "id")
    assert len(ids) == 2
    assert ids == sorted(ids, reverse=True)
    found = await rows(source="transfers", mode="search", filters={"state": "approved"})
    assert found == []
    filters = {"limit": 1}
    assert numbers(await rows(source="transfers", mode="page", filters=filters), "id") == ids[:1]
    chosen = await rows(source="transfers", mode="selected", keys=[str(ids[1])])
    assert [row["state"] for row in chosen] == ["awaiting_audit"]
    bad = NewExport(source="ledger", mode="selected", keys=["one"])
    assert (await refused(service.create(actor, bad), "invalid_field")).field == "body.keys"


_SPOILT = [
    ("update ledger_entries set amount = amount - 1 where {last}", "that sum to"),
    ("update ledger_transactions set note = 'x' where id = {tx}", "the hash is another"),
    ("delete from ledger_entries where {last}", "that sum to"),
    ("update ledger_entries set balance = balance + 1 where {last}", "together"),
    ("update books set balance = balance + 1 where {wallet}", "its balance is"),
    ("update books set held = held + 1 where {wallet}", "open holds sum to"),
    ("update books set last_hash = sha256('') where {wallet}", "last hash"),
    ("update books set last_seq = last_seq + 1 where {wallet}", "its last entry is"),
]


@pytest.mark.parametrize(("sql", "words"), _SPOILT)
async def test_whatever_is_changed_behind_its_back_is_found(
    db: Database, sql: str, words: str
) -> None:
    """By somebody who may switch the triggers off."""
    await _small_ledger(db)
    assert [p async for p in find_problems(db)] == []
    wallet = await db.fetchval(
        "select b.id from books b join accounts a on a.id = b.account_id"
        " where a.code = 'shop' and b.kind = 'wallet'"
    )
    tx = await db.fetchval("select max(id) from ledger_transactions")
    last = f"book_id = {wallet} and transaction_id = {tx}"
    async with db.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(sql.format(last=last, tx=tx, wallet=f"id = {wallet}"))
    counts = Counts()
    found = [p async for p in find_problems(db, None, counts)]
    assert any(words in problem.text for problem in found), found
    assert counts.books >= 3
    assert [p async for p in find_problems(db, "shop")] != []


async def _small_ledger(db: Database) -> Tree:
    ids: list[int | None] = [None]
    for code, kind in (("op", "operator"), ("shop", "enterprise")):
        ids.append(
            await db.fetchval(
                "insert into accounts (parent_id, code, name, kind, currency)"
                " values ($1, $2, $2, $3, 'EUR') returning id",
                ids[-1], code, kind,
            )
        )  # fmt: skip
    _, operator, shop = ids
    assert operator is not None
    assert shop is not None
    tree = Tree(db, operator, operator, shop, shop)
    await tree.fund(shop, 100)
    await tree.charge(shop, 10)
    await tree.charge(shop, 10)
    await tree.transfers.create(who(shop), NewTransfer(operator, 5, "EUR"), None)
    return tree


async def test_the_command_says_so_and_its_exit_code_does(
    db: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CALLCTL_DATABASE_URL", database_url)
    monkeypatch.setenv("CALLCTL_STATE_DIR", str(tmp_path))

    async def verify(*arguments: str) -> tuple[int, str]:
        code = await asyncio.to_thread(main, ["ledger", "verify", *arguments])
        return code, capsys.readouterr().out

    await _small_ledger(db)
    capsys.readouterr()
    assert await verify() == (0, "6 entries in 4 books: all of it is right\n")
    async with db.transaction() as connection:
        await connection.execute("set local session_replication_role = replica")
        await connection.execute("update ledger_transactions set note = 'mine' where id = 2")
    code, told = await verify("--account", "shop")
    assert code == 1
    assert "account shop, wallet, entry 2, transaction 2: the hash is another" in told
    code, told = await verify("--json")
    answer = json.loads(told)
    assert (code, answer["ok"], answer["found"], answer["entries"]) == (1, False, 2, 6)
    assert (await verify("--account", "x"))[0] == 2
