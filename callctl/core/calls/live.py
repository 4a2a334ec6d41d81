"""Calls that go on now: a fold over the journal's rows as they are read.

It knows less than the record (`build_call`), and costs a few microseconds a row: it is what a
person looks at while a call lasts, never what is kept.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callctl.core.calls.events import CelEvent, parse_fields, unique_key
from callctl.core.calls.grouping import joined_ids
from callctl.core.calls.inventory import TRUNK_CONTEXTS, endpoint_of
from callctl.core.calls.text import clean_name, clean_number
from callctl.core.event_kinds import EventKind
from callctl.core.routing.plan import Direction, is_emergency_route

NEWS_US = 30_000_000
"""Older rows are a backlog's: that somebody rang then is no news (microseconds)."""

_NO_NUMBER = frozenset({"", "s", "h", "failed"})
_HOLDING = '"holding_bridge"'
_MOVED = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "LOCAL_OPTIMIZE"})

Endpoints = Mapping[str, tuple[int, str, str]]
"""Endpoint → (account id, "extension" | "trunk", key), as the routing table has it."""


@dataclass(slots=True)
class LiveChannel:
    """One channel; `inner`: a Local or other channel that is nobody's device."""

    uniqueid: str
    name: str
    inner: bool
    extension: str | None
    trunk: str | None
    answered: bool = False
    in_bridge: bool = False
    answered_us: int | None = None


@dataclass(slots=True)
class LiveCall:
    """A call that goes on. Times are microseconds; numbers as the caller's side wrote them.
    `caller` is the first channel that is somebody's device, or lets a test call in. `emergency`: it
    has been led to an emergency number, at first or later; `free`: at first, so that it costs
    nothing, as its record says."""

    call_id: str
    account_id: int | None
    started_us: int
    direction: Direction
    from_number: str | None
    from_name: str | None
    to_number: str | None
    extension: str | None
    did: str | None = None
    emergency: bool = False
    free: bool = False
    feature: str | None = None
    caller: str | None = None
    answered_us: int | None = None
    answered_by: str | None = None
    rang: bool = False
    channels: dict[str, LiveChannel] = field(default_factory=dict)
    extensions: dict[str, None] = field(default_factory=dict)
    ids: list[str] = field(default_factory=list)

    @property
    def trunk(self) -> str | None:
        """The endpoint of the trunk by which somebody outside was reached."""
        called = (c for u, c in self.channels.items() if u != self.caller and c.answered)
        return next((c.trunk for c in called if c.trunk), None)

    @property
    def ringing(self) -> list[str]:
        """Who rings now: extensions, or the trunk that calls somebody outside. Also a phone that is
        rung to dial or to listen: it begins the call, and with no number."""
        rung = self.extension is not None and self.to_number is None
        called = [c for u, c in self.channels.items() if not c.inner and (u != self.caller or rung)]
        return [c.extension or c.trunk or c.name for c in called if not c.answered]

    @property
    def talking(self) -> list[str]:
        """Extensions that are joined with somebody now."""
        own = (c.extension for c in self.channels.values() if c.in_bridge and c.extension)
        return list(dict.fromkeys(own))


@dataclass(frozen=True, slots=True)
class LiveNews:
    """Something that a call has just begun to be: `CALL_RINGING` or `CALL_ANSWERED`."""

    kind: EventKind
    call: LiveCall
    at_us: int
    ringing: tuple[str, ...]


