"""Amounts, postings, the chain: pure."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.money.books import Book, OpenBooks
from callctl.core.money.chain import Entry, canonical_bytes, entry_hash
from callctl.core.money.currencies import (
    EXPONENTS,
    MAX_AMOUNT,
    MAX_BALANCE,
    format_amount,
    parse_amount,
)
from callctl.core.money.orders import (
    AccountWallet,
    Charge,
    Original,
    PostedLine,
    Refund,
    plan_postings,
)
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ANNA = Author("anna", 7)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("12.5", "EUR", 1250),
        ("12.50", "EUR", 1250),
        ("0.01", "EUR", 1),
        ("0", "HUF", 0),
        ("1250", "JPY", 1250),
        ("1.234", "KWD", 1234),
        ("7", "COIN", 7),
    ],
)
def test_amounts_are_read_exactly(text: str, currency: str, minor: int) -> None:
    assert parse_amount(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("0.001", "EUR"), ("1.5", "COIN"), ("1.0", "JPY"), ("-1", "EUR"), ("+1", "EUR"),
        ("1,5", "EUR"), ("1 000", "EUR"), ("1e3", "EUR"), (" 1", "EUR"), ("1\n", "EUR"),
        ("", "EUR"), (".5", "EUR"), ("5.", "EUR"), ("01", "EUR"), ("٣", "EUR"), ("NaN", "EUR"),
        ("100000000000.01", "EUR"), ("9" * 400, "EUR"), ("1", "XXX"), ("1", "eur"), ("1_0", "EUR"),
    ],
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_amount(text, currency)


@given(st.integers(-MAX_BALANCE, MAX_BALANCE), st.sampled_from(sorted(EXPONENTS)))
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    text = format_amount(minor, currency)
    assert text.startswith("-") == (minor < 0)
    if abs(minor) <= MAX_AMOUNT:
        assert parse_amount(text.removeprefix("-"), currency) == abs(minor)


WALLET, INCOME = BookKey(3), BookKey(2, BookKind.INCOME)


@pytest.mark.parametrize(
    "line",
    [
        (WALLET, 5, EntryClass.IN, Source.SYSTEM),
        (WALLET, -5, EntryClass.IN, Source.MANUAL),
        (WALLET, 5, EntryClass.OUT, Source.SYSTEM),
        (WALLET, 5),
        (WALLET, 5, EntryClass.IN),
        (WALLET, 0, EntryClass.OUT, Source.SYSTEM),
        (WALLET, -MAX_AMOUNT - 1, EntryClass.OUT, Source.SYSTEM),
        (WALLET, 5, EntryClass.OUT, Source.MANUAL, 1),
        (WALLET, 5, EntryClass.IN, Source.MANUAL, 1),
        (INCOME, 5, EntryClass.OUT, Source.SYSTEM),
        (INCOME, 5, None, None, 1),
    ],
)
def test_a_line_that_breaks_a_rule_cannot_be_made(line: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Line(*line)  # type: ignore[arg-type]


_OUT = Line(WALLET, -5, EntryClass.OUT, Source.SYSTEM)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lines": (_OUT, Line(INCOME, 4))}, "sum to zero"),
        ({"lines": (_OUT,)}, "two lines"),
        ({"lines": (_OUT, _OUT, Line(INCOME, 10))}, "different books"),
        ({"kind": "gift"}, "TRANSACTION_KINDS"),
        ({"currency": "XXX"}, "no currency"),
        ({"account_id": 9}, "has no line"),
    ],
)
def test_a_posting_that_does_not_fit_cannot_be_made(change: dict[str, object], words: str) -> None:
    good = Posting(3, "EUR", "call", "call:1", (_OUT, Line(INCOME, 5)))
    with pytest.raises(ValueError, match=words):
        replace(good, **change)  # type: ignore[arg-type]


def _entry(**change: object) -> Entry:
    entry = Entry(
        WALLET, "EUR", 1, 1, "call", "call:1", "ü", 7, "anna", NOW, -5, 95, "out", "system", None
    )
    return replace(entry, **change)  # type: ignore[arg-type]


def test_the_canonical_bytes_are_what_the_document_says() -> None:
    expected = (
        b'["callctl-ledger-1","",3,"wallet","EUR",1,1,"call","call:1","\\u00fc",7,"anna",'
        b'1772366400000000,-5,95,"out","system",null]'
    )
    assert canonical_bytes(_entry(), b"") == expected
    assert entry_hash(_entry(), b"") == hashlib.sha256(expected).digest()


@pytest.mark.parametrize(
    "change",
    [
        {"book": BookKey(4)}, {"book": INCOME}, {"currency": "HUF"}, {"seq": 2},
        {"transaction_id": 2}, {"kind": "seat"}, {"reference": "call:2"}, {"note": "u"},
        {"author_id": None}, {"author": "bela"}, {"posted_at": NOW.replace(microsecond=1)},
        {"amount": -6}, {"balance": 94}, {"entry_class": "in"}, {"source": "manual"},
        {"corrects": 1},
    ],
)  # fmt: skip
def test_every_field_and_the_entry_before_are_in_the_hash(change: dict[str, object]) -> None:
    assert entry_hash(_entry(**change), b"") != entry_hash(_entry(), b"")
    assert entry_hash(_entry(), b"x") != entry_hash(_entry(), b"")


def _wallets() -> dict[int, AccountWallet]:
    return {3: AccountWallet(Book(1, WALLET, "EUR", balance=1000), 2)}


@given(st.lists(st.tuples(st.integers(1, 400), st.booleans()), max_size=12), st.integers(0, 500))
def test_books_always_sum_to_the_same_and_without_overdraft_never_go_below_what_is_held(
    charges: list[tuple[int, bool]], held: int
) -> None:
    start = [Book(1, WALLET, "EUR", balance=500, held=held), Book(2, INCOME, "EUR")]
    books = OpenBooks(start)
    for number, (amount, overdraw) in enumerate(charges, 1):
        order = Charge(3, amount, "call", "call:1", overdraw=overdraw)
        (posting,) = plan_postings([order], {}, _wallets(), {}, ())
        assert isinstance(posting, Posting)
        before = books.get(WALLET, "EUR")
        if overdraw or amount <= before.available:
            books.post(posting, number, ANNA, NOW)
            assert overdraw or books.get(WALLET, "EUR").available >= 0
            continue
        with pytest.raises(CallctlError) as caught:
            books.post(posting, number, ANNA, NOW)
        assert caught.value.detail["shortfall"] == amount - before.available
        assert books.get(WALLET, "EUR") == before
    wallet, income = books.get(WALLET, "EUR"), books.get(INCOME, "EUR")
    assert wallet.balance + income.balance == 500
    assert wallet.seq == income.seq == len(books.entries) / 2
    assert wallet.balance == 500 + sum(
        chained.entry.amount for chained in books.entries if chained.book_id == 1
    )


def test_a_book_does_not_hold_more_than_every_reader_can_count() -> None:
    books = OpenBooks([Book(1, WALLET, "EUR", balance=10), Book(2, INCOME, "EUR", MAX_BALANCE)])
    (posting,) = plan_postings([Charge(3, 1, "call", "c")], {}, _wallets(), {}, ())
    assert isinstance(posting, Posting)
    with pytest.raises(CallctlError, match="is full"):
        books.post(posting, 1, ANNA, NOW)


@given(st.integers(1, 100), st.lists(st.integers(1, 100), max_size=8))
def test_refunds_never_give_back_more_than_was_paid(paid: int, asked: list[int]) -> None:
    lines = (PostedLine(WALLET, 1, -paid), PostedLine(INCOME, 1, paid))
    originals = {1: Original(3, "EUR", "call", lines)}
    back = 0
    for amount in asked:
        order = Refund(1, "r", amount)
        try:
            (posting,) = plan_postings([order], originals, _wallets(), {1: back}, ())
        except CallctlError:
            assert amount > paid - back
            continue
        assert isinstance(posting, Posting)
        assert posting.wallet_line == Line(WALLET, amount, EntryClass.OUT, Source.SYSTEM, 1)
        back += amount
    (rest,) = plan_postings([Refund(1, "r")], originals, _wallets(), {1: back}, ())
    assert (0 if rest is None else rest.size) == paid - back  # type: ignore[union-attr]


def test_two_refunds_in_one_act_share_what_is_left() -> None:
    lines = (PostedLine(WALLET, 1, -10), PostedLine(INCOME, 1, 10))
    originals = {1: Original(3, "EUR", "call", lines)}
    orders = [Refund(1, "r", 6), Refund(1, "r", 6)]
    with pytest.raises(CallctlError) as caught:
        plan_postings(orders, originals, _wallets(), {}, ())
    assert caught.value.detail == {"left": 4}
