"""Payments through a provider that a local server plays, and invoices to legal entities."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import msgspec
import pytest

from callctl.features.payments.api import endpoints
from callctl.features.payments.model import (
    AnswerInvoiceRequest,
    InvoiceFilters,
    InvoiceRequestView,
    NewInvoiceRequest,
    NewPayment,
    PaymentFilters,
    PaymentView,
)
from callctl.features.payments.provider import NoProvider, SandboxProvider, _Taken
from callctl.features.payments.service import PaymentService
from callctl.http.server import HttpServer, build_web_app
from tests.ledger.conftest import Tree, key_of, refused, who
from tests.ledger.provider import SECRET, Sandbox, sandbox
from tests.ledger.test_idempotency import _Tokens

FIFTY = {"amount": 50, "currency": "EUR"}


@dataclass
class Till:
    """The shop's payments, the provider, and the door by which it calls back."""

    tree: Tree
    provider: Sandbox
    payments: PaymentService
    url: str
    client: aiohttp.ClientSession

    async def start(self, amount: int = 50, key: str | None = None) -> PaymentView:
        new, actor = NewPayment(amount, "EUR"), who(self.tree.shop)
        return await self.payments.start(actor, new, key_of(actor, key, new) if key else None)

    async def get(self, id_: int) -> PaymentView:
        return await self.payments.get(who(self.tree.shop), id_)

    async def tell(self, id_: object, state: str = "paid", **more: Any) -> tuple[int, str]:
        """Status, and the error's code or the state."""
        body, headers = self.provider.news(str(id_), state, **FIFTY | more)
        return await self.send(body, headers)

    async def send(self, body: str | bytes, headers: dict[str, str]) -> tuple[int, str]:
        url = f"{self.url}/api/v1/payments/callback"
        async with self.client.post(url, data=body, headers=headers) as response:
            answer = await response.json()
            return response.status, answer["error"]["code"] if "error" in answer else answer[
                "state"
            ]


@pytest.fixture
async def till(tree: Tree) -> AsyncIterator[Till]:
    async with sandbox() as provider, aiohttp.ClientSession() as client:
        payments = PaymentService(tree.db, provider.client, "https://calls.example.org/")
        app = build_web_app(endpoints(payments, tree.invoices), _Tokens(tree.shop))
        server = HttpServer(app)
        port = await server.start("127.0.0.1", 0)
        yield Till(tree, provider, payments, f"http://127.0.0.1:{port}", client)
        await server.stop()


async def test_money_is_credited_once_when_the_provider_says_that_it_was_paid(till: Till) -> None:
    payment = await till.start()
    assert (payment.state, payment.pay_url) == (
        "waiting", f"https://pay.example.org/sb-{payment.id}",
    )  # fmt: skip
    assert till.provider.orders[str(payment.id)] == {
        "reference": str(payment.id), "amount": 50, "currency": "EUR",
        "callback_url": "https://calls.example.org/api/v1/payments/callback",
    }  # fmt: skip
    assert (await till.tree.wallet(till.tree.shop)).balance == 0
    # As often as it likes, at once and later, and even if it changes its mind.
    answers = await asyncio.gather(*(till.tell(payment.id) for _ in range(20)))
    assert set(answers) == {(200, "paid")}
    assert await till.tell(payment.id, "failed") == (200, "paid")
    assert await till.tree.balances() == {
        (till.tree.operator, "clearing"): -50,
        (till.tree.shop, "wallet"): 50,
    }
    paid = await till.get(payment.id)
    assert (paid.state, paid.pay_url) == ("paid", None)
    entry = await till.tree.db.fetchrow(
        "select e.class, e.source, t.kind, t.author from ledger_entries e"
        " join ledger_transactions t on t.id = e.transaction_id"
        " where t.id = $1 and e.class is not null",
        paid.transaction_id,
    )
    assert tuple(entry) == ("in", "manual", "top_up", "provider:sandbox")
    told = await till.tree.db.fetchval(
        "select count(*) from outbox where account_id = $1 and kind = 'funds.received'",
        till.tree.shop,
    )
    assert told == 1
    assert await till.tree.problems() == []


