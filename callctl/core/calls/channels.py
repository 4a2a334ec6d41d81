"""The rows of one call, folded into facts per channel. No decision is made here."""

from collections.abc import Iterable
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
    talking: bool
    entered_us: int
    exited_us: int | None = None


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
    picked_up_by: str | None = None
    forwarded: bool = False
    events: list[CelEvent] = field(default_factory=list)
    own_rows: list[CelEvent] = field(default_factory=list)

    @property
    def inner(self) -> bool:
        """A Local or other channel that is nobody's device."""
        return self.endpoint is None

    @property
    def ended_us(self) -> int | None:
        return self.hangup_us

    @property
    def talks(self) -> list[Stay]:
        return [s for s in self.stays if s.talking]

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
        _fold(channel, event)
    _mark_pickups(channels)
    return channels


def _fold(channel: Channel, event: CelEvent) -> None:
    channel.events.append(event)
    channel.last_us = max(channel.last_us, event.time_us)
    match event.type:
        case "CHAN_START":
            channel.has_start = True
            channel.first = event
            channel.name = event.channel
            channel.endpoint = endpoint_of(event.channel)
            channel.started_us = event.time_us
            channel.own_linkedid = event.linkedid == event.uniqueid
        case "ANSWER":
            if channel.answered_us is None:
                channel.answered_us = event.time_us
        case "BRIDGE_ENTER":
            details = event_details(event)
            channel.stays.append(
                Stay(
                    str(details.get("bridge_id", "")),
                    details.get("bridge_technology") != HOLDING,
                    event.time_us,
                )
            )
        case "BRIDGE_EXIT":
            _leave(channel, event)
        case "HANGUP":
            details = event_details(event)
            channel.hangup_us = event.time_us
            channel.hangup_source = str(details.get("hangupsource", ""))
            cause = details.get("hangupcause")
            channel.cause = cause if isinstance(cause, int) else None
        case "CHAN_END":
            channel.has_end = True
            if channel.hangup_us is None:
                channel.hangup_us = event.time_us
        case "PICKUP":
            channel.picked_up_by = (
                str(event_details(event).get("pickup_channel_uniqueid", "")) or ""
            )
        case "FORWARD":
            channel.forwarded = True
        case type_ if type_.startswith("CALLCTL_"):
            channel.own_rows.append(event)


def _leave(channel: Channel, event: CelEvent) -> None:
    details = event_details(event)
    bridge = str(details.get("bridge_id", ""))
    for stay in reversed(channel.stays):
        if stay.bridge == bridge and stay.exited_us is None:
            stay.exited_us = event.time_us
            return
    # The row of its entry is missing: it was in, we only do not know since when.
    talking = details.get("bridge_technology") != HOLDING
    channel.stays.append(Stay(bridge, talking, event.time_us, event.time_us))


def _mark_pickups(channels: dict[str, Channel]) -> None:
    """Where the PICKUP row names the picking channel only by name, find its uniqueid."""
    by_name = {c.name: c.uniqueid for c in channels.values()}
    for channel in channels.values():
        if channel.picked_up_by == "":
            for event in channel.events:
                if event.type == "PICKUP":
                    name = str(event_details(event).get("pickup_channel", ""))
                    channel.picked_up_by = by_name.get(name, "")


def callctl_rows(channel: Channel, kind: str) -> list[tuple[CelEvent, dict[str, str]]]:
    """callctl's own rows of `kind` on `channel`, with their payload."""
    return [(e, parse_fields(e.extra)) for e in channel.own_rows if e.type == kind]
