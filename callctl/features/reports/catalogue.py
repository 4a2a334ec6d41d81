"""Every report, declared once: API, OpenAPI, exports, docs/reports.md and tests read it here."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args, get_type_hints

import msgspec

from callctl.core.tables import TableColumn
from callctl.core.texts import N_
from callctl.features.reports import read, read_money
from callctl.features.reports.model import (
    AnsweredMissedRow,
    CallbackQuery,
    CallbackRow,
    CallsByPeriodQuery,
    CallsByPeriodRow,
    ClientShareRow,
    ContactRow,
    DestinationRow,
    DirectedPeriod,
    EmployeeShareRow,
    MarginRow,
    NumberRow,
    NumbersQuery,
    Paged,
    Period,
    RankingQuery,
    RankingRow,
)
from callctl.features.reports.read import MOST_DAYS_COUNTED, Read

FROM_SUMS = (
    "Read from sums, whatever the number of calls; with rights to some extensions only, counted "
    "from their calls in the period."
)

ONE_CLIENT = (
    "A client is one customer with all the numbers that it has now, and is shown by the first of "
    "them; a company is its own numbers, not those of its people."
)


@dataclass(frozen=True, slots=True)
class Report:
    """One report: what it says in words, its parameters, its rows, and what reads it.

    `summary` is one sentence for people who look for a report, without names of parameters. `key`
    names the columns that say which row is meant, `formula` how a share is made, `cost` what
    reading it costs.
    """

    name: str
    title: str
    summary: str
    definition: str
    query: type[Any]
    row: type[Any]
    key: tuple[str, ...]
    read: Read
    formula: str = ""
    cost: str = FROM_SUMS

    @property
    def columns(self) -> tuple[TableColumn, ...]:
        return fields_of(self.row)

    @property
    def parameters(self) -> tuple[TableColumn, ...]:
        return fields_of(self.query)


def fields_of(declared: type[Any]) -> tuple[TableColumn, ...]:
    """A Struct's fields, as their `titled` has them."""
    hints = get_type_hints(declared, include_extras=True)
    names = (field.name for field in msgspec.structs.fields(declared))
    return tuple(_column(name, hints[name]) for name in names)


def _column(name: str, kind: Any) -> TableColumn:
    titled = next((meta for meta in _metas(kind) if meta.title), msgspec.Meta(title=name))
    unit = (titled.extra or {}).get("unit")
    return TableColumn(name, _meaning(kind), str(titled.title), unit)


def _metas(kind: Any) -> Iterator[msgspec.Meta]:
    for part in (*getattr(kind, "__metadata__", ()), *get_args(kind)):
        if isinstance(part, msgspec.Meta):
            yield part
        elif not isinstance(part, str):
            yield from _metas(part)


def _meaning(kind: Any) -> str:
    """The first description in an annotation; for a closed choice, its values."""
    described = next((meta for meta in _metas(kind) if meta.description), None)
    if described is not None:
        return str(described.description)
    arguments = get_args(kind)
    if arguments and all(isinstance(argument, str) for argument in arguments):
        return "One of " + ", ".join(f"`{argument}`" for argument in arguments) + "."
    return next((text for text in map(_meaning, arguments) if text), "")


