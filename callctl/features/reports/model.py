"""What reports take and give: one declaration for JSON, OpenAPI, exports and docs/reports.md."""

from datetime import date, datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from callctl.core.periods import DashboardPeriod

T = TypeVar("T")

DirectionName = Literal["inbound", "outbound", "internal"]
PeriodName = Literal["day", "week", "month", "quarter", "year"]
WeekStart = Literal["monday", "sunday", "saturday"]
RankedName = Literal["extension", "did", "hunt_group"]
Cursor = Annotated[str, Meta(max_length=200, description="`next` of the page before.")]
Limit = Annotated[int, Meta(ge=1, le=500, description="Rows of a page.")]
Extension = Annotated[str, Meta(min_length=1, max_length=40)]
Note = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]

OneNumber = Annotated[
    str, Meta(min_length=1, max_length=40, description="One number (DID); else all of them.")
]

Number = Annotated[
    str,
    Meta(description="The customer's number, in E.164 where it has one; of several the first."),
]
NumberId = Annotated[int, Meta(description="The number's id.")]
ClientName = Annotated[str | None, Meta(description="The client whose number it is, if known.")]
Calls = Annotated[int, Meta(description="Calls.")]
Answered = Annotated[int, Meta(description="Calls in which the caller reached a person.")]
Missed = Annotated[
    int, Meta(description="Inbound calls that nobody answered and no rule had refused.")
]
Talk = Annotated[float, Meta(description="Seconds from answer to end, summed.")]
Wait = Annotated[float, Meta(description="Seconds from start to answer, or to the end, summed.")]
Cost = Annotated[
    int, Meta(description="What the calls cost the account, in minor units of its currency.")
]
Rate = Annotated[float | None, Meta(description="Share of 0 to 1; null where nothing is counted.")]


