"""What reports take and give: one declaration for JSON, OpenAPI, exports and docs/reports.md."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import Meta, Struct

from callctl.core.periods import DashboardPeriod
from callctl.core.tables import Unit

T = TypeVar("T")


def titled(title: str, meaning: str | None = None, unit: Unit | None = None, **more: Any) -> Meta:
    """What a column or parameter is called where people read it, what it says, and in what unit;
    `more`: what Meta takes. Titles are texts of the console (scripts/messages)."""
    return Meta(title=title, description=meaning, extra={"unit": unit}, **more)


Direction = Annotated[Literal["inbound", "outbound", "internal"], titled("Direction")]
PeriodName = Literal["day", "week", "month", "quarter", "year"]
WeekStart = Literal["monday", "sunday", "saturday"]
RankedName = Literal["extension", "did", "hunt_group"]
Cursor = Annotated[str, titled("Cursor", "`next` of the page before.", max_length=200)]
Limit = Annotated[int, titled("Rows", "Rows of a page.", ge=1, le=500)]
Extension = Annotated[str, Meta(min_length=1, max_length=40)]
Note = Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]

OneNumber = Annotated[
    str, titled("Number", "One number (DID); else all of them.", min_length=1, max_length=40)
]

Number = Annotated[
    str,
    titled("Number", "The customer's number, in E.164 where it has one; of several the first."),
]
NumberId = Annotated[int, titled("Number id", "The number's id.")]
ClientName = Annotated[str | None, titled("Client", "The client whose number it is, if known.")]
Calls = Annotated[int, titled("Calls", "Calls.")]
Answered = Annotated[int, titled("Answered", "Calls in which the caller reached a person.")]
Missed = Annotated[
    int, titled("Missed", "Inbound calls that nobody answered and no rule had refused.")
]
Talk = Annotated[float, titled("Talk", "Seconds from answer to end, summed.", Unit.SECONDS)]
Wait = Annotated[
    float, titled("Wait", "Seconds from start to answer, or to the end, summed.", Unit.SECONDS)
]
Cost = Annotated[
    int,
    titled("Cost", "What the calls cost the account, in minor units of its currency.", Unit.MONEY),
]
_RATE = "Share of 0 to 1; null where nothing is counted."


class Period(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Days in the account's zone, `[since, until)`; either end may be missing."""

    since: Annotated[date, titled("From day", "First day, in the account's zone.")] | None = None
    until: Annotated[date, titled("Before day", "The day after the last one.")] | None = None


