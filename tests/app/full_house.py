"""An account that has one of everything, each with a word in it that no other account may see."""

import io
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any

from callctl.app import Daemon
from callctl.core.permissions import ALL_SCOPES, Role, grantable_scopes, scopes_of_role
from callctl.features.access.model import NewToken
from callctl.features.calls.model import CallFilters, NewSavedFilter
from callctl.features.calls.saved_filters import SavedFilterService
from callctl.features.people.model import NewGroup, NewInvitation
from callctl.features.rates.model import (
    ApplyImport,
    ImportOptions,
    NewAssignment,
    NewTariff,
)
from callctl.http.endpoint import Actor
from callctl.secrets import digest

WORD = "zqx"
_ROUTING = """
account: {{code: {code}, name: {word} office, country: HU, timezone: UTC}}
extensions: [{{number: 701, name: {word} phone}}]
trunks: [{{name: {word}-carrier, host: 192.0.2.1, match: [192.0.2.1]}}]
dids: [{{number: +3617000001, to: [extension:701]}}]
hunt_groups: [{{name: {word}, members: [701]}}]
"""
_CALL = """
with n as (insert into numbers (number, grams) values ('+36209998877', '{362}') returning id),
     c as (insert into calls (account_id, call_id, linkedids, direction, from_number_id, from_name,
             customer_number_id, answered_by, route, plan_id, why, started_at, answered_at,
             ended_at, wait_seconds, talk_seconds, total_seconds, disposition, missed,
             has_recording, tried, completeness)
           select $1, 'a-1.1', '{a-1.1}', 'inbound', id, $2, id, '701', 'did:701', 'p', '',
             '2026-03-01 12:00Z', '2026-03-01 12:01Z', '2026-03-01 12:02Z', 60, 60, 120, 'ANSWERED',
             false, true, '{701}', 'complete' from n returning id, started_at),
     e as (insert into call_extensions (account_id, extension, started_at, call)
           select $1, '701', started_at, id from c),
     r as (insert into call_rows (call, rows) select id, $3 from c)
insert into recordings (call, account_id, file, started_at, state, path, seconds, bytes)
select id, $1, $2 || '.wav', started_at, 'available', $2, 60, 100 from c
"""
_COST = """
insert into call_costs (call, side, payer_id, leg, number, answered_at, version_id, prefix,
                        with_hours, destination, talk_seconds, billed_seconds, amount, currency)
select c.id, 'carrier', $1, 0, '+36701234567', c.started_at, v.id, '3670', false, $2, 60, 60, 100,
       'USD'
from calls c cross join tariff_versions v where c.account_id = $1 and v.number is not null
"""
_HOLD = """
insert into limit_holds (account_id, extension, destination, reason, number, asked_at, last_at)
values ($1, '701', $2, '', '+442071838750', now(), now())
"""
_NOTICE = """
insert into limit_notices (account_id, extension, destination, action, limit_name, reason, number,
                           calls, first_at, last_at)
values ($1, '701', $2, 'warn', 'x', '', '+442071838750', 1, now(), now())
"""
_PACKAGE = """
insert into packages (account_id, seats, since, months, until)
values ($1, 2, now(), 1, now() + interval '1 month')
"""
_SEAT = "insert into package_members (account_id, user_id, added_by) values ($1, $2, $3)"
_QUOTE = """
insert into package_quotes (account_id, seller_id, purchase, seats, months, price, currency, lines,
                            amount, until, basis, created_at, created_by, expires_at)
values ($1, (select parent_id from accounts where id = $1), 'renew', 2, 1, 0, 'USD', '[]', 0, now(),
        '{}', now(), $2, now() + interval '1 hour')
"""
_NUMBER = """
with s as (
    insert into stock_numbers (number, seller_id, country, area, type, capabilities, currency,
                               setup_price, monthly_price, state, account_id)
    values ('+3617000009', $2, 'HU', $3, 'fixed', '{voice}', 'USD', 0, 0, 'live', $1)
    returning id)
insert into number_leases (number_id, account_id, seller_id, currency, setup_price, monthly_price,
                           paid_month)
select id, $1, $2, 'USD', 0, 0, date_trunc('month', now()) from s
"""
_HELD_NUMBER = """
insert into stock_numbers (number, seller_id, country, area, type, capabilities, currency,
                           setup_price, monthly_price, state, account_id, until)
values ('+3617000008', $2, 'HU', $3, 'fixed', '{voice}', 'USD', 0, 0, 'held', $1,
        now() + interval '1 hour')
"""
_NUMBER_REQUEST = """
insert into number_requests (account_id, seller_id, area, requested_by, answer_by)
values ($1, $2, $3, $3, now() + interval '1 day')
"""
_USER = """
insert into users (account_id, login, name, role, password_hash, extension, granted)
values ($1, $2, $2, $3, '-', $4, $5) returning id
"""
_SESSION = """
insert into sessions (token_hash, user_id, expires_at, user_agent)
values ($1, $2, now() + interval '1 hour', $3)
"""


