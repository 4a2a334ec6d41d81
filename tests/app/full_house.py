"""An account that has one of everything, each with a word in it that no other account may see."""

import io
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from callctl.app import Daemon
from callctl.core.permissions import ALL_SCOPES, Role, grantable_scopes, scopes_of_role
from callctl.features.access.model import NewToken
from callctl.features.calls.model import CallFilters, NewSavedFilter
from callctl.features.calls.saved_filters import SavedFilterService
from callctl.features.clients.groups import ClientGroups
from callctl.features.clients.model import NewClient, NumberInput
from callctl.features.clients.service import ClientService
from callctl.features.ledger.model import TopUp
from callctl.features.long_calls.model import TooLongRule, TooLongSettings
from callctl.features.payments.model import NewInvoiceRequest
from callctl.features.people.model import NewGroup, NewInvitation
from callctl.features.rates.model import (
    ApplyImport,
    ImportOptions,
    NewAssignment,
    NewTariff,
)
from callctl.features.transfers.model import NewTransfer
from callctl.http.endpoint import Actor
from callctl.secrets import digest

WORD = "zqx"
_ROUTING = """
account: {{code: {code}, name: {word} office, country: HU, timezone: UTC}}
extensions: [{{number: 701, name: {word} phone}}, {{number: 703}}]
trunks: [{{name: {word}-carrier, host: 192.0.2.1, match: [192.0.2.1]}}]
dids: [{{number: +3617000001, label: {word}, to: [extension:701]}}]
hunt_groups: [{{name: {word}, members: [701]}}]
schedules: [{{name: {word}, weekly: [mon 08:00-17:00]}}]
blocklist: [{{match: +3612345678, reason: {word}}}]
outbound: [{{name: {word}, patterns: [+361XXXXXXX], trunks: [{word}-carrier]}}]
emergency: [{{number: 112, trunks: [{word}-carrier]}}]
expectations: [{{name: {word}, from: +36201234567, to: +3617000001, then: [ring 701]}}]
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
_MORE = (
    """
insert into transcripts (recording, account_id, engine, spoken, text)
select id, account_id, $2, '[]', $2 from recordings where account_id = $1
""",
    "insert into recording_keys (account_id, master, wrapped) values ($1, $2, '')",
    """
insert into recording_settings (account_id, encrypt, changed_by) values ($1, false, $2)
""",
    """
insert into recording_accesses (account_id, recording, call, file, kind, actor, address, format,
                                first_byte, last_byte)
select account_id, id, call, file, 'listened', $2, '192.0.2.7', 'wav', 0, 99
from recordings where account_id = $1
""",
    """
insert into legal_holds (account_id, call, recording, reason, held_by)
select account_id, call, id, $2, $2 from recordings where account_id = $1
""",
    "insert into workplaces (account_id, x, y, label, extension) values ($1, 0, 0, $2, '701')",
    "insert into interventions (account_id, call_id, kind, target, author, state)"
    " values ($1, 'a-1.1', 'listen', $2, $2, 'accepted')",
    "insert into call_notes (call, account_id, problem, solution, written_by)"
    " select id, account_id, $2, $2, $2 from calls where account_id = $1",
    """
insert into contacts (account_id, number_id, calls, missed, first_at, last_at, missed_at,
                      owed_since, owed_calls)
select account_id, customer_number_id, 1, 1, started_at, started_at, started_at, started_at, 1
from calls where account_id = $1
""",
    """
insert into exports (account_id, systemname, source, mode, format, bom, keys, filters, state,
                     created_by)
values ($1, 'elsewhere', 'calls', 'all', 'csv', true, '{}', '{}', 'queued', $2)
""",
    """
insert into notices (account_id, kind, subject, text, call)
select account_id, 'too_long', $2, $2, id from calls where account_id = $1
""",
    """
with w as (insert into webhooks (account_id, url, kinds, active, secret, created_by)
           values ($1, 'https://192.0.2.1/' || $2, '{call.ended}', false, $2, $2) returning id)
