"""Who listens to AMI's events: one ordered, bounded queue per consumer, failing alone."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable

from callctl.asterisk.ami_protocol import AmiEvent

EventCallback = Callable[[AmiEvent], Awaitable[None] | None]
FailureHook = Callable[[str, Exception], None]
DropHook = Callable[[str], None]


class Subscription:
    """One consumer: its events come one after the other, in Asterisk's order.

    When it is slower than Asterisk for `room` events, further ones are dropped and counted in
    `dropped`: events are hints, and no consumer may hold up another or eat the memory.
    """

    def __init__(
        self,
        name: str,
        callback: EventCallback,
        room: int,
        on_failure: FailureHook,
        on_drop: DropHook,
    ) -> None:
        self.name = name
        self.dropped = 0
        self._callback = callback
        self._queue: asyncio.Queue[AmiEvent] = asyncio.Queue(room)
        self._on_failure = on_failure
        self._on_drop = on_drop
        self._task = asyncio.create_task(self._consume(), name=f"ami-events-{name}")

    def put(self, event: AmiEvent) -> None:
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1
            self._on_drop(self.name)

    async def _consume(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                result = self._callback(event)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                # The edge of one event's work: the next event has done nothing wrong.
                self._on_failure(self.name, error)
            finally:
                self._queue.task_done()

    async def drain(self) -> None:
        """Wait until all that was put is handled."""
        await self._queue.join()

    async def close(self) -> None:
        """Stop; what is queued is dropped."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class Dispatcher:
    """The subscriptions by event name (lower case); `*` takes all."""

    def __init__(self, room: int, on_failure: FailureHook, on_drop: DropHook) -> None:
        self._room = room
        self._on_failure = on_failure
        self._on_drop = on_drop
        self._by_name: dict[str, list[Subscription]] = {}

    def subscribe(self, names: Iterable[str], callback: EventCallback, name: str) -> Subscription:
        subscription = Subscription(name, callback, self._room, self._on_failure, self._on_drop)
        for event_name in names:
            self._by_name.setdefault(event_name.lower(), []).append(subscription)
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        for subscriptions in self._by_name.values():
            if subscription in subscriptions:
                subscriptions.remove(subscription)
        await subscription.close()

    def dispatch(self, event: AmiEvent) -> None:
        for key in (event.name.lower(), "*"):
            for subscription in self._by_name.get(key, ()):
                subscription.put(event)

    async def close(self) -> None:
        everyone = {id(s): s for subs in self._by_name.values() for s in subs}
        self._by_name.clear()
        for subscription in everyone.values():
            await subscription.close()
