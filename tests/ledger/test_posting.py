"""The ledger on a real PostgreSQL: what is posted, what is refused, and what nobody can do."""

import asyncio

import asyncpg
import pytest

from callctl.core.errors import CallctlError
from callctl.core.money.books import Book
from callctl.core.money.chain import Entry, entry_hash
from callctl.core.money.orders import Charge, Refund
from callctl.core.money.postings import (
    BookKey,
    BookKind,
    EntryClass,
    Line,
    Posting,
    Source,
)
from callctl.db.ledger import charge, charge_many, hold, post, refund, release, wallet_of
from callctl.db.pool import Database
from tests.ledger.conftest import ANNA, Tree, funding, refused


async def test_a_charge_goes_from_the_wallet_to_the_sellers_income(tree: Tree) -> None:
    await tree.fund(tree.shop, 1000)
    posted = await tree.charge(tree.shop, 300)
    assert posted is not None
    assert (posted.amount, posted.balance, posted.seq) == (-300, 700, 2)
    assert await tree.balances() == {
        (tree.operator, "issuance"): -1000,
        (tree.reseller, "income"): 300,
        (tree.shop, "wallet"): 700,
    }
    row = await tree.db.fetchrow(
        "select class, source from ledger_entries where transaction_id = $1 and amount < 0",
        posted.transaction_id,
    )
    assert tuple(row) == ("out", "system")


async def test_what_is_not_there_is_not_spent_and_the_answer_says_what_is_missing(
    tree: Tree,
) -> None:
    await tree.fund(tree.shop, 100)
    error = await refused(tree.charge(tree.shop, 150), "insufficient_funds")
    assert error.status == 402
    assert error.detail == {"needed": 150, "available": 100, "shortfall": 50, "currency": "EUR"}
    assert (await tree.wallet(tree.shop)).balance == 100
    await tree.charge(tree.shop, 150, overdraw=True)
    assert (await tree.wallet(tree.shop)).balance == -50
    error = await refused(tree.charge(tree.shop, 1), "insufficient_funds")
    assert error.detail["available"] == -50


async def test_the_operator_pays_nobody(tree: Tree) -> None:
    assert await tree.charge(tree.operator, 100) is None
    assert await tree.balances() == {}


