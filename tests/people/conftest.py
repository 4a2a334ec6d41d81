"""A server with everything about people, and ways to be somebody."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import argon2
import pytest

import callctl.features.access.api as access_api
import callctl.features.accounts.api as accounts_api
import callctl.features.audit.api as audit_api
import callctl.features.people.api as people_api
import callctl.secrets
from callctl.app import sign_in_resets
from callctl.console.console import Console
from callctl.console.links import link_to
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.accounts.service import AccountService
from callctl.features.audit.service import AuditService
from callctl.features.people.groups import GroupService
from callctl.features.people.invitations import InvitationService
from callctl.features.people.users import UserService
from callctl.http.auth import Origin
from callctl.http.server import HttpServer, build_web_app
from callctl.secrets import Passwords

PASSWORD = "correct horse battery"
Answer = tuple[int, Any]


@dataclass(slots=True)
class Office:
    """`now` is the clock of the second factor, `seconds` that of the throttle."""

    db: Database
    client: aiohttp.ClientSession
    url: str
    account: int
    token: str
    now: list[datetime]
    seconds: list[float]
    accounts_changed: list[int]
    hash: str
    access: AccessService
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def ask(
        self, method: str, path: str, body: Any = None, *, who: "Person | str | None" = ""
    ) -> Answer:
        """Status and body, asked by a person's session, a token ("": the first), or nobody."""
        status, answer, _ = await self.ask_whole(method, path, body, who=who)
        return status, answer

    async def ask_whole(
        self, method: str, path: str, body: Any = None, *, who: "Person | str | None" = ""
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        headers = {"Origin": self.url}
        if isinstance(who, Person):
            headers["Cookie"] = who.cookie
        elif who is not None:
            headers["Authorization"] = f"Bearer {who or self.token}"
        async with self.client.request(
            method, f"{self.url}/api/v1{path}", json=body, headers=headers
        ) as response:
            is_json = response.content_type == "application/json"
            return response.status, await response.json() if is_json else None, response

    async def sign_in(self, login: str, password: str = PASSWORD, code: str = "") -> str:
        """The cookie."""
        body = {"login": login, "password": password, "code": code}
        status, answer, response = await self.ask_whole("POST", "/sessions", body, who=None)
        assert status == 201, answer
        return response.headers["Set-Cookie"].split(";")[0]

    async def person(
        self, login: str = "", role: str = "manager", account: int | None = None, **columns: Any
    ) -> "Person":
        """Somebody who is signed in. `columns` as in the table of users."""
        login = login or f"somebody{next(self.numbers)}"
        values = {
            "account_id": account or self.account, "login": login, "name": login, "role": role,
            "password_hash": self.hash,
        } | columns  # fmt: skip
        id_ = await self.db.fetchval(
            f"insert into users ({', '.join(values)})"
            f" values ({', '.join(f'${i + 1}' for i in range(len(values)))}) returning id",
            *values.values(),
        )
        return Person(id_, login, await self.sign_in(login))

    async def group(self, name: str) -> int:
        status, made = await self.ask("POST", "/groups", {"name": name})
        assert status == 201, made
        return int(made["id"])


@dataclass(slots=True)
class Person:
    id: int
    login: str
    cookie: str

    @property
    def path(self) -> str:
        return f"/users/{self.id}"


@pytest.fixture
async def office(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    # argon2id all the same, but a thousand times cheaper.
    cheap = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(callctl.secrets, "_HASHER", cheap)
    now, seconds, changed = [datetime(2026, 3, 1, 12, tzinfo=UTC)], [1000.0], [0]
    passwords = Passwords()
    access = AccessService(
        AccessStore(db),
        passwords=passwords,
        has_extension=lambda _account, number: number.startswith("70"),
        clock=lambda: now[0],
        monotonic=lambda: seconds[0],
    )
    made = await access.bootstrap()
    users = UserService(db, passwords, sign_in_resets(access))
    invitations = InvitationService(db, passwords, link_to("http://calls.example.org/"))

    async def accounts_changed() -> None:
        changed[0] += 1

    accounts = AccountService(db, invitations.invite_administrator, accounts_changed)
    origin = Origin()
    endpoints = [
        *access_api.endpoints(access, origin),
        *people_api.endpoints(users, GroupService(db), invitations),
        *accounts_api.endpoints(accounts),
        *audit_api.endpoints(AuditService(db)),
    ]
    console = Console(access, endpoints, origin=origin, invited=invitations.look)
    server = HttpServer(
        build_web_app(
            endpoints, access, origin=origin, pages=console.routes(), error_page=console.error_page
        )
    )
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as client:
        yield Office(
            db, client, f"http://127.0.0.1:{port}", made.account_id, made.token or "", now,
            seconds, changed, cheap.hash(PASSWORD), access,
        )  # fmt: skip
    await server.stop()
