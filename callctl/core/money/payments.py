"""Money from outside: payments through a provider, invoices to legal entities (R002-11)."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from callctl.core.errors import CallctlError


class PaymentState(StrEnum):
    """STARTED: the provider was not asked yet, or has not answered. WAITING: the payer pays."""

    STARTED = "started"
    WAITING = "waiting"
    PAID = "paid"
    FAILED = "failed"


def payment_after_news(state: PaymentState, news: PaymentState) -> PaymentState:
    """What a payment is when its provider says that it was paid or failed.

    Paid stays paid. What failed may be paid after all: money that has come is never refused.
    """
    return PaymentState.PAID if state is PaymentState.PAID else news


class InvoiceState(StrEnum):
    """Where an invoice request is: only a paid one has moved money."""

    REQUESTED = "requested"
    INVOICED = "invoiced"
    PAID = "paid"
    DECLINED = "declined"


_NEXT: Mapping[InvoiceState, frozenset[InvoiceState]] = MappingProxyType(
    {
        InvoiceState.REQUESTED: frozenset({InvoiceState.INVOICED, InvoiceState.DECLINED}),
        InvoiceState.INVOICED: frozenset({InvoiceState.PAID, InvoiceState.DECLINED}),
        InvoiceState.PAID: frozenset(),
        InvoiceState.DECLINED: frozenset(),
    }
)


def require_next_invoice_state(state: InvoiceState, wanted: InvoiceState) -> None:
    """Raises CallctlError("conflict")."""
    if wanted not in _NEXT[state]:
        raise CallctlError(
            "conflict",
            f"an invoice request that is {state.value} cannot become {wanted.value}",
            detail={"state": state.value},
        )