async def test_a_price_in_another_currency_isrefused(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await refused(tree.charge(tree.shop, 1, currency="HUF"), "conflict")
    posting = funding(tree.shop, tree.operator, 5)
    async with tree.db.transaction() as connection:
        wrong = Posting(tree.shop, "HUF", "top_up", "cash", posting.lines)
        await refused(post(connection, [wrong], ANNA), "conflict")


async def test_an_account_that_is_not_there_is_not_found(tree: Tree) -> None:
    await refused(tree.charge(10**9, 1), "not_found")


async def test_the_last_coin_is_spent_once_by_fifty_at_the_same_time(tree: Tree) -> None:
    await tree.fund(tree.shop, 7)
    results = await asyncio.gather(
        *(tree.charge(tree.shop, 1) for _ in range(50)), return_exceptions=True
    )
    refused = [r for r in results if isinstance(r, CallctlError)]
    assert {r.code for r in refused} == {"insufficient_funds"}
    assert len(refused) == 43
    assert len([r for r in results if r is not None and not isinstance(r, BaseException)]) == 7
    assert (await tree.wallet(tree.shop)).balance == 0
    assert (await tree.balances())[tree.reseller, "income"] == 7


async def test_charges_across_all_accounts_never_wait_for_each_other_in_a_ring(tree: Tree) -> None:
    accounts = [tree.shop, tree.bank, tree.reseller]
    for account in accounts:
        await tree.fund(account, 1000)

    async def lock_then_charge(account: int) -> None:
        async with tree.db.transaction() as connection:
            await wallet_of(connection, account, lock=True)
            held = await hold(connection, account_id=account, amount=1, reference="x")
            await charge(
                connection, account_id=account, amount=1, kind="package", reference="p",
                author=ANNA, uses_hold=held,
            )  # fmt: skip

    async def batch(order: int) -> None:
        charges = [Charge(account, 1, "call", "call:1") for account in accounts[::order]]
        async with tree.db.transaction() as connection:
            await charge_many(connection, charges, ANNA)

    async def issue() -> None:
        lines = (
            Line(BookKey(tree.reseller), -1, EntryClass.OUT, Source.MANUAL),
            Line(BookKey(tree.shop), 1, EntryClass.IN, Source.MANUAL),
        )
        async with tree.db.transaction() as connection:
            await post(connection, [Posting(tree.shop, "EUR", "issue", "i", lines)], ANNA)

    await asyncio.gather(
        *(lock_then_charge(account) for account in accounts * 6),
        *(batch(order) for order in (1, -1) * 6),
        *(issue() for _ in range(6)),
    )
    assert [(await tree.wallet(a)).balance for a in accounts] == [988, 982, 976]
    assert sum((await tree.balances()).values()) == 0


async def test_a_batch_costs_the_same_number_of_statements_whatever_its_size(tree: Tree) -> None:
    async def statements(name: str, count: int) -> int:
        seen: list[str] = []
        async with tree.db.transaction() as connection:
            with connection.query_logger(lambda record: seen.append(record.query)):
                charges = [
                    Charge(account, 2, "call", f"call:{n}", overdraw=True, once=f"{name}:{n}")
                    for n in range(count)
                    for account in (tree.shop, tree.bank)
                ]
                posted = await charge_many(connection, charges, ANNA)
        assert len({p.transaction_id for p in posted if p}) == 2 * count
        return len(seen)

    await statements("makes the book of income", 1)
    assert await statements("small", 1) == await statements("large", 100) <= 5
    assert (await tree.wallet(tree.bank)).balance == -204


async def test_one_charge_too_many_in_a_batch_undoes_all_of_it(tree: Tree) -> None:
    await tree.fund(tree.shop, 10)
    charges = [Charge(tree.shop, 4, "call", f"call:{n}") for n in range(3)]
    async with tree.db.transaction() as connection:
        await refused(charge_many(connection, charges, ANNA), "insufficient_funds")
    assert (await tree.wallet(tree.shop)).balance == 10


async def test_what_is_to_be_posted_once_is_posted_once(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    results = await asyncio.gather(
        *(tree.charge(tree.shop, 10, once="call:7:tariff:1") for _ in range(20))
    )
    posted = [r for r in results if r is not None]
    assert len({p.transaction_id for p in posted}) == 1
    assert sorted(p.repeated for p in posted) == [False] + [True] * 19
    assert {(p.amount, p.balance, p.seq) for p in posted} == {(-10, 90, 2)}
    twice = [Charge(tree.shop, 5, "call", "call:8", once="call:8")] * 2
    async with tree.db.transaction() as connection:
        one, other = await charge_many(connection, twice, ANNA)
    assert one is not None
    assert other is not None
    assert (one.transaction_id, other.repeated) == (other.transaction_id, True)
    assert (await tree.wallet(tree.shop)).balance == 85


async def test_a_failure_after_a_charge_leaves_nothing_of_it(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)

    async def killed() -> None:
        async with tree.db.transaction() as connection:
            await charge(
                connection, account_id=tree.shop, amount=60, kind="package", reference="p",
                author=ANNA,
            )  # fmt: skip
            pid = await connection.fetchval("select pg_backend_pid()")
            await tree.db.fetchval("select pg_terminate_backend($1, 5000)", pid)
            await connection.execute("select 1")

    await refused(killed(), "database_unavailable")
    assert await tree.balances() == {
        (tree.operator, "issuance"): -100, (tree.shop, "wallet"): 100
    }  # fmt: skip
    posted = await tree.charge(tree.shop, 60)
    assert posted is not None
    assert posted.seq == 2


async def test_a_refund_is_an_opposite_entry_of_class_out_that_names_what_it_corrects(
    tree: Tree,
) -> None:
    await tree.fund(tree.shop, 100)
    charged = await tree.charge(tree.shop, 60)
    assert charged is not None
    async with tree.db.transaction() as connection:
        part = await refund(
            connection, transaction_id=charged.transaction_id, amount=20, reference="r", author=ANNA
        )
        rest = await refund(
            connection, transaction_id=charged.transaction_id, reference="r", author=ANNA
        )
        none = await refund(
            connection, transaction_id=charged.transaction_id, reference="r", author=ANNA
        )
        with_amount = refund(
            connection, transaction_id=charged.transaction_id, amount=1, reference="r", author=ANNA
        )
        await refused(with_amount, "conflict")
    assert part is not None
    assert rest is not None
    assert none is None
    assert (part.amount, rest.amount, rest.balance) == (20, 40, 100)
    rows = await tree.db.fetch(
        "select e.class, e.source, e.amount, e.corrects from ledger_entries e"
        " join books b on b.id = e.book_id"
        " where b.account_id = $1 and corrects is not null order by seq",
        tree.shop,
    )
    assert [tuple(row) for row in rows] == [
        ("out", "system", 20, charged.seq),
        ("out", "system", 40, charged.seq),
    ]
    assert (tree.reseller, "income") not in await tree.balances()


async def test_fifty_refunds_at_the_same_time_give_back_what_was_paid_and_no_more(
    tree: Tree,
) -> None:
    await tree.fund(tree.shop, 100)
    charged = await tree.charge(tree.shop, 100)
    assert charged is not None

    async def give_back() -> object:
        async with tree.db.transaction() as connection:
            return await refund(
                connection, transaction_id=charged.transaction_id, amount=30, reference="r",
                author=ANNA,
            )  # fmt: skip

    results = await asyncio.gather(*(give_back() for _ in range(50)), return_exceptions=True)
    assert sum(not isinstance(r, BaseException) for r in results) == 3
    assert {r.code for r in results if isinstance(r, CallctlError)} == {"conflict"}
    assert (await tree.wallet(tree.shop)).balance == 90


async def test_a_correction_of_funds_takes_only_what_is_still_there(tree: Tree) -> None:
    funded = await tree.fund(tree.shop, 100)
    await tree.charge(tree.shop, 60)
    order = Refund(funded.transaction_id, "typing error")
    async with tree.db.transaction() as connection:
        await refused(post(connection, [order], ANNA), "insufficient_funds")
        (part,) = await post(connection, [Refund(funded.transaction_id, "t", 40)], ANNA)
        assert part is not None
        again = Refund(part.transaction_id, "a correction of a correction")
        await refused(post(connection, [again], ANNA), "conflict")
    assert part.balance == 0


async def test_a_call_is_rated_anew_in_one_batch(tree: Tree) -> None:
    first = await tree.charge(tree.shop, 50, kind="call", reference="call:1", overdraw=True)
    assert first is not None
    orders = [
        Refund(first.transaction_id, "call:1"),
        Charge(tree.shop, 40, "call", "call:1", overdraw=True),
    ]
    async with tree.db.transaction() as connection:
        await charge_many(connection, orders, ANNA)
    assert (await tree.wallet(tree.shop)).balance == -40


async def test_what_is_held_cannot_be_spent_until_it_is_released(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    async with tree.db.transaction() as connection:
        held = await hold(connection, account_id=tree.shop, amount=70, reference="transfer:1")
    wallet = await tree.wallet(tree.shop)
    assert (wallet.balance, wallet.held, wallet.available) == (100, 70, 30)
    await refused(tree.charge(tree.shop, 31), "insufficient_funds")
    async with tree.db.transaction() as connection:
        more = hold(connection, account_id=tree.shop, amount=31, reference="transfer:2")
        await refused(more, "insufficient_funds")
    async with tree.db.transaction() as connection:
        assert await release(connection, held)
        assert not await release(connection, held)
        assert not await release(connection, 10**9)
    assert (await tree.wallet(tree.shop)).available == 100


async def test_a_hold_is_spent_once_and_by_its_account_only(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await tree.fund(tree.bank, 100)
    async with tree.db.transaction() as connection:
        held = await hold(connection, account_id=tree.shop, amount=100, reference="transfer:1")
    await refused(tree.charge(tree.bank, 100, uses_hold=held), "conflict")
    results = await asyncio.gather(
        *(tree.charge(tree.shop, 100, uses_hold=held) for _ in range(10)), return_exceptions=True
    )
    assert {r.code for r in results if isinstance(r, CallctlError)} == {"conflict"}
    assert sum(not isinstance(r, BaseException) for r in results) == 1
    wallet = await tree.wallet(tree.shop)
    assert (wallet.balance, wallet.held) == (0, 0)


async def test_each_entry_holds_the_hash_of_the_one_before(tree: Tree) -> None:
    await tree.fund(tree.shop, 100)
    await tree.charge(tree.shop, 10, note="größer, 更大")
    await tree.charge(tree.shop, 10)
    rows = await tree.db.fetch(
        "select e.*, b.account_id, b.kind as book, b.currency, t.kind, t.reference, t.note,"
        " t.author_id, t.author from ledger_entries e join books b on b.id = e.book_id"
        " join ledger_transactions t on t.id = e.transaction_id where t.account_id = $1"
        " order by e.book_id, e.seq",
        tree.shop,
    )
    before: dict[int, bytes] = {}
    for row in rows:
        entry = Entry(
            BookKey(row["account_id"], BookKind(row["book"])), row["currency"], row["seq"],
            row["transaction_id"], row["kind"], row["reference"], row["note"], row["author_id"],
            row["author"], row["posted_at"], row["amount"], row["balance"], row["class"],
            row["source"], row["corrects"],
        )  # fmt: skip
        assert row["hash"] == entry_hash(entry, before.get(row["book_id"], b""))
        before[row["book_id"]] = row["hash"]
    assert len(rows) == 6


# What somebody with SQL would try: the statement, and what PostgreSQL says.
_LINE = (
    "insert into ledger_entries (book_id, seq, transaction_id, posted_at, amount, balance, class,"
    " source, corrects, hash) select book_id, {seq}, {tx}, now(), {amount}, {balance}, {class_},"
    " {source}, {corrects}, sha256('') from ledger_entries"
    " where book_id = (select id from books where account_id = SHOP and kind = 'wallet')"
)
_GOOD = {
    "seq": 2, "tx": "transaction_id", "amount": -5, "balance": 95, "class_": "'out'",
    "source": "'system'", "corrects": "null",
}  # fmt: skip


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("update ledger_entries set amount = 1", "append-only"),
        ("delete from ledger_entries", "append-only"),
        ("truncate ledger_entries", "append-only"),
        ("update ledger_transactions set note = 'x'", "append-only"),
        ("delete from ledger_transactions", "append-only"),
        ("truncate ledger_transactions cascade", "append-only"),
        ("truncate accounts cascade", "append-only"),
        ("update books set balance = balance + 1 where kind = 'wallet'", "does not say"),
        ("update books set held = 1 where kind = 'wallet'", "does not say"),
        ("update books set last_seq = 0, last_hash = '' where last_seq > 0", "does not say"),
        ("update accounts set currency = 'HUF' where id = SHOP", "has entries in EUR"),
        ("delete from accounts where id = SHOP", "violates foreign key"),
        (_LINE.format(**_GOOD | {"class_": "'in'", "amount": 5}), "in_is_never_system"),
        (_LINE.format(**_GOOD | {"class_": "'in'", "source": "'manual'"}), "in_is_a_gain"),
        (_LINE.format(**_GOOD | {"amount": 5}), "out_is_a_loss"),
        (
            _LINE.format(**_GOOD | {"source": "'manual'", "amount": 5, "corrects": 1}),
            "corrections_are_out_and_system",
        ),
        (
            _LINE.format(**_GOOD | {"class_": "null", "source": "null", "corrects": 1}),
            "corrections_are_out_and_system",
        ),
    ],
)
async def test_the_database_refuses(tree: Tree, sql: str, words: str) -> None:
    await tree.fund(tree.shop, 100)
    with pytest.raises(asyncpg.PostgresError, match=words):
        await tree.db.execute(sql.replace("SHOP", str(tree.shop)))
    assert (await tree.wallet(tree.shop)).balance == 100


_PAIR = """
with t as (
    insert into ledger_transactions (account_id, currency, kind, reference, note, overdraw, author)
    select id, $1, 'call', 'x', '', false, 'x' from accounts where id = SHOP returning id
)
insert into ledger_entries (book_id, seq, transaction_id, posted_at, amount, balance, class, source,
                            hash)
select b.id, b.last_seq + $2, t.id, now(),
       case b.kind when 'wallet' then -$3::bigint else $3 end,
       case b.kind when 'wallet' then b.balance - $3 else b.balance + $3 end + $4::bigint,
       case b.kind when 'wallet' then 'out' end, case b.kind when 'wallet' then 'system' end,
       sha256('')
from t, books b
where (b.account_id = SHOP and b.kind = 'wallet' or b.account_id = OPERATOR and b.kind = 'issuance')
  and b.kind <> $5
"""


@pytest.mark.parametrize(
    ("step", "slip", "without", "words"),
    [
        (1, 0, "", "does not fit"),  # the book would not know of it
        (2, 0, "", "does not follow"),
        (1, 1, "", "does not follow"),
        (1, 0, "issuance", "does not balance"),
    ],
)
async def test_the_database_refuses_entries_that_leave_the_row(
    tree: Tree, step: int, slip: int, without: str, words: str
) -> None:
    await tree.fund(tree.shop, 100)
    sql = _PAIR.replace("SHOP", str(tree.shop)).replace("OPERATOR", str(tree.operator))
    with pytest.raises(asyncpg.CheckViolationError, match=words):
        await tree.db.execute(sql, "EUR", step, 5, slip, without)


async def test_a_wallet_without_entries_follows_the_accounts_currency(tree: Tree) -> None:
    await tree.db.execute("update accounts set currency = 'COIN' where id = $1", tree.bank)
    assert (await tree.wallet(tree.bank)).currency == "COIN"


async def test_income_in_two_currencies_is_kept_in_two_books(tree: Tree) -> None:
    await tree.db.execute("update accounts set currency = 'COIN' where id = $1", tree.bank)
    await tree.charge(tree.bank, 3, overdraw=True)
    await tree.charge(tree.shop, 4, overdraw=True)
    rows = await tree.db.fetch(
        "select currency, balance from books where account_id = $1 and kind = 'income' order by 1",
        tree.reseller,
    )
    assert [tuple(row) for row in rows] == [("COIN", 3), ("EUR", 4)]


async def test_an_account_without_money_can_be_deleted(db: Database) -> None:
    account = await db.fetchval(
        "insert into accounts (code, name, kind) values ('a', 'A', 'operator') returning id"
    )
    await db.execute("delete from client_types where account_id = $1", account)
    await db.execute("delete from accounts where id = $1", account)


def test_a_book_says_what_can_be_spent() -> None:
    assert Book(1, BookKey(1), "EUR", balance=10, held=4).available == 6