@dataclass(slots=True)
class House:
    """The daemon with the account `full`, and the headers of some people of three accounts."""

    daemon: Daemon
    full: int
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)
    people: dict[str, int] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.daemon.http_port}"

    async def add_person(
        self,
        login: str,
        role: str,
        account: int,
        extension: str | None = None,
        *,
        all_: bool = False,
    ) -> None:
        """With a session. `all_`: everything granted that this role can be."""
        db, secret = self.daemon.db, secrets.token_urlsafe(16)
        granted = sorted(grantable_scopes(role) - scopes_of_role(role)) if all_ else []
        self.people[login] = await db.fetchval(_USER, account, login, role, extension, granted)
        await db.execute(_SESSION, digest(secret), self.people[login], f"agent of {login}")
        self.sessions[login] = {"Cookie": f"callctl_session={secret}", "Origin": self.url}

    async def token(self, login: str, scopes: frozenset[str]) -> dict[str, str]:
        """Headers of a token that a person answers for."""
        secret = secrets.token_urlsafe(16)
        await self.daemon.db.execute(
            "insert into tokens (account_id, name, token_hash, scopes, created_by)"
            " select account_id, 'made', $1, $2, id from users where id = $3",
            digest(secret), sorted(scopes), self.people[login],
        )  # fmt: skip
        return {"Authorization": f"Bearer {secret}"}

    async def state_of_full(self) -> dict[str, list[Any]]:
        """Every row of the full account, table by table."""
        db = self.daemon.db
        tables = await db.fetch(
            "select table_name from information_schema.columns join information_schema.tables t"
            " using (table_schema, table_name) where table_schema = 'public'"
            " and column_name = 'account_id' and t.table_type = 'BASE TABLE' order by 1"
        )
        found = {
            row[0]: [str(r) for r in await db.fetch(
                f"select t::text from {row[0]} t where account_id = $1 order by 1", self.full
            )]
            for row in tables
        }  # fmt: skip
        found["sessions"] = [str(r) for r in await db.fetch(
            "select s::text from sessions s join users u on u.id = s.user_id"
            " where u.account_id = $1 order by 1", self.full,
        )]  # fmt: skip
        return found


async def _set_price(daemon: Daemon, boss: Actor) -> None:
    """A price list with a draft beside its version, which the own carrier is paid by."""
    tariff = await daemon.tariffs.create_tariff(boss, NewTariff(f"{WORD} rates", "USD"))
    for apply in (True, False):
        file = io.BytesIO(f"prefix,price,destination\n3670,1,{WORD}\n".encode())
        draft = await daemon.tariffs.upload(boss, tariff.id, file, ImportOptions())
        if apply:
            await daemon.tariffs.apply(boss, tariff.id, draft.id, ApplyImport())
    carrier = NewAssignment(boss.account_id, tariff.id, f"{WORD}-carrier")
    await daemon.tariff_assignments.assign(boss, carrier)
    await daemon.db.execute(_COST, boss.account_id, WORD)


async def furnish(daemon: Daemon) -> House:
    """The full account is the first enterprise; beside it there is another, above the operator."""
    db = daemon.db
    operator = await db.fetchval("select id from accounts where code = 'main'")
    full, other = [
        await db.fetchval(
            "insert into accounts (parent_id, code, name, kind) values ($1, $2, $2, 'enterprise')"
            " returning id",
            operator, code,
        )
        for code in (f"{WORD}-full", "other")
    ]  # fmt: skip
    await daemon.routing.accounts_changed()
    house = House(daemon, full)
    for role in Role:
        await house.add_person(f"operator-{role}".replace("_", "-"), role, operator)
        await house.add_person(f"other-{role}".replace("_", "-"), role, other)
    await house.add_person(f"{WORD}-boss", Role.ADMINISTRATOR, full, "701")
    await house.add_person("stranger", Role.MANAGER, full, "702", all_=True)
    boss = Actor(full, f"{WORD}-boss", ALL_SCOPES, house.people[f"{WORD}-boss"])
    await daemon.routing.apply(full, _ROUTING.format(code=f"{WORD}-full", word=WORD), boss.author)
    await daemon.groups.create_group(boss, NewGroup(f"{WORD} group"))
    await daemon.invitations.invite(boss, NewInvitation(Role.MANAGER, f"{WORD} invited"))
    await daemon.access.create_token(boss, NewToken(f"{WORD} token", sorted(boss.scopes)))
    await SavedFilterService(db).create(boss, NewSavedFilter(f"{WORD} filter", CallFilters()))
    await db.execute(_CALL, full, WORD, zlib.compress(WORD.encode()))
    await db.execute(_PACKAGE, full)
    await db.execute(_SEAT, full, boss.user_id, boss.name)
    await _set_price(daemon, boss)
    for sql in (_HOLD, _NOTICE, _QUOTE):
        await db.execute(sql, full, WORD)
    for sql in (_NUMBER, _HELD_NUMBER, _NUMBER_REQUEST):
        await db.execute(sql, full, operator, WORD)
    return house