class LiveCalls:
    """All calls of one Asterisk that go on. Rows may come twice; the second time changes nothing
    but for a call that is over, which `retain` then drops."""

    def __init__(self) -> None:
        self._of: dict[str, LiveCall] = {}
        self._calls: dict[str, LiveCall] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[LiveCall]:
        return iter(list(self._calls.values()))

    def call_of(self, uniqueid: str) -> LiveCall | None:
        """The call that a channel is or was a part of, while it goes on."""
        return self._of.get(uniqueid)

    def feed(self, events: Sequence[CelEvent], endpoints: Endpoints, now_us: int) -> list[LiveNews]:
        """Take rows in; what of it is news at `now_us`, in order."""
        news: list[LiveNews] = []
        for event in events:
            kind = event.type
            if kind == "CHAN_START":
                self._start(event, endpoints, news)
                continue
            call = self._of.get(event.uniqueid)
            if call is None:
                continue
            if event.linkedid not in self._of or self._of[event.linkedid] is not call:
                call = self._join(call, (event.linkedid,))
            if kind == "BRIDGE_ENTER":
                self._bridged(call, event, news)
            elif kind in ("CHAN_END", "HANGUP"):
                self._end(call, event.uniqueid)
            elif kind == "ANSWER":
                channel = call.channels.get(event.uniqueid)
                if channel is not None:
                    channel.answered = True
                    channel.answered_us = channel.answered_us or event.time_us
            elif kind == "BRIDGE_EXIT":
                channel = call.channels.get(event.uniqueid)
                if channel is not None:
                    channel.in_bridge = False
            elif kind == "CALLCTL_ROUTE":
                _routed(call, event)
            elif kind in _MOVED:
                self._join(call, joined_ids(event))
        return [n for n in news if now_us - n.at_us < NEWS_US]

    def retain(self, open_channels: Collection[str]) -> None:
        """Drop what Asterisk has no more: channels that are not among `open_channels`."""
        for call in list(self._calls.values()):
            for uniqueid in list(call.channels):
                if uniqueid not in open_channels:
                    self._end(call, uniqueid)

    def _start(self, event: CelEvent, endpoints: Endpoints, news: list[LiveNews]) -> None:
        call = self._of.get(event.uniqueid) or self._of.get(event.linkedid)
        if call is not None and event.uniqueid in call.channels:
            return
        endpoint = endpoint_of(event.channel)
        name = (endpoint or "").partition("/")[2]
        owner = endpoints.get(name)
        trunk = name if owner is not None and owner[1] == "trunk" else None
        extension = None if endpoint is None or trunk else (owner[2] if owner else name)
        channel = LiveChannel(event.uniqueid, event.channel, endpoint is None, extension, trunk)
        if call is None:
            call = self._new_call(event, owner[0] if owner else None)
        elif call.account_id is None and owner is not None:
            call.account_id = owner[0]
        self._name(call, event.uniqueid)
        call.channels[event.uniqueid] = channel
        if extension is not None:
            call.extensions[extension] = None
        if channel.inner:
            # A number's test has no caller's device: the second half of what lets it in calls.
            let_in = event.context in TRUNK_CONTEXTS and event.uniqueid != call.call_id
            if call.caller is None and let_in:
                _begin(call, event, channel)
            return
        if call.caller is None:
            _begin(call, event, channel)
            return
        if trunk is not None and call.direction is Direction.INTERNAL:
            call.direction = Direction.OUTBOUND
        if not call.rang:
            call.rang = True
            who = (extension or trunk or name,)
            news.append(LiveNews(EventKind.CALL_RINGING, call, event.time_us, who))

    def _new_call(self, event: CelEvent, owner: int | None) -> LiveCall:
        dialled = event.exten if event.exten not in _NO_NUMBER else ""
        call = LiveCall(
            call_id=event.uniqueid,
            account_id=owner,
            started_us=event.time_us,
            direction=Direction.INTERNAL,
            from_number=None,
            from_name=None,
            to_number=clean_number(dialled, keep=True) if dialled else None,
            extension=None,
        )
        self._calls[call.call_id] = call
        self._name(call, event.linkedid)
        return call

    def _name(self, call: LiveCall, id_: str) -> None:
        if id_ not in self._of:
            call.ids.append(id_)
        self._of[id_] = call

    def _bridged(self, call: LiveCall, event: CelEvent, news: list[LiveNews]) -> None:
        channel = call.channels.get(event.uniqueid)
        if channel is None or _HOLDING in event.extra:
            return
        channel.in_bridge = channel.answered = True
        if call.answered_us is not None:
            return
        caller = call.channels.get(call.caller or "")
        if caller is None or not caller.in_bridge:
            return
        others = [c for c in call.channels.values() if c is not caller and c.in_bridge]
        met = next((c for c in others if not c.inner), None)
        if met is None:
            return
        call.answered_us = event.time_us
        call.answered_by = met.extension
        news.append(LiveNews(EventKind.CALL_ANSWERED, call, event.time_us, ()))

    def _end(self, call: LiveCall, uniqueid: str) -> None:
        call.channels.pop(uniqueid, None)
        if not call.channels and self._calls.pop(call.call_id, None) is not None:
            for id_ in call.ids:
                self._of.pop(id_, None)

    def _join(self, call: LiveCall, ids: Iterable[str]) -> LiveCall:
        """`ids` are of the same call; of two calls that turn out to be one the older one stays."""
        for id_ in ids:
            other = self._of.get(id_)
            if other is None:
                self._name(call, id_)
            elif other is not call:
                keep, lose = sorted((call, other), key=lambda c: unique_key(c.call_id))
                keep.channels.update(lose.channels)
                keep.extensions.update(lose.extensions)
                keep.answered_us = _earlier(keep.answered_us, lose.answered_us)
                keep.answered_by = keep.answered_by or lose.answered_by
                keep.account_id = keep.account_id or lose.account_id
                keep.rang = keep.rang or lose.rang
                keep.emergency = keep.emergency or lose.emergency
                keep.ids += lose.ids
                for moved in lose.ids:
                    self._of[moved] = keep
                del self._calls[lose.call_id]
                call = keep
        return call


def _begin(call: LiveCall, event: CelEvent, channel: LiveChannel) -> None:
    """The caller's own channel: by it the call came in, or not."""
    inbound = channel.trunk is not None or event.context in TRUNK_CONTEXTS
    call.caller = event.uniqueid
    call.direction = Direction.INBOUND if inbound else Direction.INTERNAL
    call.extension = None if inbound else channel.extension
    call.from_number = clean_number(event.cid_num) or call.extension
    call.from_name = clean_name(event.cid_name)


def _earlier(a: int | None, b: int | None) -> int | None:
    return min((t for t in (a, b) if t is not None), default=None)


def _routed(call: LiveCall, event: CelEvent) -> None:
    """What callctl itself decided is known better by it than by the channel."""
    if call.to_number is None and event.exten not in _NO_NUMBER:
        # A phone that was rung to dial begins with no number.
        call.to_number = clean_number(event.exten, keep=True)
    fields = parse_fields(event.extra)
    route = fields.get("route", "")
    call.emergency = call.emergency or is_emergency_route(route)
    if call.did is not None:
        return
    account = fields.get("account", "")
    if account.isascii() and account.isdecimal() and len(account) <= 18:
        call.account_id = int(account)
    direction = fields.get("direction", "")
    if direction in ("outbound", "internal") and call.direction is not Direction.INBOUND:
        call.direction = Direction(direction)
    call.did = fields.get("did") or ""
    call.free = is_emergency_route(route)
    call.feature = route.removeprefix("feature:") if route.startswith("feature:") else None