class Paged(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period, read page by page."""

    limit: Limit = 50
    cursor: Cursor | None = None


class DirectedPeriod(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A period, and calls of one direction only."""

    direction: Direction | None = None


class CallsByPeriodQuery(DirectedPeriod, frozen=True, forbid_unknown_fields=True, kw_only=True):
    period: Annotated[PeriodName, titled("Period", "What one row stands for.")] = "day"
    week_start: Annotated[
        WeekStart, titled("Week begins on", "First day of a week; Monday is ISO 8601's.")
    ] = "monday"


class NumbersQuery(DirectedPeriod, frozen=True, forbid_unknown_fields=True, kw_only=True):
    did: OneNumber | None = None


class RankingQuery(Period, frozen=True, forbid_unknown_fields=True, kw_only=True):
    of: Annotated[RankedName, titled("What", "What is ranked.")] = "extension"
    by: Annotated[
        Literal["cost", "effectiveness", "talk_time"], titled("Ranked by", "By what.")
    ] = "cost"
    did: OneNumber | None = None


class CallbackQuery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    state: Annotated[
        Literal["waiting", "overdue"] | None, titled("State", "Only callbacks in this state.")
    ] = None
    owner: (
        Annotated[
            str,
            titled("Responsible", "Only those given to an extension.", min_length=1, max_length=40),
        ]
        | None
    ) = None
    limit: Limit = 50
    cursor: Cursor | None = None


class CallsByPeriodRow(Struct, frozen=True):
    starts_on: Annotated[date, titled("Begins", "First day of the period, in the account's zone.")]
    direction: Direction
    calls: Calls
    answered: Answered
    cancelled: Annotated[int, titled("Caller hung up", "Calls that the caller gave up.")]
    no_answer: Annotated[int, titled("No answer", "Calls that rang without an answer.")]
    busy: Annotated[int, titled("Busy", "Calls that met a busy party.")]
    rejected: Annotated[int, titled("Refused", "Calls declined, or refused by a rule.")]
    failed: Annotated[int, titled("Failed", "Calls that could not be put through.")]
    unknown: Annotated[int, titled("Unknown", "Calls whose outcome the PBX could not tell.")]
    missed: Missed
    talk_seconds: Talk
    wait_seconds: Wait
    cost: Cost


class EmployeeShareRow(Struct, frozen=True):
    extension: Annotated[str, titled("Extension", "The extension.")]
    calls: Annotated[int, titled("Calls", "Calls it had a part in, once each.")]
    placed: Annotated[int, titled("Placed", "Calls it placed.")]
    answered: Annotated[int, titled("Answered", "Calls it answered.")]
    talk_seconds: Annotated[
        float, titled("Talk", "Talk of calls it placed or answered.", Unit.SECONDS)
    ]
    cost: Annotated[int, titled("Cost", "What the calls cost that it placed.", Unit.MONEY)]
    share: Annotated[
        float | None,
        titled(
            "Share", "Its calls among the sum of this column: 0 to 1, null without any.", Unit.SHARE
        ),
    ]


class AnsweredMissedRow(Struct, frozen=True):
    kind: Annotated[Literal["extension", "hunt_group"], titled("Kind", "What the row counts for.")]
    name: Annotated[str, titled("Name", "The extension, or the hunt group.")]
    answered: Annotated[int, titled("Answered", "Calls answered.")]
    missed: Annotated[
        int,
        titled("Missed", "An extension's rings without answer; a hunt group's missed calls."),
    ]
    refused: Annotated[int | None, titled("Refused", "Rings that met busy or were declined.")] = (
        None
    )
    elsewhere: Annotated[
        int | None, titled("Answered by another", "Rings that another one took.")
    ] = None
    unreachable: Annotated[
        int | None, titled("Not reachable", "Attempts at a phone that was not there.")
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
    at: Annotated[datetime, titled("When", "When that call began.")]
    call: Annotated[int, titled("Call id", "The call's id.")]
    direction: Direction
    disposition: Annotated[str, titled("Outcome", "How that call ended.")]
    extension: Annotated[
        str | None, titled("Extension", "Who answered it, or placed it; null when nobody did.")
    ]


class CallbackRow(Struct, frozen=True):
    number_id: NumberId
    number: Number
    client: ClientName
    owed_since: Annotated[
        datetime, titled("Owed since", "Start of the first missed call of these.")
    ]
    missed_at: Annotated[datetime, titled("Last missed", "Start of the last one.")]
    missed_calls: Annotated[
        int, titled("Missed calls", "Missed calls since the last conversation.")
    ]
    owner: Annotated[
        str | None,
        titled(
            "Responsible",
            "The extension responsible: given by hand, else who talked to the customer "
            "last, else who was rung first.",
        ),
    ]
    due_at: Annotated[
        datetime, titled("Due", "When it should be done: `owed_since` and `callback_minutes`.")
    ]
    state: Annotated[Literal["waiting", "overdue"], titled("State", "Whether its time has passed.")]


class NumberRow(Struct, frozen=True):
    did: Annotated[str, titled("Number", "The number that callers dialled.")]
    calls: Calls
    answered: Answered
    missed: Missed
    answer_rate: Annotated[float | None, titled("Answer rate", _RATE, Unit.SHARE)]
    talk_seconds: Talk
    wait_seconds: Wait
    cost: Cost


class RankingRow(Struct, frozen=True):
    rank: Annotated[int, titled("Rank", "From 1; equals share a rank.")]
    name: Annotated[str, titled("Name", "The extension, number or hunt group.")]
    offered: Annotated[int, titled("Offered", "What the rate is a share of.")]
    answered: Annotated[int, titled("Answered", "Answered ones among them.")]
    effectiveness: Annotated[float | None, titled("Effectiveness", _RATE, Unit.SHARE)]
    talk_seconds: Talk
    cost: Annotated[
        int, titled("Cost", "Of an extension: of the calls that it placed.", Unit.MONEY)
    ]


class DestinationRow(Struct, frozen=True):
    destination: Annotated[str, titled("Destination", "The destination, as the tariff names it.")]
    prefix: Annotated[
        str | None, titled("Prefix", "First digits of its numbers; null: the tariff has no rate.")
    ]
    reason: Annotated[str | None, titled("No amount because", "Why there is no amount.")]
    currency: Annotated[str, titled("Currency", "The tariff's.")]
    calls: Annotated[int, titled("Calls", "Calls with a part that went there.")]
    talk_seconds: Annotated[
        int, titled("Talk", "Talk of those parts, in seconds begun.", Unit.SECONDS)
    ]
    billed_seconds: Annotated[
        int, titled("Charged time", "Seconds that were charged.", Unit.SECONDS)
    ]
    cost: Annotated[int, titled("Cost", "Minor units.", Unit.MONEY)]


class MarginRow(Struct, frozen=True):
    account_id: Annotated[int, titled("Account id", "An account directly below, which pays.")]
    account: Annotated[str, titled("Account", "Its code.")]
    currency: Annotated[str, titled("Currency", "What it pays in.")]
    calls: Annotated[int, titled("Calls", "Calls with a part that went outside.")]
    unrated: Annotated[
        int, titled("Without a price", "Parts of them that have no price, or no cost.")
    ]
    revenue: Annotated[int, titled("Revenue", "What it pays for them, in minor units.", Unit.MONEY)]
    cost: Annotated[int, titled("Cost", "What one's own account pays for them.", Unit.MONEY)]
    margin: Annotated[
        int | None,
        titled("Margin", "Null where one's own account pays in another currency.", Unit.MONEY),
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
    """A column or parameter: `title` is what people read at its head; `unit` is null where the
    value says it: a text, a number, a day, a moment. Money is in minor units of the row's
    `currency`, else of the report's; a share is of 0 to 1."""

    name: str
    title: str
    meaning: str
    unit: Unit | None


class ReportView(Struct, frozen=True):
    """One report there is: `summary` is one sentence about it, `definition` all that it counts."""

    name: str
    title: str
    summary: str
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
