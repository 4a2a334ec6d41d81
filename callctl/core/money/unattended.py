"""How long calls that cost something may last while nobody counts: for the fallback dialplan.

It knows no balance and no price but those of the moment in which it was written, so the dearest
number of the account's tariff decides for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from callctl.core.money.guard import SHARE, SLACK_SECONDS, Purse
from callctl.core.money.rating import RateTable, cost_of
from callctl.core.money.tariffs import Tariffs

LONG_SECONDS = 300
SHORT_SECONDS = 60
"""What a call gets if half of what is free pays for so long to wherever it goes; else it is
refused."""

Dearest = tuple[int, int]
"""The most that a call of `LONG_SECONDS` and one of `SHORT_SECONDS` costs by a table."""


class UnattendedTalk:
    """Remembers the dearest of each table: tables never change."""

    def __init__(self) -> None:
        self._dearest: dict[int, Dearest] = {}

    def seconds(
        self,
        tariffs: Tariffs,
        lines: Mapping[int, Sequence[int]],
        purse: Callable[[int], Purse],
        free: Callable[[int], int | None],
        at: datetime,
    ) -> dict[int, int]:
        """Account → its longest talk, 0 = none; accounts that may talk as long as they like are
        left out. `lines`: each account and those above it."""
        found = {}
        for account_id, line in lines.items():
            talks = [
                self._talk(quote.table, free(quote.payer_id), purse(quote.payer_id))
                for quote in tariffs.prices_at(line, at)
            ]
            limits = [talk for talk in talks if talk is not None]
            if limits:
                found[account_id] = min(limits)
        return found

    def _talk(self, table: RateTable | None, free: int | None, purse: Purse) -> int | None:
        if free is None:
            return None
        if table is None:
            return 0 if purse.credit == 0 else None
        if table.version_id not in self._dearest:
            self._dearest[table.version_id] = _dearest(table)
        long, short = self._dearest[table.version_id]
        money = free // SHARE
        return LONG_SECONDS if money >= long else SHORT_SECONDS if money >= short else 0


def _dearest(table: RateTable) -> Dearest:
    rates = [rate for same in table.rates.values() for rate in same]
    long, short = (
        max((cost_of(rate, seconds + SLACK_SECONDS) for rate in rates), default=0)
        for seconds in (LONG_SECONDS, SHORT_SECONDS)
    )
    return long, short
