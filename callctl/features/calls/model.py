"""What the API and the console say of calls: one declaration for JSON, OpenAPI and filters."""

from datetime import datetime, time
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from callctl.core.calls.interventions import InterventionKind

DirectionName = Literal["inbound", "outbound", "internal"]
DispositionName = Literal[
    "ANSWERED", "CANCELLED", "NO_ANSWER", "BUSY", "REJECTED", "FAILED", "UNKNOWN"
]
CompletenessName = Literal["complete", "repaired", "truncated"]
Seconds = Annotated[float, Meta(ge=0)]
Money = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Instant = Annotated[
    datetime, Meta(tz=True, description="RFC 3339 with an offset, as 2026-11-22T08:00:00+01:00")
]


class CallFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters of the call list. All that are given must hold; periods are half open.

    `extension` finds calls that it placed, answered or was tried in; `group`, the id of a group of
    people, those in which one of their extensions had such a part. `number` is any part of the
    caller's, the dialled or the final number. `time_since` and `time_until` are times of day in
    the account's zone; a later start than end runs over midnight. `client` finds the calls of all
    numbers that the client has now; `client_type` is the type that the call's client had then.
    Sorted by `changed_at`, a list goes up to where nothing more can change: who follows `next`,
    then asks again `changed_since` the last `changed_at`, misses nothing. `min_cost` and `max_cost`
    are minor units; `unrated` finds calls that went outside and have no price. Sorted by `-cost`,
    only calls that have a cost are listed, the dearest first.
    """

    since: Instant | None = None
    until: Instant | None = None
    time_since: time | None = None
    time_until: time | None = None
    changed_since: Instant | None = None
    direction: DirectionName | None = None
    disposition: DispositionName | None = None
    missed: bool | None = None
    completeness: CompletenessName | None = None
    extension: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    group: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    number: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    client: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    client_type: Annotated[str, Meta(min_length=1, max_length=60)] | None = None
    has_recording: bool | None = None
    too_long: bool | None = None
    min_talk: Seconds | None = None
    max_talk: Seconds | None = None
    min_cost: Money | None = None
    max_cost: Money | None = None
    unrated: bool | None = None
    sort: Literal["-started_at", "started_at", "changed_at", "-cost"] = "-started_at"
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=200)] | None = None

    def without_page(self) -> "CallFilters":
        """What is asked for, without which part of it."""
        return replace(self, limit=CallFilters().limit, cursor=None)


class CallSummary(Struct, frozen=True):
    """One line of the history. `from` and `to` are the parties at the start (R001-10).
    `too_long_seconds`: the threshold that the call has passed; `too_long_cost`: the price that came
    to those seconds, where it was one (R001-15).

    The client is who has the customer's number now; `client_type` is the type from when the call
    was stored, `client_type_now` the present one (R001-19). `problem` and `solution` are the latest
    note's. `cost` is what the account pays for the call, in minor units of `currency`; null for a
    call that did not go outside, and for one without a price: then `cost_reason` says why
    (docs/rates.md).
    """

    id: int
    call_id: str
    direction: DirectionName
    disposition: DispositionName
    missed: bool
    from_number: str | None
    from_name: str | None
    to_number: str | None
    customer_number: str | None
    extension: str | None
    answered_by: str | None
    destination_number: str | None
    tried: list[str]
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    wait_seconds: float
    talk_seconds: float
    total_seconds: float
    has_recording: bool
    recording_downloaded_at: datetime | None
    recording_downloaded_by: str | None
    completeness: CompletenessName
    trunk: str | None
    did: str | None
    route: str | None
    too_long: bool
    too_long_seconds: int | None
    too_long_cost: int | None
    changed_at: datetime
    client_id: int | None
    client_name: str | None
    client_type: str | None
    client_type_now: str | None
    problem: str | None
    solution: str | None
    cost: int | None
    currency: str | None
    cost_reason: str | None


class AttemptView(Struct, frozen=True):
    """One party that was tried."""

    extension: str | None
    number: str | None
    endpoint: str | None
    started_at: datetime
    seconds: float
    result: str
    cause: int


class LegView(Struct, frozen=True):
    """One channel."""

    channel: str
    uniqueid: str
    endpoint: str | None
    extension: str | None
    number: str | None
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    cause: int | None


class ConversationView(Struct, frozen=True):
    """What a recorded conversation was like (docs/recordings.md). Shares are of the whole."""

    caller_talk_share: float
    called_talk_share: float
    both_share: float
    silence_share: float
    caller_interruptions: int
    called_interruptions: int
    longest_monologue_seconds: float
    longest_monologue_side: Literal["caller", "called"] | None
    caller_first_word_seconds: float | None
    called_first_word_seconds: float | None


class RecordingView(Struct, frozen=True):
    """A recording: `pending` until its file is in place, `missing` when Asterisk left none,
    `deleting` and `deleted` when its time was over. `/api/v1/recordings/{id}/details` has more."""

    id: int
    file: str
    state: Literal["pending", "available", "missing", "deleting", "deleted"]
    started_at: datetime
    seconds: float | None
    bytes: int | None
    format: Literal["wav", "opus"] | None
    figures: ConversationView | None


class PauseView(Struct, frozen=True):
    """A time in which nothing was recorded; `resumed_at` null: until the end."""

    paused_at: datetime
    paused_by: str
    resumed_at: datetime | None
    resumed_by: str | None


class InterventionView(Struct, frozen=True):
    """What somebody did to the call while it went on (docs/live.md). `certain` false: Asterisk was
    told, and did not answer whether it did it. Listening is shown to those who may listen."""

    kind: InterventionKind
    extension: str | None
    target: str | None
    by: str
    at: datetime
    certain: bool


class CostView(Struct, frozen=True):
    """What the account pays for one part of a call: `price` to its seller, `carrier` to its
    carrier. `leg` counts the call's legs from 0; `prefix` and `destination` are the rate's.
    `amount` null: `reason` says why."""

    side: Literal["price", "carrier"]
    leg: int
    number: str
    answered_at: datetime
    version_id: int
    prefix: str | None
    with_hours: bool
    destination: str
    talk_seconds: int
    billed_seconds: int
    amount: int | None
    currency: str
    reason: str | None


class ReasonView(Struct, frozen=True):
    """One reason of the routing: its stable code, and the sentence for people."""

    code: str
    subject: str
    detail: str
    text: str


class NewNote(Struct, frozen=True, forbid_unknown_fields=True):
    """What a call was about, and what came of it (R003-09). Either may be empty, not both."""

    problem: Annotated[str, Meta(max_length=10_000)] = ""
    solution: Annotated[str, Meta(max_length=10_000)] = ""


class NoteView(Struct, frozen=True):
    """A note as somebody wrote it; a later one does not change it."""

    problem: str
    solution: str
    written_by: str
    written_at: datetime


class CallDetail(Struct, frozen=True):
    """A call with everything that is known of it. The first of `notes` counts, the others are what
    was written before."""

    call: CallSummary
    attempts: list[AttemptView]
    legs: list[LegView]
    recordings: list[RecordingView]
    recording_pauses: list[PauseView]
    reasons: list[ReasonView]
    linkedids: list[str]
    plan_id: str | None
    notes: list[NoteView]
    costs: list[CostView]
    interventions: list[InterventionView] = []


FilterName = Annotated[str, Meta(min_length=1, max_length=100)]


class NewSavedFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters of the call list to keep under a name, without `cursor` and `limit`, which belong to
    a page. A shared one is offered to everybody of the account, each within their own calls."""

    name: FilterName
    filters: CallFilters
    shared: bool = False


class SavedFilterChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be another; what is left out stays. `filters` replace all that there were."""

    name: FilterName | UnsetType = UNSET
    filters: CallFilters | UnsetType = UNSET
    shared: bool | UnsetType = UNSET


class SavedFilterView(Struct, frozen=True):
    """Filters as `GET /api/v1/calls` takes them. `mine`: of whoever asks; `owner` is a login, null
    for the machine's. `problem` says why this version cannot go by them, as for a field that there
    is no more; they are to be saved anew then."""

    id: int
    name: str
    shared: bool
    mine: bool
    owner: str | None
    filters: dict[str, Any]
    problem: str | None
    created_at: datetime
    changed_at: datetime


class SavedFilterFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: Annotated[str, Meta(max_length=20, pattern=r"^[0-9]{1,18}$")] | None = None
