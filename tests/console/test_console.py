"""The console as a browser without script sees it."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
import pytest

from callctl.asterisk.ami import AmiClient
from callctl.console.pages import Console
from callctl.console.words import outcome
from callctl.core.checks.alarms import RaisedAlarm
from callctl.core.routing.model import Extension, build_table
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.calls.service import CallService
from callctl.features.limits.service import LimitService
from callctl.features.originate.service import OriginateService
from callctl.features.originate.store import OrderStore
from callctl.http.auth import Origin
from callctl.http.server import HttpServer, build_web_app
from tests.wire.peers import HOST, ami_peer
from tests.wire.test_originate import Asterisk

_NAME = '<script>alert("x")</script>'

_INSERT = """
with n as (insert into numbers (number, grams)
           values ('+36123456789', '{361,123}'), ('101', '{101}') returning id, number),
     c as (insert into calls (account_id, call_id, linkedids, direction, from_number_id, from_name,
             to_number_id, customer_number_id, answered_by, route, plan_id, why, started_at,
             answered_at, ended_at, wait_seconds, talk_seconds, total_seconds, disposition, missed,
             has_recording, tried, completeness)
           select $1, 'a-1.1', '{a-1.1}', 'inbound', (select id from n where number <> '101'), $2,
             (select id from n where number = '101'), (select id from n where number <> '101'),
             '102', 'did:101', 'p', 'skipped_dnd~103', '2026-03-01 23:30:00Z',
             '2026-03-01 23:30:09Z', '2026-03-01 23:31:14Z', 9, 65, 74, 'ANSWERED', false, true,
             '{101,102}', 'complete'
           returning id, started_at),
     a as (insert into attempts (call, position, extension, endpoint, started_at, seconds, result,
             cause)
           select c.id, p, e, e, c.started_at + s * interval '1 second', d, r, k from c,
             (values (1, '101', 0, 5, 'NOANSWER', 0), (2, '102', 5, 4, 'ANSWER', 16))
               as v (p, e, s, d, r, k)),
     l as (insert into legs (call, position, uniqueid, channel, started_at)
           select id, 1, 'a-1.1', 'PJSIP/carrier-1', started_at from c),
     p as (insert into recording_pauses (account_id, linkedid, paused_at, paused_by)
           select $1, 'a-1.1', started_at, 'anna' from c),
     r as (insert into recordings (call, account_id, file, started_at, state, path, seconds, bytes,
             format, downloaded_at, downloaded_by)
           select id, $1, 'a-1.1-2.raw', started_at, 'available', 'x', 65, 1000, 'opus',
             started_at, 'bela' from c
           returning id, call)
insert into recording_figures values (
    (select id from r), 65, 0.41, 0.3, 0.1, 0.39, 2, 1, 12.5, 'called', 0.2, 1.25)
