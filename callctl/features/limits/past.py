"""Calls that are over, as charges: from their records, for what was not counted while it lasted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from callctl.core.calls.record import CallRecord
from callctl.core.routing.encoding import decode_why
from callctl.core.routing.model import AccountIndex, RoutingTable
from callctl.core.routing.plan import Direction, Reason, is_emergency_route
from callctl.features.limits.counts import Charge, charge
from callctl.numbers import classify_dialled

_WHOLE_NUMBER_DIGITS = 8


@dataclass(frozen=True, slots=True)
class PastCall:
    """What counts of a record: the first number that it dialled outside, and by which endpoint.

    Times are epoch seconds; `talk` None = nobody talked. `cost`: the account's, in minor units.
    """

    call_id: str
    account_id: int
    direction: str
    extension: str | None
    to_number: str | None
    why: tuple[Reason, ...]
    began: float
    talk: tuple[float, float] | None
    number: str
    endpoint: str | None
    cost: int = 0


def past_of(
    record: CallRecord, account_id: int, to_number: str | None, cost: int = 0
) -> PastCall | None:
    """None for a call that dialled nothing outside, and for one to an emergency number."""
    dialled = next((a for a in record.attempts if a.number is not None), None)
    if dialled is None or is_emergency_route(record.route):
        return None
    return PastCall(
        call_id=record.call_id,
        account_id=account_id,
        direction=record.direction.value,
        extension=record.extension,
        to_number=to_number,
        why=record.why,
        began=record.started_us / 1_000_000,
        talk=talk_of(record),
        number=dialled.number or "",
        endpoint=dialled.endpoint,
        cost=cost,
    )


def talk_of(record: CallRecord) -> tuple[float, float] | None:
    if record.answered_us is None:
        return None
    return record.answered_us / 1_000_000, record.ended_us / 1_000_000


def charge_past(past: PastCall, table: RoutingTable) -> Charge | None:
    """Whom the call counts for; None when its account is gone.

    A call that somebody moved outside (transfer) counts for the account alone: its record does
    not say whose doing that was.
    """
    index = table.accounts.get(past.account_id)
    if index is None:
        return None
    outbound = past.direction == Direction.OUTBOUND
    text = past.to_number if outbound and past.to_number else _as_written(past, table)
    outside = classify_dialled(index.account.country, text)
    extension = past.extension if outbound else _forwarder(past.why)
    return charge(index, extension, outside)


def charge_running(index: AccountIndex, extension: str | None, dialled: str) -> Charge:
    """A call that Asterisk has and nobody has counted (the fallback let it out)."""
    return charge(index, extension, classify_dialled(index.account.country, dialled))


def _as_written(past: PastCall, table: RoutingTable) -> str:
    """The number in a form that can be read: some trunks want E.164 without its plus."""
    owner = table.endpoints.get((past.endpoint or "").partition("/")[2])
    if owner is None or past.number.startswith("+") or len(past.number) < _WHOLE_NUMBER_DIGITS:
        return past.number
    trunk = table.accounts[owner[0]].trunks.get(owner[2])
    bare = trunk is not None and trunk.number_format == "digits"
    return f"+{past.number}" if bare else past.number


def _forwarder(why: Iterable[Reason]) -> str | None:
    for reason in why:
        if reason.code.startswith("forward_") and "number:" in reason.detail:
            return reason.subject
    return None


def past_of_row(row: Any) -> PastCall:
    """A row of `store.RECENT_CALLS` or `store.PAID_CALLS`."""
    answered, ended = row["answered_at"], row["ended_at"]
    return PastCall(
        call_id=row["call_id"],
        account_id=row["account_id"],
        direction=row["direction"],
        extension=row["extension"],
        to_number=row["to_number"],
        why=decode_why(row["why"]),
        began=row["started_at"].timestamp(),
        talk=(answered.timestamp(), ended.timestamp()) if answered else None,
        number=row["number"],
        endpoint=row["endpoint"],
    )
