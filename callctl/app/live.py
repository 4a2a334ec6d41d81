"""Calls that go on: whether they are seen as they are, and which of them talk."""

import time
from collections.abc import Iterator

from callctl.asterisk.ami import AmiClient
from callctl.core.calls.not_live import Missing, NotLive
from callctl.core.calls.ongoing import OngoingCall, OngoingChannel
from callctl.core.scope import CallScope
from callctl.features.calls.reader import JournalReader
from callctl.features.events.live import LiveDesk
from callctl.features.long_calls.service import TalkingCall
from callctl.features.spend.extending import Talk

LIVE_WITHIN_SECONDS = 3.0
"""Longer ago the journal was read to its end: what goes on now is not known."""


def why_not_live(ami: AmiClient, reader: JournalReader | None) -> NotLive | None:
    """Why what is known of calls that go on may be old; None when it is not."""
    state = ami.state
    if reader is None:
        return NotLive(Missing.DATABASE, "waits for the database")
    read_until = reader.read_until
    ago = None if read_until is None else time.monotonic() - read_until
    since = None if ago is None else time.time() - ago
    if reader.unreadable is not None:
        return NotLive(Missing.JOURNAL, reader.unreadable, since)
    if reader.last_error is not None:
        return NotLive(Missing.DATABASE, reader.last_error, since)
    if ago is None or ago > LIVE_WITHIN_SECONDS:
        return NotLive(Missing.JOURNAL, "the journal is still being read", since)
    if not state.connected:
        return NotLive(Missing.ASTERISK, state.reason, state.since)
    return None


def talk_outside(desk: LiveDesk, uniqueid: str) -> Talk | None:
    """The answered channel by which the call of channel `uniqueid` goes outside; None when nobody
    has answered it, when there are several, or when it is not known which there are."""
    call = desk.call_of(uniqueid) if desk.why_not_live() is None else None
    if call is None:
        return None
    called = [
        channel
        for channel in call.channels.values()
        if channel.trunk is not None and channel.uniqueid != call.caller
    ]
    if len(called) != 1 or called[0].answered_us is None:
        return None
    return Talk(called[0].name, called[0].answered_us / 1_000_000)


def talking_calls(desk: LiveDesk, before_us: int) -> Iterator[TalkingCall]:
    """Calls that go on and were answered before; none while it is not known which do."""
    if desk.why_not_live() is not None:
        return
    now_us = time.time_ns() // 1000
    for call in desk.calls():
        if call.answered_us is not None and call.answered_us < before_us:
            view = desk.view_of(call, now_us)
            yield TalkingCall(
                call_id=call.call_id,
                account_id=desk.account_of(call),
                direction=call.direction,
                from_number=view.from_number,
                to_number=view.to_number,
                customer_number=view.customer_number,
                parties=tuple(e for e in (call.extension, call.answered_by) if e),
                extensions=tuple(call.extensions),
                answered_us=call.answered_us,
                channels=tuple(c.name for c in call.channels.values() if not c.inner),
                trunk=call.trunk,
                emergency=call.emergency,
            )


def ongoing_call(desk: LiveDesk, scope: CallScope, uniqueid: str) -> OngoingCall | None:
    """The call of channel `uniqueid`, if `scope` sees it, as it is to be acted on."""
    call = desk.find(scope, uniqueid)
    if call is None:
        return None
    # Where there are people's channels, the inner ones end with them.
    people = [c for c in call.channels.values() if not c.inner] or list(call.channels.values())
    people.sort(key=lambda c: c.uniqueid != call.caller)
    channels = tuple(OngoingChannel(c.name, c.extension, c.in_bridge) for c in people)
    return OngoingCall(call.call_id, channels, scope.extensions, call.emergency)