returning (select call from r)
"""


@dataclass(frozen=True)
class Browser:
    client: aiohttp.ClientSession
    root: str
    password: str
    call: int
    alarms: list[RaisedAlarm]
    asterisk: Asterisk

    async def get(self, path: str) -> tuple[int, str, aiohttp.ClientResponse]:
        async with self.client.get(self.root + path, headers={"Accept": "text/html"}) as response:
            return response.status, await response.text(), response

    async def post(self, path: str, origin: str = "", **form: str) -> tuple[int, str]:
        headers = {"Origin": origin or self.root, "Accept": "text/html"}
        async with self.client.post(self.root + path, data=form, headers=headers) as response:
            return response.status, await response.text()

    async def sign_in(self) -> None:
        status, text = await self.post("/sign-in", login="admin", password=self.password)
        assert (status, "Sign out" in text) == (200, True)


@pytest.fixture
async def browser(db: Database) -> AsyncIterator[Browser]:
    access = AccessService(AccessStore(db))
    made = await access.bootstrap()
    await db.execute("update accounts set timezone = 'Europe/Budapest'")
    call = await db.fetchval(_INSERT, made.account_id, _NAME)
    origin = Origin()
    alarms: list[RaisedAlarm] = []
    asterisk = Asterisk()
    phone = Extension("102", endpoint="phone-102")
    stack = AsyncExitStack()
    ami = AmiClient(
        HOST, await stack.enter_async_context(ami_peer(asterisk.script)), "callctl", "secret"
    )
    await ami.start()
    await ami.wait_for_state(connected=True, within=5)
    console = Console(
        access,
        CallService(db),
        origin=origin,
        recording_url=lambda i: f"/api/v1/recordings/{i}",
        alarms=lambda: alarms,
        limits=LimitService(db, lambda: build_table(())),
        originate=OriginateService(
            ami, OrderStore(db), lambda _, number: phone if number == "102" else None
        ),
    )
    app = build_web_app(
        [], access, origin=origin, pages=console.routes(), error_page=console.error_page
    )
    server = HttpServer(app)
    port = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield Browser(
            client, f"http://127.0.0.1:{port}", made.password or "", call, alarms, asterisk
        )
    await server.stop()
    await ami.stop()
    await stack.aclose()


async def test_a_stranger_is_asked_to_sign_in(browser: Browser) -> None:
    for path in ("/", "/calls", f"/calls/{browser.call}"):
        status, text, response = await browser.get(path)
        assert status == 200
        assert response.url.path == "/sign-in"
        assert "Password" in text


async def test_signing_in_and_out(browser: Browser) -> None:
    await browser.sign_in()
    status, text = await browser.post("/sign-out")
    assert status == 200
    assert "Password" in text
    _, _, response = await browser.get("/calls")
    assert response.url.path == "/sign-in"


async def test_a_wrong_password_says_so_and_keeps_the_login(browser: Browser) -> None:
    status, text = await browser.post("/sign-in", login="<admin>", password="x")
    assert status == 401
    assert "password is wrong" in text
    assert "&lt;admin&gt;" in text


async def test_odd_logins_are_refused_like_wrong_ones(browser: Browser) -> None:
    for login, status in (("a\0b", 422), ("x" * 101, 422), ("", 422), ("ü" * 100, 401)):
        got, text = await browser.post("/sign-in", login=login, password="x")
        assert got == status, login
        assert "Password" in text


async def test_another_sites_form_is_refused(browser: Browser) -> None:
    status, text = await browser.post(
        "/sign-in", origin="https://evil.example", login="admin", password=browser.password
    )
    assert status == 403
    assert "cross_origin" in text


async def test_the_history_shows_a_call_in_the_accounts_time(browser: Browser) -> None:
    await browser.sign_in()
    _, text, _ = await browser.get("/calls")
    for words in ("2026-03-02", "00:30:00", "+36123456789", "101 → 102", "1:05", "Answered"):
        assert words in text
    assert "Europe/Budapest" in text


async def test_a_call_that_was_too_long_is_marked(browser: Browser, db: Database) -> None:
    await browser.sign_in()
    pages = ("/calls", f"/calls/{browser.call}")
    for page in pages:
        assert "Too long" not in (await browser.get(page))[1]
    await db.execute("update calls set too_long_seconds = 60")
    for page in pages:
        assert "Too long" in (await browser.get(page))[1]


async def test_days_of_the_form_are_days_of_the_account(browser: Browser) -> None:
    await browser.sign_in()
    for query, found in (
        ("first_day=2026-03-02&last_day=2026-03-02", True),
        ("last_day=2026-03-01", False),
        ("first_day=2026-03-03", False),
        ("outcome=MISSED", False),
        ("outcome=ANSWERED&direction=inbound&recorded=yes&number=999", False),
        ("number=123", True),
    ):
        _, text, _ = await browser.get(f"/calls?{query}")
        assert ("2026-03-02</td>" in text) is found, query


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_days_at_the_calendars_ends_are_days(browser: Browser, day: str) -> None:
    """Their midnight, in the account's zone, has no date in UTC."""
    await browser.sign_in()
    for field in ("first_day", "last_day"):
        assert (await browser.get(f"/calls?{field}={day}"))[0] == 200


