"""Money between accounts, as postings: issued downwards, topped up from outside, paid upwards.

In every one a person acts: the gain is In and manual, the loss Out and manual (R000-11, R000-12).
"""

from callctl.core.errors import CallctlError
from callctl.core.money.postings import BookKey, BookKind, EntryClass, Line, Posting, Source


def issue_posting(
    giver_id: int,
    account_id: int,
    amount: int,
    currency: str,
    *,
    reference: str,
    kind: str = "issue",
    note: str = "",
    once: str | None = None,
) -> Posting:
    """From the wallet of a superior into that of an account directly below it."""
    lines = (
        Line(BookKey(giver_id), -amount, EntryClass.OUT, Source.MANUAL),
        Line(BookKey(account_id), amount, EntryClass.IN, Source.MANUAL),
    )
    return Posting(account_id, currency, kind, reference, lines, note, once)


def top_up_posting(
    operator_id: int,
    account_id: int,
    amount: int,
    currency: str,
    *,
    reference: str,
    source: BookKind = BookKind.ISSUANCE,
    note: str = "",
    once: str | None = None,
) -> Posting:
    """From outside, by a contra book of the operator: ISSUANCE for money that it took by hand,
    CLEARING for what a payment provider owes it."""
    lines = (
        Line(BookKey(operator_id, source), -amount),
        Line(BookKey(account_id), amount, EntryClass.IN, Source.MANUAL),
    )
    return Posting(account_id, currency, "top_up", reference, lines, note, once)


def transfer_posting(
    account_id: int,
    target_id: int,
    amount: int,
    currency: str,
    *,
    reference: str,
    hold_id: int,
    note: str = "",
) -> Posting:
    """From the wallet of an account into that of its superior; the hold's money is what is paid."""
    lines = (
        Line(BookKey(account_id), -amount, EntryClass.OUT, Source.MANUAL),
        Line(BookKey(target_id), amount, EntryClass.IN, Source.MANUAL),
    )
    return Posting(
        account_id, currency, "transfer", reference, lines, note, once=reference, uses_hold=hold_id
    )


def require_currency(given: str, wallet_currency: str, field: str = "body.currency") -> None:
    """Raises CallctlError("currency_mismatch") for money of another currency than the wallet's."""
    if given != wallet_currency:
        message = f"the wallet is in {wallet_currency}, not in {given}"
        raise CallctlError(
            "currency_mismatch", message, field, {"currency": wallet_currency, "given": given}
        )
