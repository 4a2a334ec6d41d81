"""The rows of one call, folded into facts per channel. No decision is made here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from callctl.core.calls.events import CelEvent, UniqueKey, parse_fields, unique_key
from callctl.core.calls.grouping import event_details
from callctl.core.calls.inventory import endpoint_of

HOLDING = "holding_bridge"
"""The bridge technology of hold and parking: being in one is no conversation."""


@dataclass(slots=True)
class Stay:
    """A channel's time in one bridge. `exited_us` None = it never left by a row."""

    bridge: str
    entered_us: int
    exited_us: int | None = None


OwnRow = tuple[CelEvent, Mapping[str, str]]
"""One of callctl's own rows, and its payload."""


@dataclass(slots=True)
class Channel:
    """What the journal says of one channel."""

    uniqueid: str
    key: UniqueKey
    name: str
    endpoint: str | None
    first: CelEvent
    started_us: int
    last_us: int
    own_linkedid: bool
    has_start: bool = False
    has_end: bool = False
    answered_us: int | None = None
    hangup_us: int | None = None
    cause: int | None = None
    hangup_source: str = ""
    stays: list[Stay] = field(default_factory=list)
    talks: list[Stay] = field(default_factory=list)
    picked_up_by: str | None = None
    forwarded: bool = False
    events: list[CelEvent] = field(default_factory=list)
    own_rows: dict[str, list[OwnRow]] = field(default_factory=dict)
    dial_rows: list[OwnRow] = field(default_factory=list)
    """Rows that begin or end a Dial, in order: CALLCTL_TRY and CALLCTL_ATTEMPT with what they say,
    and the APP_START of Dial, which says it in `app_data`."""

    @property
    def inner(self) -> bool:
        """A Local or other channel that is nobody's device."""
        return self.endpoint is None

    @property
    def ended_us(self) -> int | None:
        return self.hangup_us

    @property
    def left_by_itself(self) -> bool:
        """The far side hung up: Asterisk names the channel itself as the hang-up's source."""
        return bool(self.hangup_source) and self.hangup_source == self.name


def fold_channels(events: Iterable[CelEvent]) -> dict[str, Channel]:
    """Channels by uniqueid, in order of first appearance."""
    channels: dict[str, Channel] = {}
    for event in events:
        channel = channels.get(event.uniqueid)
        if channel is None:
            channel = channels[event.uniqueid] = Channel(
                uniqueid=event.uniqueid,
                key=unique_key(event.uniqueid),
                name=event.channel,
                endpoint=endpoint_of(event.channel),
                first=event,
                started_us=event.time_us,
                last_us=event.time_us,
                own_linkedid=event.linkedid == event.uniqueid,
            )
        channel.events.append(event)
        if event.time_us > channel.last_us:
            channel.last_us = event.time_us
        fold = _FOLDS.get(event.type)
        if fold is not None:
            fold(channel, event)
        elif event.type.startswith("CALLCTL_"):
            _keep_own_row(channel, event)
    if any(c.picked_up_by == "" for c in channels.values()):
        _name_pickers(channels)
    return channels


def _keep_own_row(channel: Channel, event: CelEvent) -> None:
    row = (event, parse_fields(event.extra))
    channel.own_rows.setdefault(event.type, []).append(row)
    if event.type in ("CALLCTL_TRY", "CALLCTL_ATTEMPT"):
        channel.dial_rows.append(row)


def _start(channel: Channel, event: CelEvent) -> None:
    channel.has_start = True
    if event is channel.first:
        return
    channel.first = event
    channel.name = event.channel
    channel.endpoint = endpoint_of(event.channel)
    channel.started_us = event.time_us
    channel.own_linkedid = event.linkedid == event.uniqueid


def _answer(channel: Channel, event: CelEvent) -> None:
    if channel.answered_us is None:
        channel.answered_us = event.time_us


def _start_app(channel: Channel, event: CelEvent) -> None:
    if event.app_name == "Dial":
        channel.dial_rows.append((event, {}))


def _enter(channel: Channel, event: CelEvent) -> None:
    _stay(channel, event_details(event), event.time_us)


def _stay(
    channel: Channel, details: Mapping[str, object], entered_us: int, exited_us: int | None = None
) -> None:
    stay = Stay(str(details.get("bridge_id", "")), entered_us, exited_us)
    channel.stays.append(stay)
    if details.get("bridge_technology") != HOLDING:
        channel.talks.append(stay)


def _leave(channel: Channel, event: CelEvent) -> None:
    details = event_details(event)
    bridge = str(details.get("bridge_id", ""))
    for stay in reversed(channel.stays):
        if stay.bridge == bridge and stay.exited_us is None:
            stay.exited_us = event.time_us
            return
    # The row of its entry is missing: it was in, we only do not know since when.
    _stay(channel, details, event.time_us, event.time_us)


def _hang_up(channel: Channel, event: CelEvent) -> None:
    details = event_details(event)
    channel.hangup_us = event.time_us
    channel.hangup_source = str(details.get("hangupsource", ""))
    cause = details.get("hangupcause")
    channel.cause = cause if isinstance(cause, int) else None


def _end(channel: Channel, event: CelEvent) -> None:
    channel.has_end = True
    if channel.hangup_us is None:
        channel.hangup_us = event.time_us


def _pick_up(channel: Channel, event: CelEvent) -> None:
    channel.picked_up_by = str(event_details(event).get("pickup_channel_uniqueid", "")) or ""


def _forward(channel: Channel, _: CelEvent) -> None:
    channel.forwarded = True


_FOLDS = {
    "CHAN_START": _start,
    "APP_START": _start_app,
    "ANSWER": _answer,
    "BRIDGE_ENTER": _enter,
    "BRIDGE_EXIT": _leave,
    "HANGUP": _hang_up,
    "CHAN_END": _end,
    "PICKUP": _pick_up,
    "FORWARD": _forward,
}
"""What a row of each type changes; others only say that the channel was still there."""


def _name_pickers(channels: dict[str, Channel]) -> None:
    """Where the PICKUP row names the picking channel only by name, find its uniqueid."""
    by_name = {c.name: c.uniqueid for c in channels.values()}
    for channel in channels.values():
        if channel.picked_up_by == "":
            for event in channel.events:
                if event.type == "PICKUP":
                    name = str(event_details(event).get("pickup_channel", ""))
                    channel.picked_up_by = by_name.get(name, "")


def callctl_rows(channel: Channel, kind: str) -> Sequence[OwnRow]:
    """callctl's own rows of `kind` on `channel`, with their payload."""
    return channel.own_rows.get(kind, ())
