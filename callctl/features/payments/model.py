"""What the API takes and says of payments and invoice requests."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from callctl.core.money.currencies import MAX_AMOUNT

Amount = Annotated[int, Meta(ge=1, le=MAX_AMOUNT)]
Currency = Annotated[str, Meta(pattern="^([A-Z]{3}|COIN)$")]
Note = Annotated[str, Meta(max_length=500)]
Cursor = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$")]
Limit = Annotated[int, Meta(ge=1, le=500)]
PaymentStateName = Literal["started", "waiting", "paid", "failed"]
InvoiceStateName = Literal["requested", "invoiced", "paid", "declined"]


class NewPayment(Struct, frozen=True, forbid_unknown_fields=True):
    """`amount` in minor units of `currency`, which is the wallet's."""

    amount: Amount
    currency: Currency


class PaymentView(Struct, frozen=True):
    """A payment through a provider. `pay_url` is where the payer pays, while it is `waiting`;
    one that stays `started` was not taken by the provider, or its answer was lost.

    Only a `paid` one has moved money: `transaction_id` is that of the ledger.
    """

    id: int
    provider: str
    amount: int
    currency: str
    state: PaymentStateName
    pay_url: str | None
    created_by: str
    created_at: datetime
    changed_at: datetime
    transaction_id: int | None


class PaymentFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: PaymentStateName | None = None
    limit: Limit = 50
    cursor: Cursor | None = None


class CallbackTaken(Struct, frozen=True):
    """What the payment is now; the same however often the provider tells it."""

    reference: str
    state: PaymentStateName


class NewInvoiceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is to be invoiced for what; `amount` in minor units of `currency`, the wallet's."""

    amount: Amount
    currency: Currency
    legal_name: Annotated[str, Meta(min_length=1, max_length=200)]
    tax_number: Annotated[str, Meta(max_length=50)] = ""
    address: Annotated[str, Meta(max_length=500)] = ""
    note: Note = ""


class AnswerInvoiceRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """`invoiced` (with the `invoice_number`), then `paid`, which credits the money; or
    `declined`, with a `reason`."""

    state: Literal["invoiced", "paid", "declined"]
    invoice_number: Annotated[str, Meta(max_length=60)] | None = None
    reason: Note = ""


class InvoiceRequestView(Struct, frozen=True):
    """A legal entity's request. `account_id` asks, its direct superior `seller_id` answers."""

    id: int
    account_id: int
    seller_id: int
    amount: int
    currency: str
    legal_name: str
    tax_number: str
    address: str
    note: str
    state: InvoiceStateName
    invoice_number: str | None
    reason: str
    created_by: str
    created_at: datetime
    changed_at: datetime
    transaction_id: int | None


class InvoiceFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: InvoiceStateName | None = None
    limit: Limit = 50
    cursor: Cursor | None = None
