"""Whose call it was, and its numbers in E.164: what a record needs from the routing table."""

from dataclasses import dataclass

from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import CallRecord
from callctl.core.routing.model import Account, RoutingTable
from callctl.core.routing.plan import Direction
from callctl.numbers import normalise


def inventory_of(table: RoutingTable) -> Inventory:
    """The journal's inventory as the routing table has it."""
    trunks = [e for e, (_, kind, _) in table.endpoints.items() if kind == "trunk"]
    extensions = {
        f"PJSIP/{e}": key for e, (_, kind, key) in table.endpoints.items() if kind == "extension"
    }
    return Inventory(frozenset(f"PJSIP/{t}" for t in trunks), extensions)


@dataclass(frozen=True, slots=True)
class Attribution:
    """The account that a call belongs to, and its parties' numbers as they are stored."""

    account_id: int
    from_number: str | None
    to_number: str | None
    destination_number: str | None


def attribute(record: CallRecord, table: RoutingTable, default_account_id: int) -> Attribution:
    """By callctl's own row where there is one, else by the caller's endpoint, else the default."""
    account = _account(record, table)
    country = account.country if account else "ZZ"
    account_id = account.id if account else default_account_id
    outside_from = record.direction is Direction.INBOUND
    outside_to = record.direction is not Direction.INTERNAL
    return Attribution(
        account_id,
        stored_number(record.from_number, country, outside_from),
        stored_number(record.to_number, country, outside_to),
        stored_number(record.destination_number, country, outside_to),
    )


def _account(record: CallRecord, table: RoutingTable) -> Account | None:
    if record.account_id is not None and record.account_id in table.accounts:
        return table.accounts[record.account_id].account
    for leg in record.legs:
        owner = table.endpoints.get((leg.endpoint or "").partition("/")[2])
        if owner is not None and owner[0] in table.accounts:
            return table.accounts[owner[0]].account
    return None


def stored_number(number: str | None, country: str, outside: bool) -> str | None:
    """E.164 where it is an outside number, else as it was dialled."""
    if number is None or not outside:
        return number
    return normalise(number, country) or number