async def test_a_message_that_is_forged_or_old_is_refused(till: Till) -> None:
    payment = await till.start()
    refusal = (403, "bad_signature")
    now = time.time()
    assert await till.tell(payment.id, secret="another secret of 16") == refusal
    # Recorded, and sent again later: the time is signed, too.
    assert await till.tell(payment.id, at=now - 301) == refusal
    assert await till.tell(payment.id, at=now + 301) == refusal
    body, headers = till.provider.news(str(payment.id), "paid", **FIFTY)
    assert await till.send(body.replace("50", "5000"), headers) == refusal
    fresh = headers | {"Callctl-Timestamp": str(int(now) + 100)}
    assert await till.send(body, fresh) == refusal
    for name in headers:
        assert await till.send(body, {k: v for k, v in headers.items() if k != name}) == refusal
    assert await till.send(b"\xff" * 100, headers) == refusal
    assert (await till.send(b"x" * 70_000, headers)) == (413, "body_too_large")
    assert (await till.get(payment.id)).state == "waiting"
    assert await till.tree.balances() == {}


async def test_signed_news_of_something_else_than_was_asked_for_credits_nothing(till: Till) -> None:
    payment = await till.start()
    assert await till.tell(payment.id, amount=51) == (409, "conflict")
    assert await till.tell(payment.id, currency="HUF") == (409, "conflict")
    assert await till.tell(payment.id, payment="sb-other") == (409, "conflict")
    for reference in ("999999999", "x", "", "1e3", "9" * 40):
        assert await till.tell(reference) == (404, "not_found")
    assert await till.tell(payment.id, more=1) == (422, "invalid_field")
    assert await till.tell(payment.id, "refunded") == (422, "invalid_field")
    assert await till.tell(payment.id, payment="a\0b") == (422, "invalid_field")
    assert await till.tree.balances() == {}


async def test_what_failed_and_was_paid_after_all_is_credited(till: Till) -> None:
    payment = await till.start()
    assert await till.tell(payment.id, "failed") == (200, "failed")
    assert await till.tell(payment.id, "failed") == (200, "failed")
    assert (await till.tree.wallet(till.tree.shop)).balance == 0
    assert await till.tell(payment.id) == (200, "paid")
    assert (await till.tree.wallet(till.tree.shop)).balance == 50


@pytest.mark.parametrize("fault", ["500", "garbage", "long", "hang"])
async def test_what_was_lost_on_the_way_is_one_payment_when_it_is_asked_for_again(
    till: Till, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "hang":  # The others answer, however long a busy machine takes to.
        monkeypatch.setattr("callctl.features.payments.provider.TIMEOUT_SECONDS", 1.0)
    till.provider.fault = fault
    await refused(till.start(key="k"), "payment_provider_unavailable")
    (lost,) = (await till.payments.list_payments(who(till.tree.shop), PaymentFilters())).items
    assert (lost.state, lost.pay_url) == ("started", None)
    till.provider.fault = ""
    monkeypatch.undo()
    found = await till.start(key="k")
    assert (found.id, found.state) == (lost.id, "waiting")
    assert await till.start(key="k") == found
    assert till.provider.asked == 2
    await refused(till.start(51, key="k"), "idempotency_conflict")


async def test_a_payment_whose_answer_was_lost_is_credited_all_the_same(till: Till) -> None:
    till.provider.fault = "500"
    await refused(till.start(), "payment_provider_unavailable")
    (lost,) = (await till.payments.list_payments(who(till.tree.shop), PaymentFilters())).items
    assert await till.tell(lost.id) == (200, "paid")
    assert (await till.get(lost.id)).state == "paid"


@pytest.mark.parametrize("fault", ["400", "401", "redirect"])
async def test_a_provider_that_refuses_is_named(till: Till, fault: str) -> None:
    till.provider.fault = fault
    error = await refused(till.start(), "payment_refused")
    assert error.status == 502


async def test_without_a_provider_nobody_pays_and_nobody_calls_back(till: Till) -> None:
    till.payments.provider = NoProvider()
    await refused(till.start(), "payment_provider_unavailable")
    assert await till.tell(1) == (403, "bad_signature")
    till.payments.provider = SandboxProvider("http://127.0.0.1:1", SECRET)
    await refused(till.start(), "payment_provider_unavailable")


async def test_who_pays_is_somebody_below_and_in_their_currency(till: Till) -> None:
    operator = who(till.tree.operator)
    await refused(till.payments.start(operator, NewPayment(1, "EUR"), None), "conflict")
    shop = who(till.tree.shop)
    await refused(till.payments.start(shop, NewPayment(1, "HUF"), None), "currency_mismatch")
    payment = await till.start()
    await refused(till.payments.get(who(till.tree.bank), payment.id), "not_found")
    assert till.provider.asked == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x y", "", "ftp://x"])
def test_a_pay_url_is_one_that_a_browser_may_be_sent_to(url: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "a", "pay_url": url}, _Taken)


