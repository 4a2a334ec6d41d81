"""Who was tried, in what order, and how each attempt ended.

A *window* is one Dial of one channel: opened by callctl's CALLCTL_TRY row, or by the APP_START row
of Dial in a journal without ours. Called channels are filed under their window; a target without
any channel was never reached, which the journal shows in no other way. A second Dial in a row
leaves no APP_START row: its channels stand for themselves then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from callctl.core.calls.channels import Channel
from callctl.core.calls.events import CelEvent
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import Attempt
from callctl.core.outcomes import AttemptResult, classify_attempt

SUBSCRIBER_ABSENT = 20
"""Q.850: the cause of a target that no channel could be made for, where no row says another."""

_BY_CAUSE = {
    17: AttemptResult.BUSY,
    21: AttemptResult.REJECTED,
    26: AttemptResult.ANSWERED_ELSEWHERE,
}
_NO_ANSWER_CAUSES = frozenset({0, 16, 19, 31, 127})
"""What a phone that just rang ends with; any other cause is the route's failure."""


SAME_MOMENT_US = 500_000
"""Two ends within this of each other may have one reason."""

_CANCEL_CAUSES = frozenset({16, 127})
"""What Dial leaves on a ringing phone when the caller hung up (Asterisk 22): before and after it
was answered by something else."""


Attempts = list[tuple[Attempt, Channel | None]]
"""Each with the channel that it speaks of (None: none was made)."""


@dataclass(frozen=True, slots=True)
class Target:
    endpoint: str | None
    number: str | None = None


@dataclass(slots=True)
class Window:
    """One Dial: by whom, when, whom, and what it said afterwards (None = no row says)."""

    dialler: Channel
    opened: CelEvent
    targets: list[Target]
    dialstatus: str | None = None
    cause: int = 0
    rang: bool = False
    ours: bool = False
    called: list[Channel] = field(default_factory=list)

    def wants(self, endpoint: str | None) -> bool:
        return any(t.endpoint == endpoint for t in self.targets)


def find_windows(channels: Iterable[Channel], inventory: Inventory) -> list[Window]:
    """All Dials of the call in order of time."""
    windows = [w for channel in channels for w in _windows_of(channel, inventory)]
    windows.sort(key=lambda w: (w.opened.time_us, w.opened.position))
    return windows


def _windows_of(channel: Channel, inventory: Inventory) -> list[Window]:
    windows: list[Window] = []
    ours: Window | None = None
    for event, fields in channel.dial_rows:
        if event.type == "CALLCTL_TRY":
            ours = Window(channel, event, _own_targets(fields, inventory), ours=True)
            windows.append(ours)
        elif event.type == "CALLCTL_ATTEMPT":
            if ours is not None and ours.dialstatus is None:
                _close(ours, fields)
            ours = None
        elif ours is None:
            windows.append(Window(channel, event, list(parse_dial_targets(event.app_data))))
    return windows


def _own_targets(fields: Mapping[str, str], inventory: Inventory) -> list[Target]:
    names = [n for n in fields.get("target", "").split("&") if n]
    endpoints = [e for e in fields.get("endpoints", "").split("&") if e]
    if fields.get("kind") == "trunk":
        endpoint = endpoints[0] if endpoints else (names[0] if names else "")
        return [Target(f"PJSIP/{endpoint}", fields.get("number") or None)]
    if len(endpoints) == len(names):
        return [Target(f"PJSIP/{e}") for e in endpoints]
    return [Target(inventory.endpoint(n)) for n in names]


def _close(window: Window, fields: Mapping[str, str]) -> None:
    window.dialstatus = fields.get("dialstatus") or "CHANUNAVAIL"
    cause = fields.get("cause", "")
    window.cause = int(cause) if cause.isascii() and cause.isdigit() and len(cause) < 4 else 0
    window.rang = fields.get("rang") == "1"


def parse_dial_targets(app_data: str) -> Iterable[Target]:
    """Targets of Dial's first argument: ``PJSIP/201&PJSIP/36…@trunk,20,t``.

    ``PJSIP/201/sip:201@192.0.2.1:5060`` is endpoint 201, ``PJSIP/36…@trunk`` a number by a trunk.
    """
    seen: set[Target] = set()
    for part in app_data.partition(",")[0].split("&"):
        technology, slash, resource = part.strip().partition("/")
        if not slash:
            continue
        name, has_uri, uri = resource.partition("/")
        user, at, host = name.partition("@")
        if technology == "Local":
            target = Target(None, user)
        elif at:
            target = Target(f"{technology}/{host}", user)
        else:
            number = uri.partition("@")[0].rpartition(":")[2] if has_uri else ""
            target = Target(f"{technology}/{name}", number or None)
        if target not in seen:
            seen.add(target)
            yield target


def assign_called(windows: list[Window], called: Iterable[Channel]) -> list[Channel]:
    """File each called channel under its Dial; returns those that no Dial explains."""
    orphans: list[Channel] = []
    for channel in called:
        window = _window_for(windows, channel)
        if window is None:
            orphans.append(channel)
        else:
            window.called.append(channel)
    return orphans


def _window_for(windows: list[Window], channel: Channel) -> Window | None:
    before = [w for w in windows if w.opened.time_us <= channel.started_us]
    for window in reversed(before):
        if window.wants(channel.endpoint):
            return window
    return None


