"""A walk through the operations of the API that watches the audit log and the keys of requests."""

import secrets
from typing import Any

import aiohttp
import msgspec

from callctl.http.endpoint import Endpoint
from tests.app.full_house import WORD, House
from tests.app.test_permissions import NO_ID


class Walk:
    """Asks as the full account's administrator, and looks for a line after every answer."""

    def __init__(self, house: House, client: aiohttp.ClientSession) -> None:
        self.house = house
        self.done: set[str] = set()
        self.sent_again: set[str] = set()
        self._takes_key = {
            f"{e.method} {e.path}": e for e in house.daemon.endpoints() if e.idempotent
        }
        self._client = client
        self._boss = house.sessions[f"{WORD}-boss"]

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        who: dict[str, str] | None = None,
        *,
        key: str | None = None,
        error: str | None = None,
    ) -> Any:
        """The answer, which must be good, or this `error`; a new cookie goes into `who`."""
        headers = self._boss if who is None else who
        if key is not None:
            headers = headers | {"Idempotency-Key": key}
        sent = {"data": body} if isinstance(body, str) else {"json": body}
        if isinstance(body, str):
            headers = headers | {"Content-Type": "text/csv"}
        url = self.house.url + path
        async with self._client.request(method, url, headers=headers, **sent) as response:
            text = await response.text()
            if error is not None:
                assert f'"code":"{error}"' in text, (method, path, text)
                return None
            assert response.status < 300, (method, path, text)
            if who is not None and "Set-Cookie" in response.headers:
                who["Cookie"] = response.headers["Set-Cookie"].split(";")[0]
            return await response.json() if response.content_type == "application/json" else None

    async def change(
        self,
        method: str,
        path: str,
        body: Any = None,
        who: dict[str, str] | None = None,
        **ids: object,
    ) -> Any:
        """The answer. An operation that takes a key is sent again, with that key."""
        operation = f"{method} /api/v1{path.partition('?')[0]}"
        url = f"/api/v1{path.format(**ids)}"
        endpoint = self._takes_key.get(operation)
        key = secrets.token_hex(8) if endpoint else None
        before = await self._lines()
        answer = await self.ask(method, url, body, who, key=key)
        assert await self._lines() > before, f"{operation} writes no line of the audit log"
        self.done.add(operation)
        if endpoint and key:
            await self._send_again(endpoint, url, body, who, key, answer)
        return answer

    async def ask_twice(self, path: str, body: Any) -> Any:
        """As `change`, of a POST that writes no line."""
        endpoint, key = self._takes_key[f"POST /api/v1{path}"], secrets.token_hex(8)
        answer = await self.ask("POST", endpoint.path, body, key=key)
        await self._send_again(endpoint, endpoint.path, body, None, key, answer)
        return answer

    async def _send_again(
        self,
        endpoint: Endpoint,
        url: str,
        body: Any,
        who: dict[str, str] | None,
        key: str,
        first: Any,
    ) -> None:
        """Nothing comes of it but the first answer; another request with the key is refused."""
        before = await self._lines()
        method = endpoint.method
        assert await self.ask(method, url, body, who, key=key) == first, (method, url)
        example = endpoint.body_example
        another = url, msgspec.to_builtins(example)
        if example is None or msgspec.convert(body, type(example)) == example:
            another = _of_another(endpoint.path, url), body
        if isinstance(body, str):
            another = url, f"{body}\n"
        await self.ask(method, *another, who, key=key, error="idempotency_conflict")
        assert await self._lines() == before, f"{method} {url} is done twice"
        self.sent_again.add(f"{method} {endpoint.path}")

    async def _lines(self) -> int:
        count: int = await self.house.daemon.db.fetchval("select count(*) from audit")
        return count

    async def id_of(self, table: str) -> int:
        """The first that the full account has."""
        id_: int = await self.house.daemon.db.fetchval(
            f"select min(id) from {table} where account_id = $1", self.house.full
        )
        return id_


def _of_another(template: str, url: str) -> str:
    """The address of an object that there is not."""
    parts = zip(template.split("/"), url.split("/"), strict=True)
    return "/".join(
        part if not named.startswith("{") else NO_ID if part.isdecimal() else f"{part}9"
        for named, part in parts
    )
