"""The form above the call history, and what it asks of the service."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from callctl.features.calls.model import CallFilters, DirectionName, DispositionName

PAGE_SIZE = 50


class HistoryForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields as a browser sends them. Both days count; either may be missing (R000-09)."""

    first_day: date | None = None
    last_day: date | None = None
    direction: DirectionName | None = None
    outcome: DispositionName | Literal["MISSED"] | None = None
    extension: Annotated[str, Meta(max_length=40)] | None = None
    number: Annotated[str, Meta(max_length=40)] | None = None
    recorded: Literal["yes"] | None = None
    client: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    cursor: Annotated[str, Meta(max_length=200)] | None = None

    def fields(self) -> dict[str, str]:
        """Those that are set, without the cursor, for links and for the form."""
        values = {name: getattr(self, name) for name in self.__struct_fields__ if name != "cursor"}
        return {name: str(value) for name, value in values.items() if value is not None}

    def filters(self, zone: ZoneInfo) -> CallFilters:
        """Days are whole days of `zone`."""
        missed = self.outcome == "MISSED"
        return CallFilters(
            since=_midnight(self.first_day, zone),
            until=_midnight(_next_day(self.last_day), zone),
            direction=self.direction,
            disposition=None if missed else self.outcome,  # type: ignore[arg-type]
            missed=True if missed else None,
            extension=self.extension,
            number=self.number,
            client=self.client,
            has_recording=True if self.recorded else None,
            limit=PAGE_SIZE,
            cursor=self.cursor,
        )


def _next_day(day: date | None) -> date | None:
    return None if day is None or day == date.max else day + timedelta(days=1)


def _midnight(day: date | None, zone: ZoneInfo) -> datetime | None:
    """The day's beginning; at the calendar's ends, which have none in UTC, the end itself."""
    if day is None:
        return None
    try:
        return datetime.combine(day, time.min, zone).astimezone(UTC)
    except OverflowError:
        end = time.min if day.year == 1 else time.max
        return datetime.combine(day, end, UTC)
