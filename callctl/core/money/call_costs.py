"""What a call costs everybody who pays for it: a pure function of its record and the tariffs.

Paid for is each part of a call that left by a trunk and was answered, a forward or a transfer to
the outside like a call that was dialled; and what came in on an own number, where a tariff has a
rate for that. Internal calls have no such part; emergency calls are free of charge whatever any
tariff says.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from callctl.core.calls.record import CallRecord, Leg
from callctl.core.money.rating import whole_seconds
from callctl.core.money.tariffs import EMERGENCY, Quote, Side, Tariffs, Trunk, price
from callctl.core.routing.plan import Direction, is_emergency_route

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Endpoints = Mapping[str, tuple[int, str, str]]
"""Endpoint → (account id, "extension" | "trunk", key), as the routing table has it."""


@dataclass(frozen=True, slots=True)
class OutsidePart:
    """A part of a call that went by a trunk and was answered. `number` as it was dialled there;
    `incoming`: the own number on which it came in."""

    leg: int
    number: str
    trunk: Trunk
    answered_at: datetime
    seconds: int
    incoming: bool = False


@dataclass(frozen=True, slots=True)
class PartCost:
    """What one account pays for one part. `amount` None: `reason` says why. Amounts are minor
    units of `currency`."""

    side: Side
    payer_id: int
    leg: int
    number: str
    answered_at: datetime
    version_id: int
    currency: str
    prefix: str | None
    with_hours: bool
    destination: str
    talk_seconds: int
    billed_seconds: int
    amount: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class CallCost:
    """What a call costs its own account: to its seller, or, where it has none, to its carrier.

    `amount` is the sum of the parts that have one, None if none has; `reason` says why one has not
    (`NoAmount`), or that the call is free (`EMERGENCY`).
    """

    amount: int | None = None
    currency: str | None = None
    reason: str | None = None


NO_COST = CallCost()


def outside_parts(record: CallRecord, endpoints: Endpoints) -> list[OutsidePart]:
    """In the order of the call's legs."""
    called = {(a.endpoint, a.number) for a in record.attempts if a.number is not None}
    parts = []
    for position, leg in enumerate(record.legs):
        trunk = endpoints.get((leg.endpoint or "").partition("/")[2])
        if trunk is None or trunk[1] != "trunk" or leg.answered_us is None:
            continue
        incoming = _is_caller(record, leg)
        number = record.did if incoming else leg.number
        if number is None or not (incoming or (leg.endpoint, leg.number) in called):
            continue
        ended_us = record.ended_us if leg.ended_us is None else leg.ended_us
        seconds = whole_seconds(max(0, ended_us - leg.answered_us))
        at = _EPOCH + timedelta(microseconds=leg.answered_us)
        way = (trunk[0], trunk[2])
        parts.append(OutsidePart(position, number, way, at, seconds, incoming))
    return parts


def _is_caller(record: CallRecord, leg: Leg) -> bool:
    return record.direction is Direction.INBOUND and leg.uniqueid == record.call_id


def is_emergency(record: CallRecord) -> bool:
    return is_emergency_route(record.route)


def quotes_of(tariffs: Tariffs, line: Sequence[int], part: OutsidePart) -> list[Quote]:
    """By which versions a part of a call is paid, by whom. `line`: the call's account and those
    above it (`line_of`)."""
    at = part.answered_at
    return [*tariffs.prices_at(line, at), *tariffs.carriers_at(part.trunk, at)]


def cost_parts(
    tariffs: Tariffs,
    line: Sequence[int],
    parts: Iterable[OutsidePart],
    e164_of: Callable[[OutsidePart], str | None],
) -> list[PartCost]:
    """What everybody pays for `parts`. Every version must be in memory (`quotes_of`)."""
    costs = [
        _cost(quote, part, part.number if part.incoming else e164_of(part))
        for part in parts
        for quote in quotes_of(tariffs, line, part)
    ]
    return [cost for cost in costs if cost is not None]


def _cost(quote: Quote, part: OutsidePart, e164: str | None) -> PartCost | None:
    """None: it came in, and that is free."""
    if quote.table is None:
        raise LookupError(f"version {quote.version_id} of a tariff is not in memory")
    priced = price(quote.table, e164, part.answered_at, part.seconds, incoming=part.incoming)
    rate = priced.rate
    if part.incoming and rate is None:
        return None
    return PartCost(
        side=quote.side,
        payer_id=quote.payer_id,
        leg=part.leg,
        number=e164 or part.number,
        answered_at=part.answered_at,
        version_id=quote.version_id,
        currency=quote.table.currency,
        prefix=rate.prefix if rate else None,
        with_hours=bool(rate and rate.hours),
        destination=rate.destination if rate else "",
        talk_seconds=part.seconds,
        billed_seconds=priced.bill.billed_seconds,
        amount=priced.amount,
        reason=priced.reason,
    )


def own_cost(costs: Sequence[PartCost], account_id: int, *, emergency: bool = False) -> CallCost:
    """Of `costs` what the call's own account pays."""
    mine = [c for c in costs if c.payer_id == account_id]
    side = Side.PRICE if any(c.side is Side.PRICE for c in mine) else Side.CARRIER
    mine = [c for c in mine if c.side is side]
    if not mine:
        return NO_COST
    if emergency:
        return CallCost(0, mine[0].currency, EMERGENCY)
    amounts = [c.amount for c in mine if c.amount is not None]
    reason = next((c.reason for c in mine if c.reason is not None), None)
    return CallCost(sum(amounts) if amounts else None, mine[0].currency, reason)


def charges_of(costs: Iterable[PartCost]) -> dict[tuple[int, int], int]:
    """(payer, version) → what is to be posted: prices only, since carriers have no wallet here."""
    sums: dict[tuple[int, int], int] = {}
    for cost in costs:
        if cost.side is Side.PRICE and cost.amount:
            key = (cost.payer_id, cost.version_id)
            sums[key] = sums.get(key, 0) + cost.amount
    return sums
