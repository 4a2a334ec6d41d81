"""Orders to Asterisk that are kept: a row stands before it is sent, and gets its outcome."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from asyncpg import PostgresError

from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiError,
    AmiNotConnected,
    AmiRefused,
    AmiTimeout,
)
from callctl.core.errors import CallctlError
from callctl.core.orders import OrderState
from callctl.telemetry.log import get_logger

log = get_logger("orders")


def require_connection(ami: AmiClient) -> None:
    """Raises CallctlError("asterisk_unavailable"): before anything is written of an order."""
    if not ami.state.connected:
        raise _not_connected(ami.state.reason)


def _not_connected(why: str) -> CallctlError:
    return CallctlError("asterisk_unavailable", "no connection to Asterisk", detail=why)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders of one kind: where they are kept, and what is said of those that went wrong."""

    finish: Callable[[int, OrderState, str], Awaitable[None]]
    forget: Callable[[int], Awaitable[None]]
    refused: str
    uncertain: str

    async def send(self, id_: int, act: Callable[[], Awaitable[object]]) -> None:
        """Do `act` once, and keep how it went.

        Raises CallctlError: ``asterisk_unavailable`` (nothing was sent, and the row is gone: its
        key may be used again), ``call_uncertain``, ``call_failed``, and what `act` raises of it.
        """
        try:
            await act()
        except AmiNotConnected as error:
            await self._keep(id_, self.forget(id_))
            raise _not_connected(str(error)) from None
        except (AmiTimeout, AmiConnectionLost) as error:
            await self._keep(id_, self.finish(id_, OrderState.UNCERTAIN, str(error)))
            raise self._uncertain(id_) from None
        except AmiError as error:
            why = error.response.message if isinstance(error, AmiRefused) else str(error)
            await self._keep(id_, self.finish(id_, OrderState.REFUSED, why))
            raise self._refused(why) from None
        except CallctlError as error:
            await self._keep(id_, self.finish(id_, OrderState.REFUSED, error.message))
            raise
        await self._keep(id_, self.finish(id_, OrderState.ACCEPTED, ""))

    def check_earlier(self, id_: int, state: OrderState, detail: str, *, same: bool) -> None:
        """Tells again how an order went, to who sends the `same` again with its key.

        Raises CallctlError: ``idempotency_conflict`` for another one, and unless it was accepted.
        """
        if not same:
            raise CallctlError(
                "idempotency_conflict",
                "this key was used for another order",
                field="header.Idempotency-Key",
            )
        if state is OrderState.REFUSED:
            raise self._refused(detail)
        if state is not OrderState.ACCEPTED:
            raise self._uncertain(id_)

    async def _keep(self, id_: int, keeping: Awaitable[None]) -> None:
        # What has happened has happened: a database that is gone or full now leaves the row
        # "sending", which is told as uncertain.
        try:
            await keeping
        except (CallctlError, PostgresError, TimeoutError) as error:
            log.warning("order_outcome_not_kept", id=id_, error=str(error))

    def _refused(self, why: str) -> CallctlError:
        return CallctlError("call_failed", self.refused, detail=why)

    def _uncertain(self, id_: int) -> CallctlError:
        return CallctlError("call_uncertain", self.uncertain, detail={"id": id_})
