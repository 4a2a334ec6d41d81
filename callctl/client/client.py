"""The client: the API's own declarations, read back."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from datetime import datetime, time
from types import TracebackType
from typing import Any, TypeVar

import aiohttp
import msgspec

from callctl.client.errors import ApiError
from callctl.core.event_kinds import EventKind
from callctl.features.calls.model import CallDetail, CallFilters, CallSummary
from callctl.features.events.model import EventView, LiveView
from callctl.http.endpoint import Page

T = TypeVar("T")

_PAGE = 200
_RECONNECT_SECONDS = 2.0
_SILENCE_SECONDS = 45.0
"""The stream says something every 15 seconds: after three times that it is dead."""


class Client:
    """Use as an async context manager. Every method raises ApiError, aiohttp.ClientError."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def calls(self, **filters: Any) -> AsyncGenerator[CallSummary, None]:
        """Every call that fits, page by page; `filters` are the fields of `CallFilters`."""
        asked = CallFilters(**{"limit": _PAGE} | filters)
        while True:
            page = await self._get("/api/v1/calls", Page[CallSummary], query_of(asked))
            for call in page.items:
                yield call
            if page.next is None:
                return
            asked = msgspec.structs.replace(asked, cursor=page.next)

    async def changes(
        self, since: datetime, *, seen: Iterable[tuple[int, datetime]] = (), **filters: Any
    ) -> AsyncGenerator[CallSummary, None]:
        """Calls that are new or changed from `since` on, the oldest change first.

        Keep the last `changed_at` and go on from it the next time: nothing is passed over. `seen`
        are (id, changed_at) of calls already seen at that moment, which are left out.
        """
        known = frozenset(seen)
        async for call in self.calls(changed_since=since, sort="changed_at", **filters):
            if (call.id, call.changed_at) not in known:
                yield call

    async def call(self, id_: int) -> CallDetail:
        """One call with everything that is known of it."""
        return await self._get(f"/api/v1/calls/{id_}", CallDetail)

    async def recording(self, id_: int) -> bytes:
        """The audio of a recording."""
        async with self._session.get(f"{self._url}/api/v1/recordings/{id_}") as response:
            if response.status != 200:
                raise _error(response.status, await response.read())
            return await response.read()

    async def live(self) -> LiveView:
        """Calls that go on now."""
        return await self._get("/api/v1/calls/live", LiveView)

    async def events(
        self, *kinds: EventKind, after: str | None = None
    ) -> AsyncGenerator[tuple[str, EventView], None]:
        """(position, event) for ever: a connection that breaks is made again where it broke.

        Keep the position, and give it as `after` when your program starts anew; None begins now,
        ``"0"`` with the oldest event that is kept.
        """
        position = after
        while True:
            headers = {} if position is None else {"Last-Event-ID": position}
            try:
                async for position, event in self._stream(kinds, headers):
                    if event is not None:
                        yield position, event
            except (aiohttp.ClientError, TimeoutError):
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _stream(
        self, kinds: Iterable[EventKind], headers: dict[str, str]
    ) -> AsyncGenerator[tuple[str, EventView | None], None]:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_SILENCE_SECONDS)
        async with self._session.get(
            f"{self._url}/api/v1/events",
            params=[("kind", kind.value) for kind in kinds],
            headers=headers,
            timeout=timeout,
        ) as response:
            if response.status != 200:
                raise _error(response.status, await response.read())
            position, data, lost = "", b"", False
            async for chunk in _lines(response.content):
                name, _, value = chunk.partition(b": ")
                if name == b"id":
                    position = value.decode()
                elif name == b"data":
                    data = value
                elif name == b"event":
                    lost = value == b"lost"
                elif not chunk:
                    if lost:
                        raise ApiError(
                            410, "events_lost", "events were deleted before they were read"
                        )
                    if position:
                        event = msgspec.json.decode(data, type=EventView) if data else None
                        yield position, event
                    data = b""

    async def _get(self, path: str, kind: type[T], query: dict[str, str] | None = None) -> T:
        async with self._session.get(self._url + path, params=query) as response:
            body = await response.read()
            if response.status != 200:
                raise _error(response.status, body)
            return msgspec.json.decode(body, type=kind)


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes, None]:
    """Lines without their ends, however long one is."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line


def query_of(filters: CallFilters) -> dict[str, str]:
    """The query string of what differs from the defaults. Raises ValueError for what is no value
    of a filter."""
    default = CallFilters()
    values = {}
    for name in filters.__struct_fields__:
        value = getattr(filters, name)
        if value != getattr(default, name):
            values[name] = _text(value)
    return values


def _text(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} lacks its zone")
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, time) else str(value)


def _error(status: int, body: bytes) -> ApiError:
    """Whatever stands before callctl may answer in words of its own."""
    try:
        error: dict[str, Any] = msgspec.json.decode(body)["error"]
        return ApiError(
            status, error["code"], error["message"], error.get("field"), error.get("detail")
        )
    except (msgspec.DecodeError, KeyError, TypeError):
        return ApiError(status, "no_answer", body[:200].decode("utf-8", "replace"))
