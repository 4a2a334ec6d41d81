"""``/api/v1/payments``, ``/api/v1/invoice-requests``, ``/api/v1/invoicing``."""

from callctl.core.permissions import Scope
from callctl.features.payments.invoices import InvoiceService
from callctl.features.payments.model import (
    AnswerInvoiceRequest,
    CallbackTaken,
    InvoiceFilters,
    InvoiceRequestView,
    NewInvoiceRequest,
    NewPayment,
    PaymentFilters,
    PaymentView,
)
from callctl.features.payments.service import CALLBACK_PATH, PaymentService
from callctl.http.decode import path_id, read_body
from callctl.http.endpoint import ApiCall, Endpoint, Page

_TAG = "money"
_PAYMENTS, _REQUESTS = "/api/v1/payments", "/api/v1/invoice-requests"
_INVOICING = "/api/v1/invoicing"
_MOST_CALLBACK_BYTES = 64 * 1024
_NEW_REQUEST = NewInvoiceRequest(
    5000_00, "EUR", "Example Kft.", "HU12345678", "1011 Budapest, Fő utca 1."
)


def endpoints(payments: PaymentService, invoices: InvoiceService) -> list[Endpoint]:
    return [*_payment_endpoints(payments), *_invoice_endpoints(invoices)]


def _payment_endpoints(payments: PaymentService) -> list[Endpoint]:
    async def list_payments(call: ApiCall) -> object:
        return await payments.list_payments(call.actor, call.query)

    async def get(call: ApiCall) -> object:
        return await payments.get(call.actor, path_id(call.path))

    async def start(call: ApiCall) -> object:
        return await payments.start(call.actor, call.body, call.request_key)

    async def callback(call: ApiCall) -> object:
        body = await read_body(call.raw, _MOST_CALLBACK_BYTES)
        return await payments.take_news(payments.provider.read_callback(call.headers, body))

    return [
        Endpoint(
            "GET", _PAYMENTS, "The account's payments, the newest first", _TAG, Scope.LEDGER_READ,
            list_payments, Page[PaymentView], query=PaymentFilters,
        ),
        Endpoint(
            "GET", f"{_PAYMENTS}/{{id}}", "One payment", _TAG, Scope.LEDGER_READ, get, PaymentView
        ),
        Endpoint(
            "POST", _PAYMENTS, "Begin to pay through the provider", _TAG, Scope.PAYMENTS_WRITE,
            start, PaymentView, body=NewPayment, body_example=NewPayment(50_00, "EUR"), status=201,
            idempotent=True,
            errors=(
                "currency_mismatch", "conflict", "payment_provider_unavailable", "payment_refused",
            ),
        ),
        Endpoint(
            "POST", CALLBACK_PATH, "What the payment provider says; signed by it", _TAG, None,
            callback, CallbackTaken,
            errors=(
                "bad_signature", "body_too_large", "request_timeout", "not_found", "conflict",
                "database_unavailable",
            ),
        ),
    ]  # fmt: skip


def _invoice_endpoints(invoices: InvoiceService) -> list[Endpoint]:
    async def list_own(call: ApiCall) -> object:
        return await invoices.list_own(call.actor, call.query)

    async def request(call: ApiCall) -> object:
        return await invoices.request(call.actor, call.body, call.request_key)

    async def list_to_answer(call: ApiCall) -> object:
        return await invoices.list_to_answer(call.actor, call.query)

    async def answer(call: ApiCall) -> object:
        return await invoices.answer(call.actor, path_id(call.path), call.body, call.request_key)

    return [
        Endpoint(
            "GET", _REQUESTS, "The account's invoice requests, the newest first", _TAG,
            Scope.LEDGER_READ, list_own, Page[InvoiceRequestView], query=InvoiceFilters,
        ),
        Endpoint(
            "POST", _REQUESTS, "Ask the superior for an invoice, as a legal entity", _TAG,
            Scope.PAYMENTS_WRITE, request, InvoiceRequestView, body=NewInvoiceRequest,
            body_example=_NEW_REQUEST, status=201, idempotent=True,
            errors=("currency_mismatch", "conflict"),
        ),
        Endpoint(
            "GET", _INVOICING, "Invoice requests of accounts directly below, the newest first",
            _TAG, Scope.INVOICES_WRITE, list_to_answer, Page[InvoiceRequestView],
            query=InvoiceFilters,
        ),
        Endpoint(
            "PATCH", f"{_INVOICING}/{{id}}", "Invoice it, decline it, or credit what was paid",
            _TAG, Scope.INVOICES_WRITE, answer, InvoiceRequestView, body=AnswerInvoiceRequest,
            body_example=AnswerInvoiceRequest("invoiced", "2026-0118"), idempotent=True,
            errors=("conflict", "already_exists", "currency_mismatch", "insufficient_funds"),
        ),
    ]  # fmt: skip