def build_attempts(
    windows: list[Window],
    orphans: Iterable[Channel],
    channels: Mapping[str, Channel],
    inventory: Inventory,
) -> Attempts:
    """In order of time."""
    found: Attempts = []
    for window in windows:
        found.extend(_attempts_of(window, inventory))
    for channel in orphans:
        dialler = channels.get(channel.first.linkedid)
        result = _channel_result(channel, dialler, None)
        number = _number_of_orphan(channel, dialler)
        found.append((_attempt(channel, result, inventory, number), channel))
    found.sort(key=lambda pair: pair[0].started_us)
    return found


def _number_of_orphan(channel: Channel, dialler: Channel | None) -> str | None:
    """What was dialled on `channel`: the dialler's later rows say it, else the channel's own."""
    for event in reversed(dialler.events if dialler else ()):
        if event.app_name == "Dial":
            for target in parse_dial_targets(event.app_data):
                if target.endpoint == channel.endpoint and target.number:
                    return target.number
    return next((e.cid_num for e in reversed(channel.events) if e.cid_num), None)


def _attempts_of(window: Window, inventory: Inventory) -> Iterable[tuple[Attempt, Channel | None]]:
    for target in window.targets:
        if target.endpoint is None:
            continue
        channels = [c for c in window.called if c.endpoint == target.endpoint]
        if not channels:
            # Asterisk tells of the first Dial of a row of Dials only, so what is missing under a
            # Dial without our own row proves nothing.
            if window.ours:
                yield _unreached(window, target, inventory), None
            continue
        results = {id(c): _channel_result(c, window.dialler, window) for c in channels}
        best = min(channels, key=lambda c: _RANK[results[id(c)]])
        result = results[id(best)]
        yield _attempt(best, result, inventory, target.number, rang=window.rang), best


def _unreached(window: Window, target: Target, inventory: Inventory) -> Attempt:
    trunk = inventory.is_trunk(target.endpoint)
    # A carrier that is down or full is told by our own row; it speaks of the Dial as a whole.
    told = window.cause if not window.called else 0
    return Attempt(
        extension=inventory.extension(target.endpoint),
        number=target.number if trunk else None,
        endpoint=target.endpoint,
        started_us=window.opened.time_us,
        seconds=0.0,
        result=AttemptResult.UNAVAILABLE,
        cause=told or SUBSCRIBER_ABSENT,
    )


def _attempt(
    channel: Channel,
    result: AttemptResult,
    inventory: Inventory,
    number: str | None,
    *,
    rang: bool = False,
) -> Attempt:
    end = channel.answered_us if result is AttemptResult.ANSWER else channel.ended_us
    end = channel.last_us if end is None else end
    return Attempt(
        extension=inventory.extension(channel.endpoint),
        number=number if inventory.is_trunk(channel.endpoint) else None,
        endpoint=channel.endpoint,
        started_us=channel.started_us,
        seconds=max(0, end - channel.started_us) / 1_000_000,
        result=result,
        cause=channel.cause or 0,
        rang=rang,
    )


_RANK = {
    result: rank
    for rank, result in enumerate(
        (
            AttemptResult.ANSWER,
            AttemptResult.PICKUP,
            AttemptResult.FORWARD,
            AttemptResult.ANSWERED_ELSEWHERE,
            AttemptResult.CANCEL,
            AttemptResult.NOANSWER,
            AttemptResult.BUSY,
            AttemptResult.REJECTED,
            AttemptResult.UNAVAILABLE,
        )
    )
}
"""Of several contacts of one endpoint, the one that tells most speaks for the attempt."""


def _channel_result(
    channel: Channel, dialler: Channel | None, window: Window | None
) -> AttemptResult:
    if channel.picked_up_by is not None:
        return AttemptResult.PICKUP
    if channel.talks or channel.answered_us is not None:
        return AttemptResult.ANSWER
    if channel.forwarded:
        return AttemptResult.FORWARD
    if channel.cause in _BY_CAUSE:
        return _BY_CAUSE[channel.cause]
    if channel.cause is not None and channel.cause not in _NO_ANSWER_CAUSES:
        return AttemptResult.UNAVAILABLE
    if _dialler_left(channel, dialler, window):
        return AttemptResult.CANCEL
    if window is None:
        return AttemptResult.NOANSWER
    if any(c.answered_us is not None or c.talks for c in window.called):
        return AttemptResult.ANSWERED_ELSEWHERE
    if window.dialstatus and len(window.called) == 1:
        own = classify_attempt(window.dialstatus, window.cause, by_trunk=False, rang=window.rang)
        return own.result
    return AttemptResult.NOANSWER


def _dialler_left(channel: Channel, dialler: Channel | None, window: Window | None) -> bool:
    """Whether `channel` stopped ringing because whoever dialled it hung up.

    Without our row the hang-up's cause tells: a ring that timed out ends with 0.
    """
    if window is not None and window.dialstatus is not None:
        return window.dialstatus == "CANCEL"
    if dialler is None or not dialler.left_by_itself:
        return False
    if dialler.hangup_us is None or channel.ended_us is None:
        return False
    together = abs(dialler.hangup_us - channel.ended_us) < SAME_MOMENT_US
    return together and channel.cause in _CANCEL_CAUSES
