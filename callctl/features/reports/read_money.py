"""Reports on money: counted from what is paid for the parts of calls that went outside."""

from datetime import datetime
from typing import Any

from callctl.features.reports import queries
from callctl.features.reports.model import DestinationRow, MarginRow, Period
from callctl.features.reports.read import Reading, bounded, instant_of


async def destinations(reading: Reading, query: Period) -> tuple[list[DestinationRow], str | None]:
    rows = await reading.fetch(queries.DESTINATIONS, *_instants(reading, query))
    return [DestinationRow(**dict(row)) for row in rows], None


async def margins(reading: Reading, query: Period) -> tuple[list[MarginRow], str | None]:
    """Nothing for whoever sees a part of the account's calls only."""
    if reading.scope.extensions is not None:
        return [], None
    account = reading.scope.account_id
    rows = await reading.db.fetch(queries.MARGINS, account, *_instants(reading, query))
    return [_margin(dict(row)) for row in rows], None


def _margin(row: dict[str, Any]) -> MarginRow:
    comparable = row.pop("comparable")
    return MarginRow(**row, margin=row["revenue"] - row["cost"] if comparable else None)


def _instants(reading: Reading, query: Period) -> tuple[datetime | None, datetime | None]:
    counted = bounded(reading, query)
    return instant_of(counted.since, reading.zone), instant_of(counted.until, reading.zone)
