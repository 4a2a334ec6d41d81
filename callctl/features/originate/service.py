"""Click-to-call: ring an extension's phone, then let it dial. Ordered once, never resent."""

import asyncio
from collections.abc import Callable

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.orders import Orders, require_connection
from callctl.core.errors import CallctlError
from callctl.core.numbers.dialled import normalise_dialled
from callctl.core.permissions import Scope
from callctl.core.routing.model import Extension
from callctl.db.idempotency import check_key
from callctl.features.originate.model import PlaceCall, PlacedCall
from callctl.features.originate.store import CallOrder, OrderStore
from callctl.http.auth import require_scope
from callctl.http.endpoint import Actor
from callctl.telemetry.log import get_logger

log = get_logger(__name__)

CONTEXT = "originate"
"""The door of the dialplan for phones that were rung to dial (dialplan/10-doors.conf)."""

FindExtension = Callable[[int, str], Extension | None]
"""(account id, number) to the extension as it is routed now."""

RequireCall = Callable[[int, str, str], None]
"""(account id, extension, what it would dial): raises CallctlError for what the account has not
paid for."""


class OriginateService:
    """Places calls for accounts. All it knows of the routing is what it is handed in."""

    def __init__(
        self,
        ami: AmiClient,
        store: OrderStore,
        find_extension: FindExtension,
        require_call: RequireCall = lambda account_id, extension, dialled: None,
    ) -> None:
        self._ami = ami
        self._store = store
        self._orders = Orders(
            store.finish,
            store.forget,
            refused="Asterisk refused to place the call",
            uncertain="the order was sent, but whether the phone rings is unknown",
        )
        self._find_extension = find_extension
        self._require_call = require_call

    async def place(self, actor: Actor, order: PlaceCall, key: str | None) -> PlacedCall:
        """Order the call, from the actor's own extension, or from any for who sees all calls.

        With a `key` seen before, the first order's outcome is told again.

        Raises CallctlError: ``invalid_field``, ``not_found`` (no such call or client within the
        scope), ``forbidden``, ``package_required``, ``idempotency_conflict``,
        ``asterisk_unavailable`` (nothing sent; the same key may be used again), ``call_failed``
        (refused by Asterisk),
        ``call_uncertain`` (sent, outcome unknown), ``database_unavailable`` (nothing sent).
        """
        key = check_key(key)
        account_id = actor.account_id
        extension = await self.calling_extension(actor, order.from_)
        number = await self._number(actor, order, extension.number)
        asked = (extension.number, number, order.ring_seconds)
        if key and (earlier := await self._store.get_by_key(account_id, key)):
            return self._tell_again(earlier, asked)
        self._require_call(account_id, extension.number, number)
        require_connection(self._ami)
        new = await self._store.insert_order(account_id, key, actor.name, *asked)
        if new is None:
            earlier = await self._store.get_by_key(account_id, key or "")
            assert earlier is not None
            return self._tell_again(earlier, asked)
        # The client may go away; the order and its row must still come to one end together.
        return await asyncio.shield(self._send(new, extension))

    async def calling_extension(self, actor: Actor, wanted: str | None) -> Extension:
        """By whose phone the actor calls: `wanted`, None = their own. Raises
        CallctlError("invalid_field")."""
        number = wanted
        if wanted is None or actor.extensions is not None:
            user = actor.author.responsible_id
            number = await self._store.own_extension(actor.account_id, user)
            if number is None or wanted not in (None, number):
                what = "your own extension, and no other, can call" if number else "you have none"
                raise CallctlError("invalid_field", what, field="body.from")
        extension = self._find_extension(actor.account_id, number or "")
        if extension is None or not extension.enabled:
            raise CallctlError("invalid_field", f"no extension {number}", field="body.from")
        return extension

    async def _number(self, actor: Actor, order: PlaceCall, extension: str) -> str:
        """What to dial: a number that was chosen here is known to be the actor's to see."""
        if [order.to, order.call, order.client].count(None) != 2:
            raise CallctlError("invalid_field", "give one of to, call and client", "body.to")
        if order.to is not None:
            return normalise_dialled(order.to)
        if order.call is not None:
            require_scope(actor, Scope.CALLS_READ)
            number = await self._store.find_party(actor.calls, order.call, extension)
            what, place = "the call's other party is withheld or unknown", "body.call"
        else:
            require_scope(actor, Scope.CLIENTS_READ)
            number = await self._store.find_client_number(actor.account_id, order.client or 0)
            what, place = "the client has no number", "body.client"
        if number is None:
            raise CallctlError("invalid_field", what, place)
        return normalise_dialled(number, place)

    async def _send(self, order: CallOrder, extension: Extension) -> PlacedCall:
        async def act() -> None:
            await self._ami.originate(
                channel=f"PJSIP/{extension.endpoint}",
                context=CONTEXT,
                exten=order.number,
                variables={
                    "CALLCTL_ACCOUNT": str(order.account_id),
                    "CALLCTL_SOURCE": "extension",
                    "CALLCTL_KEY": order.extension,
                },
                # What the phone shows while it rings: whom it is about to call.
                caller_id=f"<{order.number}>",
                ring_seconds=order.ring_seconds,
            )

        await self._orders.send(order.id, act)
        log.info("call_ordered", order=order.id, extension=order.extension, to=order.number)
        return _placed(order)

    def _tell_again(self, earlier: CallOrder, asked: tuple[str, str, int]) -> PlacedCall:
        same = (earlier.extension, earlier.number, earlier.ring_seconds) == asked
        self._orders.check_earlier(earlier.id, earlier.state, earlier.detail, same=same)
        return _placed(earlier)


def _placed(order: CallOrder) -> PlacedCall:
    return PlacedCall(order.id, order.extension, order.number, order.placed_at)
