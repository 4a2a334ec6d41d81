"""What may become of transfers, payments and invoice requests: every row of the tables."""

from itertools import product

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.lines import checked_line
from callctl.core.money.movements import require_currency
from callctl.core.money.payments import (
    InvoiceState,
    PaymentState,
    payment_after_news,
    require_next_invoice_state,
)
from callctl.core.money.transfers import (
    TransferAct,
    TransferState,
    require_act,
    require_four_eyes,
    require_superior,
)


@pytest.mark.parametrize(("state", "act"), [*product(TransferState, TransferAct)])
def test_only_what_awaits_audit_is_audited_and_what_is_approved_stays(
    state: TransferState, act: TransferAct
) -> None:
    allowed = state is TransferState.AWAITING_AUDIT or (
        state is TransferState.REJECTED and act is TransferAct.DELETE
    )
    if allowed:
        require_act(state, act)
        return
    with pytest.raises(CallctlError) as caught:
        require_act(state, act)
    assert (caught.value.code, caught.value.status) == ("transfer_final", 409)


@pytest.mark.parametrize(("target", "superior"), [(7, 3), (1, 3), (3, None)])
def test_only_the_direct_superior_is_paid(target: int, superior: int | None) -> None:
    require_superior(3, 3)
    with pytest.raises(CallctlError) as caught:
        require_superior(target, superior)
    assert (caught.value.code, caught.value.field) == ("not_the_superior", "body.target")


@pytest.mark.parametrize(
    ("creator", "auditor", "same"),
    [
        (Author("anna", 1), Author("bert", 2), False),
        (Author("anna", 1), Author("anna", 1), True),
        (Author("anna", 1), Author("token:annas", None, 1), True),
        (Author("token:annas", None, 1), Author("anna renamed", 1), True),
        (Author("token:annas", None, 1), Author("token:berts", None, 2), False),
        (Author("token:till"), Author("anna", 1), False),
        (Author("anna", 1), Author("token:till"), False),
        (Author("token:till"), Author("token:till"), True),
        (Author("token:till"), Author("token:office"), False),
    ],
)
def test_whoever_made_it_never_audits_it(creator: Author, auditor: Author, same: bool) -> None:
    if not same:
        require_four_eyes(creator, auditor)
        return
    with pytest.raises(CallctlError) as caught:
        require_four_eyes(creator, auditor)
    assert (caught.value.code, caught.value.status) == ("own_transfer", 403)


@pytest.mark.parametrize(("state", "wanted"), [*product(InvoiceState, InvoiceState)])
def test_an_invoice_is_sent_before_it_is_paid(state: InvoiceState, wanted: InvoiceState) -> None:
    allowed = (state.value, wanted.value) in {
        ("requested", "invoiced"),
        ("requested", "declined"),
        ("invoiced", "paid"),
        ("invoiced", "declined"),
    }
    if allowed:
        require_next_invoice_state(state, wanted)
        return
    with pytest.raises(CallctlError) as caught:
        require_next_invoice_state(state, wanted)
    assert caught.value.code == "conflict"


def test_money_that_has_come_is_never_refused_and_never_taken_back_by_news() -> None:
    for state in PaymentState:
        assert payment_after_news(state, PaymentState.PAID) is PaymentState.PAID
    assert payment_after_news(PaymentState.PAID, PaymentState.FAILED) is PaymentState.PAID
    assert payment_after_news(PaymentState.WAITING, PaymentState.FAILED) is PaymentState.FAILED


def test_another_currency_is_refused_with_both() -> None:
    require_currency("EUR", "EUR")
    with pytest.raises(CallctlError) as caught:
        require_currency("HUF", "EUR")
    assert caught.value.code == "currency_mismatch"
    assert caught.value.detail == {"currency": "EUR", "given": "HUF"}


@pytest.mark.parametrize("text", ["a\nb", "a\x00", "a\u202eb", "\u2028"])
def test_a_line_has_no_second_one_and_nothing_unseen(text: str) -> None:
    assert checked_line("  größer, 更大 ", "body.note") == "größer, 更大"
    with pytest.raises(CallctlError) as caught:
        checked_line(text, "body.note")
    assert caught.value.field == "body.note"
