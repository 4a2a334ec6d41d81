"""The form above the call history, and what it asks of the service."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct
from msgspec.structs import replace

from callctl.core.errors import CallctlError
from callctl.features.calls.model import CallFilters, DirectionName, DispositionName

PAGE_SIZE = 50


ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$")]
Id = Annotated[int, Meta(ge=1, le=2**63 - 1)]


class HistoryForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The fields as a browser sends them. Both days count; either may be missing (R000-09).

    `saved` is the id of saved filters to begin with; what the form says otherwise goes before them.
    `after`: the day with which the page before ended, whose heading is there already.
    """

    first_day: date | None = None
    last_day: date | None = None
    first_time: ClockTime | None = None
    last_time: ClockTime | None = None
    direction: DirectionName | None = None
    outcome: DispositionName | Literal["MISSED"] | None = None
    extension: Annotated[str, Meta(max_length=40)] | None = None
    number: Annotated[str, Meta(max_length=40)] | None = None
    recorded: Literal["yes"] | None = None
    too_long: Literal["yes"] | None = None
    client: Id | None = None
    group: Id | None = None
    sort: Literal["started_at"] | None = None
    saved: Id | None = None
    cursor: Annotated[str, Meta(max_length=200)] | None = None
    after: date | None = None

    def fields(self) -> dict[str, str]:
        """Those that are set, without the cursor, for links and for the form."""
        names = (name for name in self.__struct_fields__ if name not in ("cursor", "after"))
        values = {name: getattr(self, name) for name in names}
        return {name: str(value) for name, value in values.items() if value is not None}

    def turned(self) -> "HistoryForm":
        """The same, from the other end."""
        return replace(self, sort=None if self.sort else "started_at", cursor=None, after=None)

    def filters(self, zone: ZoneInfo, saved: CallFilters) -> CallFilters:
        """Days are whole days of `zone`, times are times of its days."""
        missed = self.outcome == "MISSED"
        given = {
            "since": _midnight(self.first_day, zone),
            "until": _midnight(_next_day(self.last_day), zone),
            "time_since": self.first_time and time.fromisoformat(self.first_time),
            "time_until": self.last_time and time.fromisoformat(self.last_time),
            "direction": self.direction,
            "disposition": None if missed else self.outcome,
            "missed": True if missed else None,
            "extension": self.extension,
            "number": self.number,
            "client": self.client,
            "group": self.group,
            "has_recording": True if self.recorded else None,
            "too_long": True if self.too_long else None,
            "sort": self.sort,
        }
        given = {name: value for name, value in given.items() if value is not None}
        return replace(saved, **given, limit=PAGE_SIZE, cursor=self.cursor)


def day_bounds(
    first: str | None, last: str | None, zone: ZoneInfo
) -> tuple[str | None, str | None]:
    """Both days count, as in the form above; instants as the API's queries have them.

    Raises CallctlError("invalid_field").
    """
    since = _midnight(_day(first, "first_day"), zone)
    until = _midnight(_next_day(_day(last, "last_day")), zone)
    return since.isoformat() if since else None, until.isoformat() if until else None


def _day(text: str | None, field: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CallctlError("invalid_field", "is no day", field=f"form.{field}") from None


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