_ALL = (
    Report(
        "calls-by-period",
        N_("Calls by period"),
        N_("How many calls came, went out or stayed inside, by day, week, month or year."),
        "Calls by the day, week, month, quarter or year in which they began, and by direction. "
        "Days are the account's (one of 23 or 25 hours is a day like any other); weeks begin on "
        "Monday (ISO 8601) unless `week_start` says otherwise. Periods are cut by `since` and "
        "`until`; one without calls has no row.",
        CallsByPeriodQuery,
        CallsByPeriodRow,
        ("starts_on", "direction"),
        read.calls_by_period,
    ),
    Report(
        "employees-distribution",
        N_("Employees: distribution"),
        N_("How calls are spread over the employees, and how long each of them talked."),
        "How calls are spread over extensions. A call counts once for each extension that had a "
        "part in it, so that the column may add up to more than there are calls.",
        DirectedPeriod,
        EmployeeShareRow,
        ("extension",),
        read.employees_distribution,
        formula="share = calls / sum of calls over all rows",
        cost="Read from sums per extension and day.",
    ),
    Report(
        "employees-answered-missed",
        N_("Employees: answered and missed"),
        N_("How often each extension and hunt group was rung, and what came of it."),
        "Each ring of an extension that ended without an answer (it rang until its time was up, "
        "or the caller left) counts one missed ring for it, so one call may count for several, "
        "and more than once for one that was rung again. Rings that were declined or met busy, "
        "that another one took, and phones that were not there stand in columns of their own. "
        "The call itself counts once, for its hunt group: the first one that its plan names.",
        DirectedPeriod,
        AnsweredMissedRow,
        ("kind", "name"),
        read.employees_answered_missed,
    ),
    Report(
        "clients-distribution",
        N_("Clients: distribution"),
        N_("Which clients call, and are called, most."),
        "How calls are spread over customers, those with most calls first. " + ONE_CLIENT + " "
        "Callers who withheld their number are in no row.",
        Paged,
        ClientShareRow,
        ("number_id",),
        read.clients_distribution,
        cost="Without a period read from sums per number. With one, counted from the calls in it: "
        f"{MOST_DAYS_COUNTED} days at most.",
    ),
    Report(
        "clients-missed",
        N_("Clients: missed, callbacks owed"),
        N_("Clients who did not reach anybody and have not been spoken to since."),
        "Customers with a missed call after their last conversation: a conversation in either "
        "direction that begins later removes them by itself, an attempt to call back that "
        "reaches nobody does not. Settling it by hand removes them until they are missed again. "
        + ONE_CLIENT
        + " The one due first comes first. Callers who withheld their number cannot be called "
        "back.",
        CallbackQuery,
        CallbackRow,
        ("number_id",),
        read.callbacks,
        cost="One row per callback owed is read; with rights to some extensions only, the missed "
        "calls of all of them.",
    ),
    Report(
        "clients-first-contact",
        N_("Clients: first contact"),
        N_("The first call with each client, the newest first."),
        "The first call of each customer, in either direction, answered or not; the newest first. "
        + ONE_CLIENT
        + " `since` and `until` bound when that call began.",
        Paged,
        ContactRow,
        ("number_id",),
        read.first_contact,
        cost="One row per number of the page. With rights to some extensions only, it is the first "
        "among their calls, and all of those are read.",
    ),
    Report(
        "clients-last-contact",
        N_("Clients: last contact"),
        N_("The last call with each client, the newest first."),
        "The last call of each customer, in either direction, answered or not; the newest first. "
        + ONE_CLIENT
        + " `since` and `until` bound when that call began.",
        Paged,
        ContactRow,
        ("number_id",),
        read.last_contact,
        cost="One row per number of the page. With rights to some extensions only, it is the last "
        "among their calls, and all of those are read.",
    ),
    Report(
        "numbers",
        N_("Numbers"),
        N_("How many calls came to each of your numbers, and how many were answered."),
        "Calls by the number (DID) that was dialled; all numbers, unless `did` names one.",
        NumbersQuery,
        NumberRow,
        ("did",),
        read.numbers,
        formula="answer_rate = answered / calls",
    ),
    Report(
        "rankings",
        N_("Rankings"),
        N_("Who or what costs most, answers the largest share, or talks longest."),
        "Extensions, numbers or hunt groups by cost, effectiveness or talk time. With `did` only "
        "calls to that number count: of extensions one by one, the last 366 days unless "
        "`since` says otherwise; hunt groups are not counted by number. What was offered nothing "
        "has no rate and stands last. Calls cost what the account pays for their parts outside; "
        "a call that has no price adds nothing, and the report on destinations shows it.",
        RankingQuery,
        RankingRow,
        ("name",),
        read.rankings,
        formula="effectiveness = answered / offered. For a number or hunt group these are calls; "
        "for an extension, rings: offered = answered + missed + refused, without those that "
        "another one took and phones that were not there",
    ),
    Report(
        "cost-destinations",
        N_("Cost by destination"),
        N_("What calls to the outside cost, by where they went."),
        "What the account pays for calls to the outside, by destination as the tariff names it: to "
        "its seller, or, where it has none, to its carriers. Each part of a call that left by a "
        "trunk and was answered counts, on the day on which it was answered. Parts without a price "
        "have a row of their own, with the reason. The dearest come first, 1,000 at most.",
        Period,
        DestinationRow,
        ("destination", "prefix", "reason", "currency"),
        read_money.destinations,
        cost=f"Counted from the parts of calls in the period: {MOST_DAYS_COUNTED} days at most.",
    ),
    Report(
        "margin",
        N_("Margin"),
        N_("What the accounts below pay for their calls, and what is left of it."),
        "For whoever sells to accounts below: what each of them pays for its calls, and what one's "
        "own account pays for the same parts of calls, to its seller and to its carriers. Who sees "
        "a part of the account's calls only sees nothing here.",
        Period,
        MarginRow,
        ("account_id", "currency"),
        read_money.margins,
        formula="margin = revenue - cost",
        cost=f"Counted from the parts of calls in the period: {MOST_DAYS_COUNTED} days at most.",
    ),
)

REPORTS: Mapping[str, Report] = MappingProxyType({report.name: report for report in _ALL})