async def test_a_wrong_filter_is_named(browser: Browser) -> None:
    await browser.sign_in()
    for query, field in (("first_day=x", "form.first_day"), ("x=1", "form.x"), ("cursor=x", "")):
        status, text, _ = await browser.get(f"/calls?{query}")
        assert status == 422
        assert field in text


async def test_a_call_tells_what_happened_and_why(browser: Browser) -> None:
    await browser.sign_in()
    _, text, _ = await browser.get(f"/calls/{browser.call}")
    for words in (
        "did not answer",
        "103 skipped: do not disturb",
        "PJSIP/carrier-1",
        "+5.0 s",
        "<audio controls",
        "?download=1",
        "Caller talked",
        "41 %",
        "caller 2, called 1 times",
        "0:12 (called)",
        "after 1.2 s",
        "by bela",
        "Paused from",
        "/api/v1/recordings/",
    ):
        assert words in text


async def test_what_a_caller_sends_is_never_markup(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/calls", f"/calls/{browser.call}"):
        _, text, _ = await browser.get(path)
        assert "<script" not in text
        assert "&lt;script&gt;" in text


async def test_pages_hold_no_inline_script_or_style_and_say_so(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/calls", f"/calls/{browser.call}", "/sign-in", "/nothing"):
        _, text, response = await browser.get(path)
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        assert not re.search(r"<style|<script|\sstyle=|\son[a-z]+=", text)


async def test_an_unknown_call_is_a_page_not_a_dump(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/calls/999999", "/calls/x", "/nothing"):
        status, text, _ = await browser.get(path)
        assert status == 404
        assert "not_found" in text
        assert "<html" in text


async def test_the_style_sheet_is_there(browser: Browser) -> None:
    status, text, response = await browser.get("/static/console.css")
    assert (status, response.content_type) == (200, "text/css")
    assert ".badge" in text


@pytest.mark.parametrize(
    ("disposition", "route", "shown"),
    [
        ("CANCELLED", "feature:echo", "Echo test"),
        ("NO_ANSWER", "feature:check", "System check"),
        ("ANSWERED", "feature:pickup", "Answered"),
        ("CANCELLED", "did:101", "Caller hung up"),
        ("CANCELLED", None, "Caller hung up"),
    ],
)
def test_a_feature_code_that_reached_nobody_says_what_it_was_for(
    disposition: str, route: str | None, shown: str
) -> None:
    assert outcome(disposition, route).text == shown


async def test_what_is_raised_stands_on_every_page_for_who_may_see_it(
    browser: Browser, db: Database
) -> None:
    await browser.sign_in()
    for path in ("/calls", f"/calls/{browser.call}"):
        assert 'class="alarm' not in (await browser.get(path))[1]
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    browser.alarms.append(RaisedAlarm("disk_full", "journal_path", "<3 MB> free", noon, noon))
    for path in ("/calls", f"/calls/{browser.call}"):
        _, text, _ = await browser.get(path)
        assert "Critical" in text
        assert "disk_full (journal_path): &lt;3 MB&gt; free · since 2026-11-22 12:00 UTC" in text
    await db.execute("update users set role = 'head'")
    assert 'class="alarm' not in (await browser.get("/calls"))[1]
    await browser.post("/sign-out")
    assert 'class="alarm' not in (await browser.get("/sign-in"))[1]


_HELD = """
with h as (insert into limit_holds
             (account_id, extension, destination, reason, number, calls, asked_at, last_at)
           select id, '101', 'CU', 'held_country~CU', '+5371234567', 3, now(), now() from accounts
           returning id),
     n as (insert into limit_notices (account_id, extension, destination, action, limit_name,
             reason, number, calls, first_at, last_at)
           select id, '101', 'HU', 'block', 'destination', 'blocked_kind~premium~HU',
             '<b>0690', 2, now(), now() from accounts)
select id from h
"""


async def test_held_calls_are_shown_and_decided_on(browser: Browser, db: Database) -> None:
    hold = await db.fetchval(_HELD)
    await browser.sign_in()
    _, text, _ = await browser.get("/limits")
    assert "extension 101 → CU" in text
    assert "held until someone approves it: it is a number of CU" in text
    assert "&lt;b&gt;0690" in text
    status, text = await browser.post(f"/limits/{hold}/approve", hours="8", whole_account="true")
    assert status == 200
    assert "decided for every extension to CU" in text
    row = await db.fetchrow(
        "select state, decided_by, until - now() > '7h' as long from limit_holds"
    )
    assert (row["state"], row["decided_by"], row["long"]) == ("approved", "admin", True)
    status, text = await browser.post(f"/limits/{hold}/refuse", hours="24")
    assert (status, "Refused" in text) == (200, True)


async def test_decisions_are_refused_from_elsewhere_and_for_nonsense(
    browser: Browser, db: Database
) -> None:
    hold = await db.fetchval(_HELD)
    assert (await browser.post(f"/limits/{hold}/approve", hours="8"))[0] == 401
    await browser.sign_in()
    status, _ = await browser.post(f"/limits/{hold}/approve", "http://evil.example", hours="8")
    assert status == 403
    assert (await browser.post(f"/limits/{hold}/approve", hours="many"))[0] == 422
    assert (await browser.post(f"/limits/{hold + 1}/approve", hours="8"))[0] == 404
    assert await db.fetchval("select state from limit_holds") == "waiting"


_CLIENT = """
with k as (insert into clients (account_id, kind, name, type_id, sort_key, search)
           select account_id, 'person', '<i>Anna</i>', id, 'anna', 'anna' from client_types
           where name = 'VIP' returning id, account_id),
     n as (insert into client_numbers (account_id, number_id, client_id, position)
           select k.account_id, numbers.id, k.id, 0 from k, numbers where number like '+36%'),
     s as (insert into call_clients (call, account_id, number_id, type_id, started_at)
           select c.id, c.account_id, c.customer_number_id, t.id, c.started_at
           from calls c join client_types t using (account_id) where t.name = 'potential')
select id from k
"""


async def test_calls_show_their_client_with_the_type_then_and_now(
    browser: Browser, db: Database
) -> None:
    client = await db.fetchval(_CLIENT)
    await browser.sign_in()
    for path in ("/calls", f"/calls/{browser.call}", f"/calls?client={client}"):
        _, text, _ = await browser.get(path)
        assert "&lt;i&gt;Anna&lt;/i&gt;" in text
        assert f'href="/calls?client={client}"' in text
        assert "potential <small>now VIP</small>" in text
    status, text, _ = await browser.get(f"/calls?client={client + 1}")
    assert (status, "No call matches" in text) == (200, True)
    assert (await browser.get("/calls?client=x"))[0] == 422


async def test_calls_stand_under_the_days_of_the_account_from_either_end(
    browser: Browser, db: Database
) -> None:
    await db.execute(
        "insert into calls (account_id, call_id, linkedids, direction, started_at, ended_at,"
        " wait_seconds, talk_seconds, total_seconds, disposition, missed, has_recording, tried,"
        " completeness) select account_id, 'b', '{}', 'inbound', started_at - interval '1 hour',"
        " ended_at, 0, 0, 0, 'UNKNOWN', true, false, '{}', 'truncated' from calls"
    )
    await browser.sign_in()
    for query, days in (
        ("", ["Monday, 2026-03-02", "Sunday, 2026-03-01"]),
        ("?sort=started_at", ["Sunday, 2026-03-01", "Monday, 2026-03-02"]),
        ("?first_time=00:00&last_time=01:00", ["Monday, 2026-03-02"]),
        ("?first_time=23:00&last_time=00:00", ["Sunday, 2026-03-01"]),
    ):
        _, text, _ = await browser.get(f"/calls{query}")
        assert re.findall(r'rowgroup">(.*?)</th>', text) == days
    assert (await browser.get("/calls?first_time=25:00"))[0] == 422
    # What is not known is said to be so: how it ended, and who called.
    row = text[text.index('rowgroup"') :]
    assert "</span> Unknown</span>" in row
    assert "Missed" not in row
    assert row.count("withheld/unknown") == 2


async def test_calls_look_as_the_account_says_with_their_note(
    browser: Browser, db: Database
) -> None:
    await browser.sign_in()
    _, text, _ = await browser.get("/calls")
    assert '<tr class="tone green">' in text
    await db.execute(
        "insert into display_hints (account_id, rules) select id, $1 from accounts",
        [{"colour": "purple", "icon": "star", "outcome": "ANSWERED"}],
    )
    await db.execute(
        "insert into call_notes (call, account_id, problem, solution, written_by)"
        " select id, account_id, '<b>no tone', 'cable', 'anna' from calls"
    )
    _, text, _ = await browser.get("/calls")
    assert '<tr class="tone purple">' in text
    for path in ("/calls", f"/calls/{browser.call}"):
        _, text, _ = await browser.get(path)
        assert '<span class="badge tone purple"><span aria-hidden="true">★</span> Answered' in text
        assert "&lt;b&gt;no tone" in text


async def test_a_filter_is_saved_offered_and_deleted(browser: Browser, db: Database) -> None:
    await browser.sign_in()
    query = "outcome=MISSED&number=123"
    status, text = await browser.post("/saved-filters", name=" <i>Lost ", query=query, shared="yes")
    assert (status, "No call matches" in text) == (200, True)
    saved = await db.fetchrow("select id, name, shared, filters from saved_filters")
    assert (saved["name"], saved["shared"]) == ("<i>Lost", True)
    assert saved["filters"] == {"missed": True, "number": "123"}
    _, text, _ = await browser.get("/calls")
    assert f'href="/calls?saved={saved["id"]}"' in text
    assert "&lt;i&gt;Lost" in text
    # What the form says goes before what was saved.
    _, text, _ = await browser.get(f"/calls?saved={saved['id']}&number=999")
    assert "No call matches" in text
    await db.execute("update saved_filters set filters = '{\"mood\": 1}'")
    status, text, _ = await browser.get(f"/calls?saved={saved['id']}")
    assert (status, "filters.mood: unknown field" in text) == (422, True)
    assert (await browser.post("/saved-filters", name="", query=""))[0] == 422
    assert (await browser.post("/saved-filters", "http://evil.example", name="x", query=""))[
        0
    ] == 403
    assert (await browser.post(f"/saved-filters/{saved['id']}/delete", "http://evil.example"))[
        0
    ] == 403
    status, text = await browser.post(f"/saved-filters/{saved['id']}/delete")
    assert (status, "mood" in text) == (200, False)
    assert (await browser.get(f"/calls?saved={saved['id']}"))[0] == 404


async def test_who_called_is_called_back_once_from_ones_own_phone(
    browser: Browser, db: Database
) -> None:
    await browser.sign_in()
    path = f"/calls/{browser.call}"
    _, text, _ = await browser.get(path)
    assert "Call +36123456789" in text
    status, text = await browser.post(f"{path}/call-back", key="k1")
    assert (status, "you have none" in text) == (422, True)
    await db.execute("update users set extension = '102'")
    for _ in range(2):
        status, text = await browser.post(f"{path}/call-back", key="k1")
        assert (status, "The phone rings" in text) == (200, True)
    (order,) = browser.asterisk.originates
    assert (order["Channel"], order["Exten"]) == ("PJSIP/phone-102", "+36123456789")
    status, text = await browser.post(f"{path}/call-back", key="k2", **{"from": "<b>"})
    assert status == 422
    browser.asterisk.behaviour = "refuse"
    status, text = await browser.post(f"{path}/call-back", key="k3")
    assert (status, "Extension does not exist." in text) == (502, True)


async def test_calling_back_is_for_who_may_place_calls_and_from_here(
    browser: Browser, db: Database
) -> None:
    path = f"/calls/{browser.call}"
    assert (await browser.post(f"{path}/call-back", key="k"))[0] == 401
    await browser.sign_in()
    assert (await browser.post(f"{path}/call-back", "http://evil.example", key="k"))[0] == 403
    await db.execute("update users set withdrawn = '{calls:place}', extension = '102'")
    assert "/call-back" not in (await browser.get(path))[1]
    assert (await browser.post(f"{path}/call-back", key="k"))[0] == 403
    assert browser.asterisk.originates == []
