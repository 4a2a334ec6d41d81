"""Hang up, transfer, listen to, whisper into and barge into calls that go on.

Each is on record before Asterisk is told: nobody is listened to without a line that says who did.
What Asterisk is told is sent once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiRefused
from callctl.asterisk.orders import Orders
from callctl.core.calls.interventions import InterventionKind
from callctl.core.calls.not_live import NotLive
from callctl.core.calls.ongoing import OngoingCall, OngoingChannel, is_uniqueid
from callctl.core.errors import CallctlError
from callctl.core.numbers.dialled import normalise_dialled
from callctl.core.routing.model import Extension
from callctl.core.scope import CallScope
from callctl.features.interventions.model import InterventionView, SuperviseCall, TransferCall
from callctl.features.interventions.store import Intervention, InterventionStore, Wanted
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger("interventions")

TRANSFER_DOOR = "from-transfer"
"""Where transfers by phones enter the dialplan (dialplan/10-doors.conf), and ours as well."""

SUPERVISE_DOOR = "supervise"
"""The dialplan's context of a phone that was rung to listen (dialplan/60-supervise.conf)."""

FindCall = Callable[[CallScope, str], OngoingCall | None]
"""The call of a channel, by its unique id, while it goes on and if the scope sees it."""

FindExtension = Callable[[Actor, str | None], Awaitable[Extension]]
"""By whose phone the actor listens. Raises CallctlError("invalid_field")."""

RINGING_STOPS_SECONDS = 0.3
"""So long after its caller a phone still rings at most, unless something else rings it."""

_GONE = ("No such channel", "Channel specified does not exist")
"""How Asterisk says that a channel is no more (manager.c: action_hangup, action_blind_transfer)."""


