"""One AMI connection: panoramisk's protocol and action, made safe.

Of panoramisk 1.4 the shape is used (an action is a dict with a future, registered under its id
and completed by the messages that carry it). Replaced is what was dangerous: decoding before
framing, unchecked header text, sequential ids, resending after a reconnect, obeying a "Shutdown"
event that anyone can forge, and lists without an end.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol

from callctl.asterisk.ami_protocol import (
    AmiConnectionLost,
    AmiEvent,
    AmiInvalid,
    AmiLimits,
    AmiNotConnected,
    AmiProtocolError,
    AmiReply,
    AmiResponse,
    Field,
    Framer,
    check_action,
    new_action_id,
    parse_message,
)


class SessionOwner(Protocol):
    """Who is told what the connection brings."""

    def event_received(self, event: AmiEvent) -> None: ...

    def message_refused(self, reason: str) -> None: ...


class SafeAction(Action):  # type: ignore[misc]
    """An action whose text cannot hold another one, and whose answer cannot be guessed."""

    def __init__(self, name: str, fields: Mapping[str, Field], list_messages: int) -> None:
        headers = check_action(name, fields)
        self.action_id_text = new_action_id()
        headers.insert(1, ("ActionID", self.action_id_text))
        self._wire = "".join(f"{key}: {value}\r\n" for key, value in headers) + "\r\n"
        self._room = list_messages
        self._reply: AmiReply | None = None
        self._events: list[AmiEvent] = []
        super().__init__({"Action": name, "ActionID": self.action_id_text})

    def __str__(self) -> str:
        return self._wire

    @property
    def is_listing(self) -> bool:
        """Whether events with this action's id are entries of its answer.

        Others are events of their own: OriginateResponse carries the id, too, and may even
        overtake the response.
        """
        return self._reply is not None and self._reply.opens_list and not self.future.done()

    def take_reply(self, reply: AmiReply) -> None:
        """The response; nothing more follows unless it opens a list."""
        self._reply = reply
        if not reply.opens_list:
            self._finish()

    def take_entry(self, event: AmiEvent) -> None:
        """One entry of the list, or its end. Raises AmiProtocolError ``list_too_long``."""
        if event.get("EventList").lower() in ("complete", "cancelled"):
            listed = event.get("ListItems")
            self._finish(int(listed) if listed.isdecimal() and len(listed) < 10 else None)
            return
        self._events.append(event)
        if len(self._events) > self._room:
            raise AmiProtocolError("list_too_long")

    def _finish(self, listed: int | None = None) -> None:
        reply = self._reply
        assert reply is not None
        if not self.future.done():
            self.future.set_result(
                AmiResponse(
                    success=reply.success,
                    message=reply.message,
                    fields=reply.fields,
                    output=reply.output,
                    events=tuple(self._events),
                    action_id=self.action_id_text,
                    listed=listed,
                )
            )


class AmiSession(AMIProtocol):  # type: ignore[misc]
    """A connection from its banner to its end. `lost` is done when it is over, with the reason."""

    def __init__(self, owner: SessionOwner, limits: AmiLimits) -> None:
        self._owner = owner
        self._limits = limits
        self._framer = Framer(limits)
        self._unread = b""
        self._resting: asyncio.TimerHandle | None = None
        self.closed = True
        self.greeted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.encoding = "utf-8"

    def request(self, name: str, fields: Mapping[str, Field]) -> "asyncio.Future[AmiResponse]":
        """Write one action, once. The future ends with the response, or AmiConnectionLost.

        Raises AmiInvalid (nothing written), AmiNotConnected (nothing written).
        """
        action = SafeAction(name, fields, self._limits.list_messages)
        if self.closed or self.transport.is_closing():
            raise AmiNotConnected("the AMI connection is closed")
        if len(self.responses) >= self._limits.pending_actions:
            raise AmiInvalid(f"{len(self.responses)} actions wait for a response already")
        future: asyncio.Future[AmiResponse] = action.future
        # A timeout cancels the future; a late response must then find nothing.
        future.add_done_callback(lambda _: self.responses.pop(action.action_id_text, None))
        self.send(action)
        self._wake()
        return future

    def data_received(self, data: bytes) -> None:
        """Read it in slices, one for each turn of the loop: a flood holds up nothing else."""
        waiting = bool(self._unread)
        self._unread += data
        if not waiting:
            self._read_slice()

    def _read_slice(self) -> None:
        data, self._unread = self._unread[:_SLICE_BYTES], self._unread[_SLICE_BYTES:]
        self._read(data)
        if self.closed:
            self._unread = b""
        elif self._unread:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_slice)
        elif self.responses:
            self.transport.resume_reading()
        else:
            self._rest()

    def _rest(self) -> None:
        """Events are hints, and nobody waits for an answer: a few at a time cost less than each."""
        self.transport.pause_reading()
        self._resting = asyncio.get_running_loop().call_later(_REST_SECONDS, self._wake)

    def _wake(self) -> None:
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
            if not self.closed:
                self.transport.resume_reading()

    def _read(self, data: bytes) -> None:
        if self.closed:
            return
        try:
            for raw in self._framer.feed(data):
                self._take(raw)
            if self._framer.version is not None and not self.greeted.done():
                self.greeted.set_result(self._framer.version)
        except AmiProtocolError as error:
            self.drop(error.reason)

    def _take(self, raw: bytes) -> None:
        try:
            message = parse_message(raw)
        except AmiProtocolError as error:
            self._owner.message_refused(error.reason)
            return
        action = self.responses.get(message.action_id) if message.action_id else None
        if isinstance(message, AmiEvent):
            if action is not None and action.is_listing:
                action.take_entry(message)
            else:
                self._owner.event_received(message)
        elif action is not None and not action.is_listing and not action.future.done():
            action.take_reply(message)
        else:
            self._owner.message_refused("unmatched_response")

    def drop(self, reason: str) -> None:
        """End the connection now. Never raises; a second call does nothing."""
        if not self.closed:
            self.close()
            self.transport.abort()
        self._lose(reason)

    def connection_lost(self, exc: Exception | None) -> None:
        # What it said before it went.
        rest, self._unread = self._unread, b""
        self._read(rest)
        self.close()
        self._lose("reset" if exc else "closed_by_peer")

    def close(self) -> None:
        """Fail what waits: it may have happened, so it is never sent again."""
        if self.closed:
            return
        self.closed = True
        for action in list(self.responses.values()):
            if not action.future.done():
                action.future.set_exception(AmiConnectionLost(f"{action['action']}: {_UNKNOWN}"))
        self.responses.clear()
        self.transport.close()

    def _lose(self, reason: str) -> None:
        if not self.lost.done():
            self.lost.set_result(reason)
        if not self.greeted.done():
            self.greeted.cancel()


_SLICE_BYTES = 16 * 1024
_REST_SECONDS = 0.05

_UNKNOWN = "the connection was lost before the response; whether it was done is unknown"