NEW = NewInvoiceRequest(500, "EUR", "Example Kft.", "HU12345678", "Budapest", "for May")


async def ask_for_invoice(tree: Tree, account: int) -> InvoiceRequestView:
    return await tree.invoices.request(who(account), NEW, None)


async def answer(
    tree: Tree,
    id_: int,
    state: Literal["invoiced", "paid", "declined"],
    number: str | None = None,
    seller: int | None = None,
) -> InvoiceRequestView:
    body = AnswerInvoiceRequest(state, number, "because" if state == "declined" else "")
    return await tree.invoices.answer(who(seller or tree.reseller), id_, body, None)


async def test_an_invoice_credits_the_money_when_it_was_paid_and_once(tree: Tree) -> None:
    await tree.fund(tree.reseller, 600)
    made = await ask_for_invoice(tree, tree.shop)
    assert (made.state, made.seller_id) == ("requested", tree.reseller)
    await refused(answer(tree, made.id, "paid"), "conflict")
    sent = await answer(tree, made.id, "invoiced", "2026-1")
    assert (sent.state, sent.invoice_number) == ("invoiced", "2026-1")
    assert (await tree.wallet(tree.shop)).balance == 0
    results = await asyncio.gather(
        *(answer(tree, made.id, "paid") for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(r, InvoiceRequestView) for r in results) == 1
    # A reseller gives of its own.
    assert (await tree.wallet(tree.shop)).balance == 500
    assert (await tree.wallet(tree.reseller)).balance == 100
    await refused(answer(tree, made.id, "declined"), "conflict")
    events = await tree.db.fetch(
        "select account_id, kind from outbox where kind like 'invoice.%'"
        " and account_id = any($1) order by id",
        [tree.shop, tree.reseller],
    )
    assert [tuple(e) for e in events] == [
        (tree.reseller, "invoice.requested"),
        (tree.shop, "invoice.changed"),
        (tree.shop, "invoice.changed"),
    ]
    assert await tree.problems() == []


async def test_the_operator_credits_from_outside_and_a_reseller_only_what_it_has(
    tree: Tree,
) -> None:
    made = await ask_for_invoice(tree, tree.reseller)
    await answer(tree, made.id, "invoiced", "1", tree.operator)
    await answer(tree, made.id, "paid", None, tree.operator)
    assert await tree.balances() == {
        (tree.operator, "issuance"): -500,
        (tree.reseller, "wallet"): 500,
    }
    for n in range(2):
        made = await ask_for_invoice(tree, tree.shop)
        await answer(tree, made.id, "invoiced", str(n))
        if n == 0:
            await answer(tree, made.id, "paid")
    await refused(answer(tree, made.id, "paid"), "insufficient_funds")
    page = await tree.invoices.list_own(who(tree.shop), InvoiceFilters(state="invoiced"))
    assert [r.id for r in page.items] == [made.id]


async def test_only_the_superior_answers_and_only_those_two_see_it(tree: Tree) -> None:
    made = await ask_for_invoice(tree, tree.shop)
    for account in (tree.shop, tree.bank, tree.operator):
        await refused(answer(tree, made.id, "declined", None, account), "not_found")
        page = await tree.invoices.list_to_answer(who(account), InvoiceFilters())
        assert page.items == []
    page = await tree.invoices.list_to_answer(who(tree.reseller), InvoiceFilters())
    assert [r.id for r in page.items] == [made.id]
    assert (await answer(tree, made.id, "declined")).reason == "because"
    await refused(tree.invoices.request(who(tree.operator), NEW, None), "conflict")


async def test_an_invoice_has_a_number_of_its_own(tree: Tree) -> None:
    first, second = [await ask_for_invoice(tree, tree.shop) for _ in range(2)]
    error = await refused(answer(tree, first.id, "invoiced"), "invalid_field")
    assert error.field == "body.invoice_number"
    await refused(answer(tree, first.id, "declined", "7"), "invalid_field")
    await answer(tree, first.id, "invoiced", "7")
    await refused(answer(tree, second.id, "invoiced", "7"), "already_exists")
    await answer(tree, second.id, "invoiced", "8")


async def test_a_request_sent_again_with_its_key_is_one(tree: Tree) -> None:
    shop = who(tree.shop)
    made = [await tree.invoices.request(shop, NEW, key_of(shop, "k", NEW)) for _ in range(3)]
    assert len({r.id for r in made}) == 1
