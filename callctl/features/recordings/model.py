"""What the API says of recordings: lists, figures, the log of accesses, settings, holds."""

from datetime import datetime, time
from typing import Annotated, Literal

from msgspec import Meta, Struct

Format = Literal["wav", "opus"]
Limit = Annotated[int, Meta(ge=1, le=200)]
IdCursor = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Days = Annotated[int, Meta(ge=0, le=36_500)]
Reason = Annotated[str, Meta(min_length=3, max_length=500)]
Instant = Annotated[
    datetime, Meta(tz=True, description="RFC 3339 with an offset, as 2026-11-22T08:00:00+01:00")
]


class RecordingFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """Filters of the list of recordings. All that are given must hold; `[since, until)` is of the
    beginning of the recording.

    `extension`, `number`, `direction`, `group`, `client`, `time_since` and `time_until` are of the
    call, as in the list of calls. `text`: words that were all said, as far as a transcript has
    them. `downloaded`: ever, by anybody; `favourite`: of who asks. The figures (docs/recordings.md)
    find only recordings that have them: `min_interruptions` of both sides together,
    `max_first_word` and `min_first_word` of the called party, which null (it said nothing) passes
    as *late*.
    """

    since: Instant | None = None
    until: Instant | None = None
    direction: Literal["inbound", "outbound", "internal"] | None = None
    time_since: time | None = None
    time_until: time | None = None
    extension: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    group: IdCursor | None = None
    client: IdCursor | None = None
    number: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    min_seconds: Seconds | None = None
    max_seconds: Seconds | None = None
    downloaded: bool | None = None
    favourite: bool | None = None
    held: bool | None = None
    analysed: bool | None = None
    text: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    min_silence_share: Share | None = None
    max_silence_share: Share | None = None
    min_interruptions: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    min_monologue: Seconds | None = None
    min_first_word: Seconds | None = None
    max_first_word: Seconds | None = None
    limit: Limit = 50
    cursor: Annotated[str, Meta(max_length=200)] | None = None


class FiguresView(Struct, frozen=True):
    """What the conversation was like (docs/recordings.md). Shares are of the whole, 0 to 1."""

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


class RecordingSummary(Struct, frozen=True):
    """A recording that can be listened to, with its call's parties.

    `formats` are those that the audio can be had in, the usual one first. `bytes`: of that one.
    """

    id: int
    call: int
    call_id: str
    file: str
    started_at: datetime
    seconds: float | None
    bytes: int | None
    formats: list[Format]
    encrypted: bool
    direction: Literal["inbound", "outbound", "internal"]
    from_number: str | None
    to_number: str | None
    extension: str | None
    answered_by: str | None
    downloaded_at: datetime | None
    downloaded_by: str | None
    favourite: bool
    held: bool
    figures: FiguresView | None


class PauseView(Struct, frozen=True):
    """A time in which nothing was recorded; `resumed_at` null: until the end."""

    paused_at: datetime
    paused_by: str
    resumed_at: datetime | None
    resumed_by: str | None


class LegalHoldView(Struct, frozen=True):
    """What must not be deleted. `recording` null: the call with all its recordings."""

    id: int
    call: int
    recording: int | None
    reason: str
    held_by: str
    held_at: datetime
    released_by: str | None
    released_at: datetime | None


class SpokenView(Struct, frozen=True):
    """What a side said in one stretch of talk, in seconds from the beginning."""

    side: Literal["caller", "called"]
    begin: float
    end: float
    text: str


class TranscriptView(Struct, frozen=True):
    """What was said, as `engine` heard it, in order of time."""

    engine: str
    made_at: datetime
    spoken: list[SpokenView]


class OutlineView(Struct, frozen=True):
    """How loud each side is over the recording's time: 0 (silence) to 100, a number for each of at
    most 800 equal parts."""

    caller: list[int]
    called: list[int]


class RecordingDetail(Struct, frozen=True):
    """One recording, in any state. `outline` null: it was made before there were any."""

    id: int
    call: int
    call_id: str
    file: str
    state: Literal["pending", "available", "missing", "deleting", "deleted"]
    started_at: datetime
    available_at: datetime | None
    deleted_at: datetime | None
    seconds: float | None
    bytes: int | None
    formats: list[Format]
    encrypted: bool
    downloaded_at: datetime | None
    downloaded_by: str | None
    favourite: bool
    figures: FiguresView | None
    transcript: TranscriptView | None
    outline: OutlineView | None
    pauses: list[PauseView]
    holds: list[LegalHoldView]


class AudioQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """`download`: as a file to keep, which ticks *downloaded*. `format`: where there are two."""

    download: Literal["1"] | None = None
    format: Format | None = None


class RecordingAccessFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    recording: IdCursor | None = None
    kind: Literal["listened", "downloaded"] | None = None
    limit: Limit = 50
    cursor: IdCursor | None = None


class RecordingAccessView(Struct, frozen=True):
    """Somebody had a part of a recording: bytes `first_byte` to `last_byte` of `format`."""

    id: int
    recording: int
    call: int
    file: str
    kind: Literal["listened", "downloaded"]
    user_id: int | None
    actor: str
    address: str
    format: Format
    first_byte: int
    last_byte: int
    at: datetime


class LegalHoldFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`in_force`: not released yet. `cursor` is the `next` of the page before."""

    in_force: bool | None = None
    limit: Limit = 50
    cursor: IdCursor | None = None


class NewLegalHold(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing of this may be deleted."""

    reason: Reason


class RecordingSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How an account's recordings are kept. `format` null: as the whole installation's.

    Days count from the beginning of the recording or of the call; 0 = for ever. A recording never
    outlives its call. What was made before stays in the form that it has.
    """

    format: Literal["wav", "opus", "both"] | None = None
    encrypt: bool = False
    recording_days: Days = 0
    call_days: Days = 0


class RecordingSettingsView(Struct, frozen=True):
    format: Literal["wav", "opus", "both"] | None
    encrypt: bool
    recording_days: int
    call_days: int
    changed_at: datetime | None
    changed_by: str | None


class PauseState(Struct, frozen=True):
    """What the live recordings of a call do now; `channels` are those that were told."""

    paused: bool
    at: datetime
    channels: int