class Period(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Days in the account's zone, `[since, until)`; either end may be missing."""

    since: Annotated[date, Meta(description="First day, in the account's zone.")] | None = None
    until: Annotated[date, Meta(description="The day after the last one.")] | None = None


class Paged(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period, read page by page."""

    limit: Limit = 50
    cursor: Cursor | None = None


class DirectedPeriod(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period, and calls of one direction only."""

    direction: DirectionName | None = None


class CallsByPeriodQuery(DirectedPeriod, frozen=True, forbid_unknown_fields=True, kw_only=True):
    period: Annotated[PeriodName, Meta(description="What one row stands for.")] = "day"
    week_start: Annotated[
        WeekStart, Meta(description="First day of a week; Monday is ISO 8601's.")
    ] = "monday"


class NumbersQuery(DirectedPeriod, frozen=True, forbid_unknown_fields=True, kw_only=True):
    did: OneNumber | None = None


class RankingQuery(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    of: Annotated[RankedName, Meta(description="What is ranked.")] = "extension"
    by: Annotated[Literal["cost", "effectiveness", "talk_time"], Meta(description="By what.")] = (
        "cost"
    )
    did: OneNumber | None = None


class CallbackQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    state: Annotated[
        Literal["waiting", "overdue"] | None, Meta(description="Only callbacks in this state.")
    ] = None
    owner: (
        Annotated[
            str, Meta(min_length=1, max_length=40, description="Only those given to an extension.")
        ]
        | None
    ) = None
    limit: Limit = 50
    cursor: Cursor | None = None


class CallsByPeriodRow(Struct, frozen=True):
    starts_on: Annotated[date, Meta(description="First day of the period, in the account's zone.")]
    direction: DirectionName
    calls: Calls
    answered: Answered
    cancelled: Annotated[int, Meta(description="Calls that the caller gave up.")]
    no_answer: Annotated[int, Meta(description="Calls that rang without an answer.")]
    busy: Annotated[int, Meta(description="Calls that met a busy party.")]
    rejected: Annotated[int, Meta(description="Calls declined, or refused by a rule.")]
    failed: Annotated[int, Meta(description="Calls that could not be put through.")]
    unknown: Annotated[int, Meta(description="Calls whose outcome the PBX could not tell.")]
    missed: Missed
    talk_seconds: Talk
    wait_seconds: Wait
    cost: Cost


class EmployeeShareRow(Struct, frozen=True):
    extension: Annotated[str, Meta(description="The extension.")]
    calls: Annotated[int, Meta(description="Calls it had a part in, once each.")]
    placed: Annotated[int, Meta(description="Calls it placed.")]
    answered: Annotated[int, Meta(description="Calls it answered.")]
    talk_seconds: Annotated[float, Meta(description="Talk of calls it placed or answered.")]
    cost: Annotated[int, Meta(description="What the calls cost that it placed.")]
    share: Annotated[
        Rate, Meta(description="Its calls among the sum of this column: 0 to 1, null without any.")
    ]


class AnsweredMissedRow(Struct, frozen=True):
    kind: Annotated[
        Literal["extension", "hunt_group"], Meta(description="What the row counts for.")
    ]
    name: Annotated[str, Meta(description="The extension, or the hunt group.")]
    answered: Annotated[int, Meta(description="Calls answered.")]
    missed: Annotated[
        int,
        Meta(description="An extension's rings without answer; a hunt group's missed calls."),
    ]
    refused: Annotated[int | None, Meta(description="Rings that met busy or were declined.")] = None
    elsewhere: Annotated[int | None, Meta(description="Rings that another one took.")] = None
    unreachable: Annotated[
        int | None, Meta(description="Attempts at a phone that was not there.")
    ] = None


class ClientShareRow(Struct, frozen=True):
    number_id: NumberId
    number: Number
    client: ClientName
    calls: Calls
    answered: Answered
    missed: Missed
    talk_seconds: Talk
    cost: Cost


class ContactRow(Struct, frozen=True):
    number_id: NumberId
    number: Number
    client: ClientName
    at: Annotated[datetime, Meta(description="When that call began.")]
    call: Annotated[int, Meta(description="The call's id.")]
    direction: DirectionName
    disposition: Annotated[str, Meta(description="How that call ended.")]
    extension: Annotated[
        str | None, Meta(description="Who answered it, or placed it; null when nobody did.")
    ]


class CallbackRow(Struct, frozen=True):
    number_id: NumberId
    number: Number
    client: ClientName
    owed_since: Annotated[datetime, Meta(description="Start of the first missed call of these.")]
    missed_at: Annotated[datetime, Meta(description="Start of the last one.")]
    missed_calls: Annotated[int, Meta(description="Missed calls since the last conversation.")]
    owner: Annotated[
        str | None,
        Meta(
            description="The extension responsible: given by hand, else who talked to the customer "
            "last, else who was rung first."
        ),
    ]
    due_at: Annotated[
        datetime, Meta(description="When it should be done: `owed_since` and `callback_minutes`.")
    ]
    state: Annotated[
        Literal["waiting", "overdue"], Meta(description="Whether its time has passed.")
    ]


class NumberRow(Struct, frozen=True):
    did: Annotated[str, Meta(description="The number that callers dialled.")]
    calls: Calls
    answered: Answered
    missed: Missed
    answer_rate: Rate
    talk_seconds: Talk
    wait_seconds: Wait
    cost: Cost


class RankingRow(Struct, frozen=True):
    rank: Annotated[int, Meta(description="From 1; equals share a rank.")]
    name: Annotated[str, Meta(description="The extension, number or hunt group.")]
    offered: Annotated[int, Meta(description="What the rate is a share of.")]
    answered: Annotated[int, Meta(description="Answered ones among them.")]
    effectiveness: Rate
    talk_seconds: Talk
    cost: Annotated[int, Meta(description="Of an extension: of the calls that it placed.")]


class DestinationRow(Struct, frozen=True):
    destination: Annotated[str, Meta(description="The destination, as the tariff names it.")]
    prefix: Annotated[
        str | None, Meta(description="First digits of its numbers; null: the tariff has no rate.")
    ]
    reason: Annotated[str | None, Meta(description="Why there is no amount.")]
    currency: Annotated[str, Meta(description="The tariff's.")]
    calls: Annotated[int, Meta(description="Calls with a part that went there.")]
    talk_seconds: Annotated[int, Meta(description="Talk of those parts, in seconds begun.")]
    billed_seconds: Annotated[int, Meta(description="Seconds that were charged.")]
    cost: Annotated[int, Meta(description="Minor units.")]


class MarginRow(Struct, frozen=True):
    account_id: Annotated[int, Meta(description="An account directly below, which pays.")]
    account: Annotated[str, Meta(description="Its code.")]
    currency: Annotated[str, Meta(description="What it pays in.")]
    calls: Annotated[int, Meta(description="Calls with a part that went outside.")]
    unrated: Annotated[int, Meta(description="Parts of them that have no price, or no cost.")]
    revenue: Annotated[int, Meta(description="What it pays for them, in minor units.")]
    cost: Annotated[int, Meta(description="What one's own account pays for them.")]
    margin: Annotated[
        int | None, Meta(description="Null where one's own account pays in another currency.")
    ]


class Answer(Struct, Generic[T], frozen=True):
    """A report with what it says in words. `currency` is the account's; `next` is the cursor of
    the following page."""

    report: str
    definition: str
    formula: str
    cost: str
    timezone: str
    currency: str
    items: list[T]
    next: str | None


class ColumnView(Struct, frozen=True):
    name: str
    meaning: str


class ReportView(Struct, frozen=True):
    """One report there is."""

    name: str
    title: str
    definition: str
    formula: str
    cost: str
    parameters: list[ColumnView]
    columns: list[ColumnView]


class ReportList(Struct, frozen=True):
    items: list[ReportView]


class DashboardQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """`today`, or the last 3 or 7 days with today, in the account's zone."""

    period: DashboardPeriod = DashboardPeriod.TODAY


class VolumePoint(Struct, frozen=True):
    """Calls that began in the hour (or, for 7 days, the day) that starts at `starts_at`."""

    starts_at: datetime
    inbound: int
    outbound: int
    internal: int
    missed: int


class RecentNumber(Struct, frozen=True):
    """A number with its calls of that kind in the period, and the last of them."""

    number_id: int
    number: str
    client: str | None
    calls: int
    last_at: datetime


class Dashboard(Struct, frozen=True):
    """What happened lately. `successful` and `missed` hold 20 distinct outside numbers at most."""

    period: DashboardPeriod
    timezone: str
    since: datetime
    until: datetime
    step: Literal["hour", "day"]
    volume: list[VolumePoint]
    employees: list[EmployeeShareRow]
    successful: list[RecentNumber]
    missed: list[RecentNumber]


class SettleCallback(Struct, frozen=True, forbid_unknown_fields=True):
    """Why no call back is owed any more."""

    note: Note


class AssignCallback(Struct, frozen=True, forbid_unknown_fields=True):
    """Who is responsible; null leaves it to the rule."""

    extension: Extension | None


class NoteView(Struct, frozen=True):
    """A callback that was settled by hand."""

    number_id: int
    note: str
    marked_by: str
    marked_at: datetime
