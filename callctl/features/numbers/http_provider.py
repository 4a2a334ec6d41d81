"""A provider of numbers that is asked over HTTP, by the protocol of docs/numbers.md.

An order that had no clear answer is sent again under the same key; a clear no is final.
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import msgspec
from msgspec import Meta, Struct, field

from callctl.core.numbers.kinds import Capability, NumberType
from callctl.features.numbers.model import Currency, Price
from callctl.features.numbers.providers import (
    ProviderOffer,
    ProviderRefused,
    ProviderUnclear,
    Wish,
)

MOST_ANSWER_BYTES = 1024 * 1024
REFUSALS = frozenset({404, 409, 410, 422})
"""Statuses that say no to this number; everything else but 2xx says nothing."""


class _Offer(Struct, frozen=True):
    number: Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{4,14}$")]
    currency: Currency
    setup: Price
    monthly: Price
    area: Annotated[str, Meta(max_length=100)] = ""
    type: NumberType | None = None
    capabilities: Annotated[list[Capability], Meta(min_length=1)] = field(
        default_factory=lambda: [Capability.VOICE]
    )

    def offer(self) -> ProviderOffer:
        return ProviderOffer(
            self.number,
            self.area,
            tuple(sorted({c.value for c in self.capabilities})),
            self.currency,
            self.setup,
            self.monthly,
            self.type,
        )


class _Found(Struct, frozen=True):
    numbers: Annotated[list[_Offer], Meta(max_length=1000)]


class _Order(Struct, frozen=True):
    reference: Annotated[str, Meta(min_length=1, max_length=200)]


class HttpProvider:
    """Use as an async context manager, or let `close` end its connections.

    `url` is the root of the provider's API. Each attempt lasts `timeout_seconds` at most.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_seconds: float = 5.0,
        waits: Sequence[float] = (0.2, 1.0),
    ) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._waits = waits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "HttpProvider":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def search(self, wish: Wish) -> list[ProviderOffer]:
        names = ("country", "area", "type", "capability", "pattern", "limit")
        asked = {n: str(v) for n in names if (v := getattr(wish, n)) is not None}
        try:
            found = await self._ask("GET", "/numbers", _Found, query=asked)
        except ProviderRefused:
            return []
        return [one.offer() for one in found.numbers]

    async def reserve(self, number: str, seconds: int, key: str) -> ProviderOffer:
        body = {"number": number, "seconds": seconds}
        offer: _Offer = await self._ask("POST", "/reservations", _Offer, body=body, key=key)
        return offer.offer()

    async def buy(self, number: str, key: str) -> str:
        order: _Order = await self._ask("POST", "/orders", _Order, body={"number": number}, key=key)
        return order.reference

    async def release(self, number: str, reference: str, key: str) -> None:
        try:
            await self._ask("DELETE", f"/orders/{quote(reference, safe='')}", None, key=key)
        except ProviderRefused:
            # What is not there any more is given back.
            return

    async def _ask(
        self,
        method: str,
        path: str,
        answer: Any,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        key: str = "",
    ) -> Any:
        """The answer as `answer` (None: it is not looked at). Tried as often as there are `waits`,
        and once more."""
        for wait in (*self._waits, None):
            try:
                return await self._ask_once(method, path, answer, query, body, key)
            except ProviderUnclear:
                if wait is None:
                    raise
                await asyncio.sleep(wait)
        raise AssertionError("not reached")

    async def _ask_once(
        self,
        method: str,
        path: str,
        answer: Any,
        query: Mapping[str, str] | None,
        body: Any,
        key: str,
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            async with self._session.request(
                method,
                self._url + path,
                params=query,
                json=body,
                headers=headers,
                allow_redirects=False,
            ) as response:
                raw, status = await _read(response), response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ProviderUnclear(f"{method} {path}: {error or type(error).__name__}") from None
        if status in REFUSALS:
            raise ProviderRefused(_reason(raw, status))
        if status not in (200, 201, 204):
            # 202 too: the order is taken, but not decided.
            raise ProviderUnclear(f"{method} {path}: HTTP {status}")
        if answer is None:
            return None
        try:
            return msgspec.json.decode(raw, type=answer)
        except msgspec.MsgspecError as error:
            raise ProviderUnclear(f"{method} {path}: {error}") from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    raw = b""
    async for chunk in response.content.iter_any():
        raw += chunk
        if len(raw) > MOST_ANSWER_BYTES:
            raise ProviderUnclear(f"an answer of more than {MOST_ANSWER_BYTES} bytes")
    return raw


def _reason(raw: bytes, status: int) -> str:
    """What a refusal says in ``{"reason": …}``; it is a stranger's text."""
    try:
        said = msgspec.json.decode(raw)
        reason = said.get("reason") if isinstance(said, dict) else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        reason = None
    text = reason[:200] if isinstance(reason, str) else ""
    return text if text and text.isprintable() else f"the provider says no (HTTP {status})"