insert into webhook_deliveries (webhook_id, event_id, kind, subject, body, state, response)
select id, 1, 'call.ended', 'call:1', $2, 'failed', $2 from w
""",
)
"""One of everything that calls and people leave behind, in SQL: $1 the account, $2 the word."""

_FIRST = "select min(id) from {} where account_id = $1"
_NAMED = "select $2::text where $1::bigint > 0"
_CLIENT = "select min(id) from clients where account_id = $1 and kind = '{}'"
KEYS: dict[str, str] = {
    **{
        segment: _FIRST.format(segment.replace("-", "_"))
        for segment in (
            "calls", "recordings", "saved-filters", "client-types", "client-groups", "exports",
            "legal-holds", "webhooks", "notices", "tokens", "users", "groups", "invitations",
            "payments", "transfers", "number-requests", "tariffs", "workplaces",
        )
    },
    "clients": _CLIENT.format("person"),
    "companies": _CLIENT.format("company"),
    "members": _CLIENT.format("person"),
    "holds": _FIRST.format("limit_holds"),
    "customer-wishes": _FIRST.format("number_requests"),
    "callbacks": "select min(number_id) from contacts where account_id = $1",
    "sessions": "select min(s.id) from sessions s join users u on u.id = s.user_id"
    " where u.account_id = $1",
    "accounts": "select $1::bigint",
    "invoicing": _FIRST.format("invoice_requests"),
    "numbers": "select min(id) from stock_numbers where account_id = $1 and state = 'live'",
    "number-holds": "select min(id) from stock_numbers where account_id = $1 and state = 'held'",
    "number-stock": _FIRST.format("stock_numbers"),
    "packages": "select $1::bigint",
    "people": _FIRST.format("users"),
    "reports": "select 'employees' where $1::bigint > 0",
    "edit": "select 'extensions' where $1::bigint > 0",
    "quotes": _FIRST.format("package_quotes"),
    "seats": "select min(user_id) from package_members where account_id = $1",
    "imports": "select max(v.id) from tariff_versions v join tariffs t on t.id = v.tariff_id"
    " where t.account_id = $1",
    "live": "select 'a-1.1' where $1::bigint > 0",
    "extensions": "select '701' where $1::bigint > 0",
    "trunks": "select $2::text || '-carrier' where $1::bigint > 0",
    "dids": "select '+3617000001' where $1::bigint > 0",
    "blocklist": "select '+3612345678' where $1::bigint > 0",
    "emergency": "select '112' where $1::bigint > 0",
    "hunt_groups": _NAMED, "schedules": _NAMED, "outbound": _NAMED, "expectations": _NAMED,
}  # fmt: skip
"""What stands before ``{id}`` in a path → the query for the full account's own one of them."""

_PAYMENT = """
insert into payments (account_id, provider, amount, currency, state, pay_url, created_by)
values ($1, 'sandbox', 100, 'USD', 'waiting', $2, 'x')
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

    async def path_of(self, template: str) -> str:
        """Of the full account's own objects. Raises KeyError for a kind that it has none of."""
        filled = ""
        for segment in template.split("/")[1:]:
            if segment.startswith("{"):
                query = KEYS[filled.rpartition("/")[2]]
                own = [WORD] if "$2" in query else []
                segment = quote(str(await self.daemon.db.fetchval(query, self.full, *own)), "")
            filled += f"/{segment}"
        return filled

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


async def _furnish_money(daemon: Daemon, boss: Actor, operator: int) -> None:
    """Funds, a transfer that awaits audit, a payment that waits, a request for an invoice."""
    bank = Actor(operator, "bank", ALL_SCOPES)
    await daemon.ledger.top_up(bank, TopUp(10_000, "USD", boss.account_id, f"{WORD} note"), None)
    await daemon.transfers.create(boss, NewTransfer(operator, 100, "USD", f"{WORD} note"), None)
    await daemon.db.execute(_PAYMENT, boss.account_id, f"https://pay.example.org/{WORD}")
    await daemon.invoices.request(boss, NewInvoiceRequest(100, "USD", f"{WORD} Ltd"), None)


async def furnish(daemon: Daemon) -> House:
    """The full account is an enterprise; beside it there is a reseller, below the operator both."""
    db = daemon.db
    operator = await db.fetchval("select id from accounts where code = 'main'")
    full, other = [
        await db.fetchval(
            "insert into accounts (parent_id, code, name, kind) values ($1, $2, $2, $3)"
            " returning id",
            operator, code, kind,
        )
        for code, kind in ((f"{WORD}-full", "enterprise"), ("other", "reseller"))
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
    await _furnish_money(daemon, boss, operator)
    await db.execute(_CALL, full, WORD, zlib.compress(WORD.encode()))
    await _add_clients(daemon, boss)
    rule = TooLongRule(3600, group=WORD)
    await daemon.long_calls.save_settings(full, TooLongSettings([rule]), boss.author)
    await db.execute(_PACKAGE, full)
    await db.execute(_SEAT, full, boss.user_id, boss.name)
    await _set_price(daemon, boss)
    for sql in (_HOLD, _NOTICE, _QUOTE, *_MORE):
        await db.execute(sql, *((full, WORD) if "$2" in sql else (full,)))
    for sql in (_NUMBER, _HELD_NUMBER, _NUMBER_REQUEST):
        await db.execute(sql, full, operator, WORD)
    return house


async def _add_clients(daemon: Daemon, boss: Actor) -> None:
    """A person of a company, in a group, with the number of the call."""
    service, groups = ClientService(daemon.db), ClientGroups(daemon.db)
    number = [NumberInput("+36209998877")]
    person = await service.create_client(boss, NewClient(f"{WORD} client", numbers=number))
    company = await service.create_client(boss, NewClient(f"{WORD} company", "company"))
    await service.link(boss, person.id, company.id)
    group = await groups.create_group(boss, f"{WORD} clients")
    await groups.add_members(boss, group.id, [person.id])
