"""Home, live, callbacks, clients, recordings and reports, as a person works with them."""

import re
import struct
import time
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from playwright.async_api import Route, expect

from callctl.console.pages.home import lost_trunks
from callctl.core.checks.alarms import AlarmBoard
from callctl.core.devices import DeviceState, RegistrationState, Since
from callctl.core.tables import Unit
from callctl.features.devices.model import DevicesView, TrunkState
from callctl.features.reports.catalogue import REPORTS
from tests.console.axe import findings
from tests.console.conftest import CUT_COLUMNS, LAPTOP, PHONE, SignIn
from tests.console.house import HOSTILE, House, rows_at
from tests.history.conftest import eventually


async def test_home_counts_what_the_list_counts_and_each_figure_leads_there(
    sign_in: SignIn,
) -> None:
    page = await sign_in("hanna")
    await page.goto("/?period=7d")
    missed = page.locator(".figure", has_text="Missed")
    count = int(await missed.locator(".value").inner_text())
    await expect(page.locator(".chart svg rect")).not_to_have_count(0)
    await missed.click()
    assert "outcome=MISSED" in page.url
    await expect(page.locator("#calls tr[data-panel-row]")).to_have_count(count)


async def test_home_is_not_well_while_a_trunk_is_not_reached(
    sign_in: SignIn, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its own alarm, that there is no Asterisk, would keep it from being well as well.
    monkeypatch.setattr(AlarmBoard, "raised", ())
    page = await sign_in()
    await page.goto("/")
    well, lost = page.get_by_text("The system is well"), page.get_by_text("Trunks not reached")
    await expect(well).to_be_visible()
    await expect(lost).to_have_count(0)
    (trunk,) = house.daemon.routing.table.accounts[house.account].routing.trunks
    seen = {trunk.endpoint: Since("unreachable", time.time() - 60)}
    monkeypatch.setattr(house.daemon.devices, "_devices", seen)
    await page.reload()
    await expect(well).to_have_count(0)
    await expect(lost).to_have_text("Trunks not reached: trunk")
    await lost.click()
    await expect(page.locator("h1")).to_have_text("Live")
    await expect(page.locator("[data-part=trunks]")).to_contain_text("does not answer")


def test_a_trunk_is_lost_that_is_not_reached_or_signed_on_but_not_one_switched_off() -> None:
    def names(state: DeviceState, registration: RegistrationState | None = None) -> list[str]:
        trunk = TrunkState("trunk", state, None, registration, None)
        return lost_trunks(DevicesView(True, None, datetime.now(UTC), [], [trunk]))

    assert names(DeviceState.UNREACHABLE) == names(DeviceState.UNREGISTERED) == ["trunk"]
    assert names(DeviceState.REACHABLE, RegistrationState.REJECTED) == ["trunk"]
    assert names(DeviceState.REACHABLE, RegistrationState.REGISTERED) == []
    assert names(DeviceState.DISABLED, RegistrationState.UNREGISTERED) == []
    assert names(DeviceState.UNKNOWN) == []


async def test_home_shows_only_ones_own_to_who_sees_only_that(sign_in: SignIn) -> None:
    page = await sign_in("lea")
    await page.goto("/?period=7d")
    extensions = await page.locator(".columns.two table tbody td:first-child").all_inner_texts()
    assert set(extensions) <= {"202"}
    assert await page.locator("text=The system is well").count() == 0


async def test_a_call_appears_live_while_it_rings_and_is_gone_when_it_ends(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/live")
    # Without an Asterisk nobody can be sure of what goes on: the page says so.
    why = page.locator("#live [data-part=state]")
    await expect(why).to_contain_text("Not live since")
    await expect(why).to_contain_text("no connection to Asterisk")
    await expect(why).to_contain_text("callctl doctor")
    await expect(page.locator("[data-stream]")).to_have_text("not live")
    rows = rows_at("answered", time.time() - 2).splitlines(keepends=True)
    house.write(b"".join(rows[:3]))
    table = page.get_by_role("region", name="Calls now").locator("tbody tr")
    await expect(table).to_have_count(1)
    await expect(table).to_contain_text("ringing")
    await expect(page.locator(".desk", has_text="201")).to_contain_text("rings")
    house.write(b"".join(rows[3:7]))
    await expect(table).to_contain_text("talking")
    house.write(b"".join(rows[7:]))
    await expect(table).to_have_count(0)


async def test_live_says_when_its_stream_is_lost(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/live")
    await expect(page.locator("[data-stream]")).to_have_text("not live")
    await page.context.set_offline(True)
    await expect(page.locator("[data-stream]")).to_contain_text("connection lost")
    # One thing at a time: what was so before is not known now.
    lost = page.locator("[data-stream-lost]")
    await expect(lost).to_contain_text(
        "callctl does not answer. What is shown is from", use_inner_text=True
    )
    await expect(page.locator("#live [data-part=state]")).to_be_empty()
    await page.context.set_offline(False)
    await expect(page.locator("[data-stream]")).to_have_text("not live")
    await expect(lost).to_be_hidden()


async def test_a_stream_that_is_refused_is_asked_for_again(sign_in: SignIn) -> None:
    """Which a browser does not do by itself after an answer that is an error."""
    page = await sign_in()
    asked: list[str] = []

    async def refuse_first(route: Route) -> None:
        asked.append(route.request.url)
        await (route.fulfill(status=503) if len(asked) == 1 else route.continue_())

    await page.route("**/api/v1/events", refuse_first)
    async with page.expect_response(lambda r: r.url.endswith("/events") and r.ok):
        await page.goto("/live")
    assert len(asked) == 2


async def test_a_stream_that_stays_refused_is_left_alone_for_a_while(sign_in: SignIn) -> None:
    page = await sign_in()
    asked: list[str] = []

    async def refuse(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=503)

    await page.route("**/api/v1/events", refuse)
    await page.clock.set_fixed_time(time.time())
    async with page.expect_response(
        lambda r: r.url.endswith("/live") and r.request.resource_type == "fetch"
    ):
        await page.goto("/live")
    for _ in range(4):
        async with page.expect_response(lambda r: r.url.endswith("/live")):
            await page.evaluate("dispatchEvent(new Event('online'))")
    assert len(asked) == 1


async def test_a_callback_is_owed_given_to_somebody_and_settled(
    sign_in: SignIn, house: House
) -> None:
    # After the call that the test before has placed, and not in the same second.
    await house.call("missed_by_all", 0)
    page = await sign_in()
    await page.set_viewport_size(LAPTOP)
    await page.goto("/callbacks")
    assert await page.evaluate(CUT_COLUMNS) == 0
    row = page.get_by_role("region", name="Callbacks owed").locator("tbody tr").first
    await row.locator("[name=extension]").fill("202")
    await row.get_by_role("button", name="Give").click()
    await expect(row.locator("[name=extension]")).to_have_value("202")
    rows = await page.locator("tbody tr").count()
    await row.locator("[name=note]").fill("came by in person")
    await row.get_by_role("button", name="Settle").click()
    await expect(page.locator("[role=status]")).to_contain_text("Settled")
    assert await page.locator("main tbody tr").count() == rows - 1


async def test_a_client_is_made_of_a_call_found_changed_and_merged(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/clients/new?number=%2B442079460555")
    await page.fill("[name=name]", HOSTILE)
    await page.fill("[name=notes]", "<img src=x onerror=alert(1)>")
    await page.click("button.main:has-text('Save')")
    await expect(page.locator("h1")).to_contain_text(HOSTILE)
    await expect(page.locator("main")).to_contain_text("<img src=x onerror=alert(1)>")
    await expect(page.locator("main")).to_contain_text("+442079460555")
    kept = page.url.split("?")[0]
    await page.goto("/clients/new")
    await page.fill("[name=name]", "Twice Ltd")
    await page.fill("[name=numbers]", "+44 20 7946 0556 office\nnonsense")
    await page.click("button.main:has-text('Save')")
    await expect(page.locator(".note.red")).to_be_visible()
    await expect(page.locator("[name=name]")).to_have_value("Twice Ltd")
    await page.fill("[name=numbers]", "+44 20 7946 0556 office")
    await page.click("button.main:has-text('Save')")
    await expect(page.locator("h1")).to_contain_text("Twice Ltd")
    await page.goto(f"{kept}/merge?q=Twice")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.locator("main li", has_text="Twice").get_by_role("button").click()
    await expect(page.locator("[role=status]")).to_contain_text("Merged")
    await expect(page.locator("main")).to_contain_text("+442079460556")
    await page.fill(".find input", "Twice")
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text("No client matches")


async def test_two_who_edit_a_client_at_once_lose_nothing_of_each_other(sign_in: SignIn) -> None:
    ours, theirs = await sign_in(), await sign_in("hanna")
    await ours.goto("/clients/new")
    await ours.fill("[name=name]", "Edited Twice Ltd")
    await ours.fill("[name=numbers]", "+44 20 7946 0571 office\n+44 20 7946 0572")
    await ours.click("button.main:has-text('Save')")
    await expect(ours.locator("h1")).to_contain_text("Edited Twice Ltd")
    card = ours.url.split("?")[0]
    for page in (ours, theirs):
        await page.goto(f"{card}/edit")
    await theirs.fill("[name=notes]", "theirs: pays by card")
    await theirs.click("button.main:has-text('Save')")
    await expect(theirs.locator("[role=status]")).to_contain_text("Saved")

    await ours.fill("[name=notes]", "ours: moved to Leeds")
    async with ours.expect_response(lambda r: r.request.method == "POST") as answer:
        await ours.click("button.main:has-text('Save')")
    assert (await answer.value).status == 409
    await expect(ours.locator("main [role=alert]")).to_contain_text("Somebody changed this client")
    await expect(ours.locator("[name=notes]")).to_have_value("ours: moved to Leeds")
    # What is the same on both sides is not named.
    await expect(ours.locator("[data-now]")).to_have_text(["now: theirs: pays by card"])
    assert await findings(ours) == []
    await theirs.reload()
    await expect(theirs.locator("main")).to_contain_text("theirs: pays by card")

    await ours.fill("[name=notes]", "pays by card, moved to Leeds")
    await ours.fill("[name=numbers]", "nonsense")
    await ours.click("button.main:has-text('Save')")
    await expect(ours.locator("main .note.red")).to_be_visible()
    await ours.fill("[name=numbers]", "+44 20 7946 0571")
    await ours.click("button.main:has-text('Save')")
    await expect(ours.locator("[role=status]")).to_contain_text("Saved")
    await expect(ours.locator("main")).to_contain_text("pays by card, moved to Leeds")


async def test_a_recording_shows_both_sides_plays_and_is_a_favourite(
    sign_in: SignIn, house: House
) -> None:
    call = await house.call("answered", 90)
    db = house.daemon.db
    file = "console-1.raw"
    # Left what the called said: as MixMonitor writes it, the called party first.
    loud = [8000 if n // 8 % 2 else -8000 for n in range(8000)]
    quiet = [0] * 8000
    pairs = zip([*quiet, *loud, *quiet], [*loud, *quiet, *quiet], strict=True)
    raw = b"".join(struct.pack("<hh", called, caller) for called, caller in pairs)
    house.daemon.settings.recordings_spool.mkdir(exist_ok=True)
    (house.daemon.settings.recordings_spool / file).write_bytes(raw)
    recording = await db.fetchval(
        "insert into recordings (call, account_id, file, started_at)"
        " select id, account_id, $2, started_at from calls where id = $1 returning id",
        call, file,
    )  # fmt: skip
    await db.execute("update calls set has_recording = true where id = $1", call)

    async def there() -> bool:
        return bool(
            await db.fetchval("select state = 'available' from recordings where id = $1", recording)
        )

    await eventually(there, "the recording is in its place")
    page = await sign_in()
    await page.goto(f"/calls/{call}")
    seek = page.get_by_role("slider", name="Position in the recording")
    await expect(seek).to_be_visible()
    drawn = await page.evaluate(
        """() => { const c = document.querySelector('.wave canvas'), p = c.getContext('2d');
        const part = (x, y) => p.getImageData(x * c.width, y * c.height, c.width / 4, c.height / 3)
          .data.filter((v, i) => i % 4 === 3 && v).length;
        return [part(0.05, 0.05), part(0.05, 0.6), part(0.35, 0.6), part(0.7, 0.05)]; }"""
    )
    # The caller talks first and is drawn above, then the called below; then nobody.
    assert drawn[0] > 100
    assert drawn[1] < drawn[0] / 4
    assert drawn[2] > 100
    assert drawn[3] < drawn[0] / 4
    await page.select_option("[data-speed]", "2")
    await page.check("[data-skip]")
    await page.click("[data-play]")
    await expect(page.locator("[data-clock]")).not_to_have_text("0:00")
    assert await page.evaluate("document.querySelector('audio').playbackRate") == 2
    await seek.focus()
    await page.click("[data-play]")

    await page.goto("/recordings")
    row = page.locator("tr[data-panel-row]").first
    await page.set_viewport_size(LAPTOP)
    assert await page.evaluate(CUT_COLUMNS) == 0
    await row.get_by_role("link", name="Play the recording").click()
    panel = page.locator("#panel.open")
    await expect(panel.locator("[data-clock]")).not_to_have_text("0:00")
    await expect(panel.get_by_text("Caller talked")).to_be_hidden()
    assert await page.evaluate(CUT_COLUMNS) == 0
    star = row.get_by_role("button", name="Favourite")
    await expect(star.locator(".icon")).to_have_css("fill", "none")
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "true")
    await expect(star.locator(".icon")).not_to_have_css("fill", "none")
    await expect(star).to_be_focused()
    await expect(panel.locator("[data-player]")).to_be_visible()
    await page.goto("/recordings?favourite=true")
    await expect(page.locator("tr[data-panel-row]")).to_have_count(1)
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "false")
    plain = await sign_in(script=False)
    await plain.goto("/recordings")
    star = plain.get_by_role("button", name="Favourite").first
    await star.click()
    await expect(star).to_have_attribute("aria-pressed", "true")
    assert plain.url == f"{house.url}/recordings"


async def test_a_report_has_chart_table_definition_and_an_export(sign_in: SignIn) -> None:
    page = await sign_in("hanna")
    await page.goto("/reports")
    await page.click("text=Calls by period")
    await expect(page.locator(".chart svg rect")).not_to_have_count(0)
    await expect(page.get_by_role("region", name="Calls by period").last).to_contain_text(
        "Incoming"
    )
    await expect(page.locator("main")).to_contain_text("weeks begin on Monday")
    await expect(page.locator("main")).to_contain_text("The last 30 days")
    await page.select_option("[name=period]", "month")
    await page.click("text=Show")
    assert "period=month" in page.url
    await expect(page.locator("main")).not_to_contain_text("The last 30 days")
    await page.click("text=Export")
    await expect(page.locator("h1")).to_have_text("The export is there")
    await expect(page.locator(".menu [aria-current]")).to_have_text("Reports")
    await page.goto("/exports")
    await expect(page.locator(".menu [aria-current]")).to_have_count(0)


async def test_the_link_of_a_report_is_copied_and_without_script_followed(
    sign_in: SignIn, house: House
) -> None:
    path = "/reports/calls-by-period?since=2026-03-01&until=2026-04-01"
    page = await sign_in("hanna")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/reports/calls-by-period?since=2026-03-01&last_day=2026-03-31")
    before = page.url
    await page.get_by_role("link", name="Link").click()
    await expect(page.locator("[data-copy-link]")).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == house.url + path
    assert page.url == before
    plain = await sign_in("hanna", script=False)
    await plain.goto("/reports/calls-by-period?since=2026-03-01&last_day=2026-03-31")
    await plain.get_by_role("link", name="Link").click()
    await expect(plain).to_have_url(house.url + path)


async def test_on_a_phone_the_hours_of_a_chart_stand_apart(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.set_viewport_size(PHONE)
    await page.goto("/")
    boxes = [await one.bounding_box() for one in await page.locator(".dense text:visible").all()]
    ends = [(box["x"], box["x"] + box["width"]) for box in boxes if box]
    assert len(ends) == 6
    assert all(end < begin for (_, end), (begin, _) in pairwise(ends)), ends


async def test_no_name_of_a_setting_is_broken(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.set_viewport_size(LAPTOP)
    await page.goto("/settings")
    names = page.get_by_role("region", name="The installation").locator("td:first-child code")
    tall = await names.evaluate_all("all => all.map(e => e.getClientRects().length)")
    assert tall
    assert set(tall) == {1}


_ASKEW = """
() => [...document.querySelectorAll('table.report tbody td')].filter((cell) =>
  getComputedStyle(cell).textAlign !== getComputedStyle(cell.closest('table').tHead.rows[0]
    .cells[cell.cellIndex]).textAlign).map((cell) => cell.outerHTML).slice(0, 3)
"""


async def test_each_report_is_introduced_by_a_sentence_for_people(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/reports")
    said = await page.locator("main .card p").all_inner_texts()
    assert said == [report.summary for report in REPORTS.values()]
    assert not [text for text in said if "`" in text or "_" in text or not text.endswith(".")]


async def test_both_days_of_a_report_count_and_its_link_says_so_to_the_api(
    sign_in: SignIn,
) -> None:
    page = await sign_in()
    await page.goto("/reports/calls-by-period?since=2026-03-01&until=2026-04-01")
    await expect(page.get_by_label("To day")).to_have_value("2026-03-31")
    await page.get_by_label("To day").fill("2026-03-30")
    await page.click("text=Show")
    await expect(page.get_by_label("To day")).to_have_value("2026-03-30")
    link = await page.locator("[data-copy-link]").get_attribute("href")
    assert link == "/reports/calls-by-period?since=2026-03-01&until=2026-03-31"
    answer = await page.goto("/reports/calls-by-period?last_day=9999-12-31")
    assert answer is not None
    assert answer.status == 200
    answer = await page.goto("/reports/calls-by-period?last_day=x")
    assert answer is not None
    assert answer.status == 422


async def test_reports_speak_of_what_they_count_and_not_of_their_fields(sign_in: SignIn) -> None:
    page = await sign_in()
    for report in REPORTS.values():
        await page.goto(f"/reports/{report.name}")
        said = await page.locator("main th, main .filters label").all_inner_texts()
        assert said
        assert not [text for text in said if "_" in text], report.name
        assert "`" not in await page.locator("main").inner_text()
        assert not await page.evaluate(_ASKEW), report.name
    await page.goto("/reports/calls-by-period?period=week")
    table = page.get_by_role("region", name="Calls by period")
    heads = await table.locator("thead th").all_inner_texts()
    cells = await table.locator("tbody tr").first.locator("td").all_inner_texts()
    row = dict(zip(heads, cells, strict=True))
    assert row["Direction"] in ("Incoming", "Outgoing", "Internal")
    assert re.fullmatch(r"\d+ \w{3} \d{4}", row["Begins"])
    assert re.fullmatch(r"(\d+:)?\d{1,2}:\d\d", row["Talk"])
    assert re.fullmatch(r"[\d,.]+ [A-Z]{3}", row["Cost"])
    assert "Currency" not in heads
    await page.goto("/reports/employees-distribution")
    table = page.get_by_role("region", name="Employees: distribution")
    await expect(table.locator("tbody tr").first).to_contain_text("%")
    await expect(table).to_contain_text("201 Ada Meadow")


def test_what_a_report_says_of_itself_has_a_title_and_a_unit_where_it_needs_one() -> None:
    columns = [column for report in REPORTS.values() for column in report.columns]
    for column in (*columns, *(p for report in REPORTS.values() for p in report.parameters)):
        assert column.title != column.name, column
    for column in columns:
        assert (column.unit is Unit.SECONDS) == column.name.endswith("_seconds"), column
    money = {column.name for column in columns if column.unit is Unit.MONEY}
    assert money == {"cost", "revenue", "margin"}


async def test_who_has_no_extension_is_asked_whose_phone_shall_ring(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/?period=7d")
    dial = page.locator("form[action='/call']").first
    number = await dial.locator("[name=to]").input_value()
    await dial.get_by_role("button").click()
    note, phone = page.locator("main .note"), page.locator("main [name=from]")
    await expect(page.locator("h1")).to_have_text(f"Call {number}")
    await expect(page.locator(".menu")).to_be_visible()
    await expect(note).to_contain_text("choose whose phone shall")
    await expect(note.get_by_role("link")).to_have_attribute("href", re.compile(r"/people/\d+"))
    await expect(page.locator("#phones [value='203']")).to_have_text("Csilla Tóth")
    assert await findings(page) == []
    await phone.fill("203")
    await page.get_by_role("button", name="Call").click()
    await expect(note).to_contain_text("No connection to Asterisk")
    await expect(phone).to_have_value("203")
    call = await house.daemon.db.fetchval("select max(id) from calls where direction = 'inbound'")
    await page.goto(f"/calls/{call}")
    await page.get_by_role("button", name="Call +").click()
    await expect(note).to_contain_text("choose whose phone shall")
    await expect(page.locator("#phones option")).not_to_have_count(0)