class InterventionService:
    """`why_not_live` says why it is not known which calls go on, None when it is."""

    def __init__(
        self,
        ami: AmiClient,
        store: InterventionStore,
        find_call: FindCall,
        why_not_live: Callable[[], NotLive | None],
        calling_extension: FindExtension,
    ) -> None:
        self._ami = ami
        self._store = store
        self._orders = Orders(
            store.finish,
            store.forget,
            refused="Asterisk refused it",
            uncertain="Asterisk was told, but whether it did is unknown",
        )
        self._find_call = find_call
        self._why_not_live = why_not_live
        self._calling_extension = calling_extension

    async def hang_up(self, actor: Actor, uniqueid: str) -> InterventionView:
        """End the call for everybody in it.

        Raises CallctlError: `not_found` (no such call goes on within the actor's scope),
        `asterisk_unavailable`, `conflict` (over meanwhile, or nobody of the scope takes part any
        more: to have rung is not to take part; to an emergency number), `call_failed`,
        `call_uncertain`.
        """
        call = self._call(actor, uniqueid)
        _require_allowed(call, InterventionKind.HANG_UP)

        async def act() -> None:
            # The caller's first: while it is there, a hunt goes on to the next one.
            first, *others = call.channels
            talking = [c for c in others if c.talking]
            ringing = [c for c in others if not c.talking]
            done = [await self._hang_up(channel) for channel in (first, *talking)]
            if ringing:
                # A phone that rings stops with who rings it, and nobody has taken the call; ended
                # at the same moment, it would be on record as having refused it.
                await asyncio.sleep(RINGING_STOPS_SECONDS)
                done += [await self._hang_up(channel) for channel in ringing]
            if not any(done):
                raise _over()

        return await self._do(_wanted(actor, call, InterventionKind.HANG_UP), act)

    async def transfer(self, actor: Actor, uniqueid: str, order: TransferCall) -> InterventionView:
        """Send the other party of an extension elsewhere, as that phone could.

        Raises CallctlError: as `hang_up`; `invalid_field`; `conflict` also for a call that nobody
        has answered yet.
        """
        call, kind = self._call(actor, uniqueid), InterventionKind.TRANSFER
        _require_allowed(call, kind)
        to = normalise_dialled(order.to)
        own = None
        if order.extension is None:
            with suppress(CallctlError):
                own = (await self._calling_extension(actor, None)).number
        channel = _choose(call, order.extension, own)

        async def act() -> None:
            if not await self._tell(
                "BlindTransfer", Channel=channel.name, Context=TRANSFER_DOOR, Exten=to
            ):
                raise _over()

        return await self._do(_wanted(actor, call, kind, channel.extension, to), act)

    async def supervise(
        self, actor: Actor, uniqueid: str, order: SuperviseCall, key: str | None = None
    ) -> InterventionView:
        """Ring the actor's phone, and let it hear the call. With a `key` seen before, the first
        order's outcome is told again.

        Raises CallctlError: as `hang_up`; `invalid_field`; `conflict` also for a call that nobody
        has answered yet, and for one's own; `idempotency_conflict`, `call_failed`.
        """
        if key is not None and (earlier := await self._store.find_by_key(actor, key)):
            call_id = self._call_id(actor, uniqueid)
            return self._tell_again(earlier, earlier.is_order(call_id, order.mode, order.extension))
        call = self._call(actor, uniqueid)
        supervisor = await self._calling_extension(actor, order.from_)
        if any(c.extension == supervisor.number for c in call.channels):
            raise CallctlError("conflict", f"{supervisor.number} takes part in the call")
        channel = _choose(call, order.extension, None)
        kind = InterventionKind(order.mode)

        async def act() -> None:
            await self._ami.originate(
                channel=f"PJSIP/{supervisor.endpoint}",
                context=SUPERVISE_DOOR,
                exten=channel.extension or "",
                variables={
                    "CALLCTL_ACCOUNT": str(actor.account_id),
                    "CALLCTL_KEY": supervisor.number,
                    "CALLCTL_SUPERVISE": order.mode,
                    "CALLCTL_HEARD": channel.name,
                    "CALLCTL_LISTENER": supervisor.endpoint,
                },
                caller_id=f"<{channel.extension}>",
                ring_seconds=order.ring_seconds,
            )

        wanted = _wanted(actor, call, kind, channel.extension, supervisor.number, key)
        return await self._do(wanted, act)

    def _call(self, actor: Actor, uniqueid: str) -> OngoingCall:
        if not is_uniqueid(uniqueid):
            raise _not_found(uniqueid)
        why = self._why_not_live()
        if why is not None or not self._ami.state.connected:
            raise CallctlError(
                "asterisk_unavailable",
                "it is not known which calls go on",
                detail=why.reason if why else self._ami.state.reason,
            )
        call = self._find_call(actor.calls, uniqueid)
        if call is None:
            raise _not_found(uniqueid)
        return call

    def _call_id(self, actor: Actor, uniqueid: str) -> str:
        """Of a call that may be over: then it is known by its own id only."""
        call = self._find_call(actor.calls, uniqueid)
        return uniqueid if call is None else call.call_id

    async def _do(self, wanted: Wanted, act: Callable[[], Awaitable[None]]) -> InterventionView:
        new = await self._store.begin(wanted)
        if new is None:
            earlier = await self._store.get_by_key(wanted)
            return self._tell_again(earlier, earlier.is_of(wanted))
        # The client may go away; what Asterisk does and what is on record belong together.
        return await asyncio.shield(self._send(new, act))

    async def _send(
        self, new: Intervention, act: Callable[[], Awaitable[None]]
    ) -> InterventionView:
        await self._orders.send(new.id, act)
        log.info("intervened", kind=new.kind.value, call_id=new.call_id, id=new.id)
        return new.view()

    def _tell_again(self, earlier: Intervention, same: bool) -> InterventionView:
        self._orders.check_earlier(earlier.id, earlier.state, earlier.detail, same=same)
        return earlier.view()

    async def _hang_up(self, channel: OngoingChannel) -> bool:
        return await self._tell("Hangup", Channel=channel.name, Cause="16")

    async def _tell(self, name: str, **fields: str) -> bool:
        """Whether Asterisk did it: not where the channel has gone meanwhile. Raises AmiRefused
        where it has another reason."""
        response = await self._ami.action(name, within=None, **fields)
        if response.success:
            return True
        if response.message in _GONE:
            return False
        log.warning("intervention_refused", action=name, reason=response.message)
        raise AmiRefused(name, response)


def _require_allowed(call: OngoingCall, kind: InterventionKind) -> None:
    """Raises CallctlError("conflict")."""
    if why := call.why_not(kind):
        raise CallctlError("conflict", why)


def _wanted(
    actor: Actor,
    call: OngoingCall,
    kind: InterventionKind,
    extension: str | None = None,
    target: str | None = None,
    key: str | None = None,
) -> Wanted:
    return Wanted(actor.account_id, call.call_id, kind, extension, target, actor.author, key)


def _choose(call: OngoingCall, wanted: str | None, own: str | None) -> OngoingChannel:
    """The side of the call to act on: `wanted`, else `own`, else who was called."""
    talking: Sequence[OngoingChannel] = call.talking_extensions()
    if wanted is not None:
        found = [c for c in talking if c.extension == wanted]
        if not found:
            raise CallctlError(
                "invalid_field", f"{wanted} does not talk in this call", "body.extension"
            )
        return found[0]
    if not talking:
        raise CallctlError("conflict", "nobody talks in this call yet")
    return next((c for c in talking if c.extension == own), talking[-1])


def _not_found(uniqueid: str) -> CallctlError:
    return CallctlError("not_found", f"no call under way has the channel {uniqueid[:80]}")


def _over() -> CallctlError:
    return CallctlError("conflict", "the call is over, or moves to somebody else just now")
