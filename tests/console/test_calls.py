"""The list of calls and one call, as a person works with them."""

import re
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from callctl.console.words import is_supervision, outcome
from tests.console.conftest import CUT_COLUMNS, LAPTOP, SignIn
from tests.console.house import HOSTILE, RIGHT_TO_LEFT, House

ROWS = "#calls tr[data-panel-row]"


async def _count(page: Page) -> int:
    return await page.locator(ROWS).count()


async def test_the_list_goes_on_while_one_scrolls_and_each_day_has_one_heading(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/calls")
    assert await _count(page) == 50
    await page.locator("tr", has_text="Older").scroll_into_view_if_needed()
    await expect(page.locator(ROWS)).to_have_count(await house.calls())
    headings = await page.locator("tr.day").all_inner_texts()
    assert len(headings) == len(set(headings)) >= 6
    assert await page.locator("[rel=next]").count() == 0


async def test_a_period_comes_first_and_stays_in_the_address_with_the_filters(
    sign_in: SignIn,
) -> None:
    page = await sign_in()
    await page.goto("/calls")
    await page.select_option("[name=outcome]", "MISSED")
    await page.click("text=Show")
    await page.click("text=7 days")
    assert "outcome=MISSED" in page.url
    assert "first_day=" in page.url
    badges = await page.locator(f"{ROWS} td:first-child").all_inner_texts()
    assert badges
    assert all("Missed" in text for text in badges)


async def test_colour_never_stands_alone(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls")
    for row in await page.locator(f"{ROWS} td:first-child").all():
        assert await row.locator(".badge svg").count() >= 1
        assert (await row.inner_text()).strip()


async def test_at_1280_pixels_no_column_is_cut_off_with_the_panel_open_or_not(
    sign_in: SignIn,
) -> None:
    page = await sign_in()
    await page.set_viewport_size(LAPTOP)
    await page.goto("/calls")
    assert await page.evaluate(CUT_COLUMNS) == 0
    row = page.locator(ROWS).first
    await expect(row.locator("td:visible")).to_have_count(10)
    await row.locator("[data-opens-panel]").click()
    await expect(page.locator("#panel.open")).to_be_visible()
    assert await page.evaluate(CUT_COLUMNS) == 0
    await expect(row.locator("td:visible")).to_have_count(5)
    # Whom it was to is beneath whom it was from.
    await expect(row.locator(".beside .number")).to_be_visible()
    for box in [
        await number.bounding_box() for number in await row.locator(".number:visible").all()
    ]:
        assert box
        assert box["height"] < 30


async def test_a_call_that_was_too_long_says_so(sign_in: SignIn, house: House) -> None:
    last = await house.daemon.db.fetchval(
        "update calls set too_long_seconds = 60 where id = (select max(id) from calls) returning id"
    )
    page = await sign_in()
    await page.goto("/calls?too_long=yes")
    row = page.locator(ROWS, has=page.locator(f"a[href='/calls/{last}']"))
    await expect(row).to_contain_text("Too long")
    await house.daemon.db.execute("update calls set too_long_seconds = null where id = $1", last)


async def test_a_row_opens_a_panel_arrows_go_on_and_escape_comes_back(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls?outcome=ANSWERED&direction=inbound")
    link = page.locator("[data-opens-panel]").first
    await link.focus()
    await page.keyboard.press("Enter")
    panel = page.locator("#panel.open")
    await expect(panel).to_contain_text("What happened")
    await expect(panel.locator(".timeline li").first).to_be_visible()
    await expect(panel).to_contain_text(re.compile(r"rang for \d+ s and answered\."))
    first = await panel.inner_text()
    await page.keyboard.press("ArrowDown")
    await expect(panel).not_to_have_text(first, use_inner_text=True)
    await expect(panel).to_contain_text("What happened")
    await page.keyboard.press("Escape")
    await expect(page.locator("#panel.open")).to_have_count(0)
    await expect(page.locator("[data-opens-panel]").nth(1)).to_be_focused()


async def test_what_a_caller_is_called_is_text_and_nothing_else(
    sign_in: SignIn, house: House
) -> None:
    call = await house.daemon.db.fetchval("select id from calls where from_name = $1", HOSTILE)
    assert call is not None
    page = await sign_in()
    for path in ("/calls", f"/calls/{call}"):
        await page.goto(path)
        await expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert "owned" not in await page.title()
    await page.goto("/calls")
    name = page.locator("bdi", has_text=RIGHT_TO_LEFT).first
    assert await name.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"


async def test_a_supervisors_call_shows_whom_he_heard_and_no_wait(
    sign_in: SignIn, house: House
) -> None:
    call = await house.call("internal", 120)
    db = house.daemon.db
    route = await db.fetchval("select route from calls where id = $1", call)
    await db.execute("update calls set route = 'feature:listen' where id = $1", call)
    page = await sign_in()
    await page.goto("/calls")
    row = page.locator(ROWS).filter(has=page.locator(f"a[href='/calls/{call}']"))
    await expect(row.locator(".badge").first).to_have_text(re.compile(r"Listened to \d+"))
    await expect(row.locator("[data-label=Wait]")).to_have_text("–")
    await db.execute("update calls set route = $2 where id = $1", call, route)


async def test_a_client_s_card_says_who_called_out(sign_in: SignIn, house: House) -> None:
    number, extension = await house.daemon.db.fetchrow(
        "select n.number, c.extension from calls c join numbers n on n.id = c.customer_number_id"
        " where c.direction = 'outbound' and c.extension is not null limit 1"
    )
    page = await sign_in()
    await page.goto(f"/clients/new?number={quote(number)}")
    await page.fill("[name=name]", "Called Out Ltd")
    await page.click("button.main:has-text('Save')")
    row = page.locator("tr", has_text="Outgoing").first
    await expect(row.locator("[data-label=Employee]")).to_have_text(extension)


async def test_a_note_is_written_and_shown(sign_in: SignIn, house: House) -> None:
    call = await house.call("answered", 60)
    page = await sign_in("max")
    await page.goto(f"/calls/{call}")
    await page.fill("[name=problem]", "<b>no tone</b>")
    await page.fill("[name=solution]", "new cable")
    await page.click("text=Save")
    await expect(page.locator("[role=status]")).to_have_text("Saved.")
    await expect(page.locator("article")).to_contain_text("<b>no tone</b>")
    await expect(page.locator("article")).to_contain_text("new cable")


async def test_filters_are_saved_offered_and_deleted(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls?outcome=MISSED&number=7700")
    await page.click("text=Save this filter")
    await page.fill(".chips [name=name]", "<i>Lost")
    await page.click(".chips form button:has-text('Save')")
    chip = page.locator(".chip", has_text="<i>Lost")
    await expect(chip.locator("a")).to_have_attribute("aria-current", "true")
    assert await _count(page) > 0
    assert "Missed" in await page.locator(f"{ROWS} td:first-child").first.inner_text()
    await page.goto("/calls")
    await chip.locator("button").click()
    await expect(chip).to_have_count(0)


async def test_an_export_shows_its_progress_and_gives_the_file(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls?direction=outbound")
    await page.click("text=Export")
    await expect(page.locator("h1")).to_have_text("The export is there")
    async with page.expect_download() as download:
        await page.click("text=Save the file")
    text = (await (await download.value).path()).read_text("utf-8-sig")
    assert text.count("\n") == text.count("outbound") + 1 > 1


async def test_all_of_it_works_without_script(sign_in: SignIn, house: House) -> None:
    page = await sign_in(script=False)
    await page.goto("/calls")
    await page.click("[rel=next]")
    assert 0 < await _count(page) < 50
    await page.locator("[data-opens-panel]").first.click()
    await expect(page.locator("h1")).to_be_visible()
    assert re.search(r"/calls/\d+$", page.url)


async def test_a_wrong_filter_is_named_and_the_page_stays(sign_in: SignIn) -> None:
    page = await sign_in()
    wrong = (("first_day=x", "First day"), ("x=1", "X:"), ("first_time=25:00", "First time"))
    for query, named in wrong:
        answer = await page.goto(f"/calls?{query}")
        assert answer is not None
        assert answer.status == 422
        await expect(page.locator(".note.red")).to_contain_text(named)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
async def test_days_at_the_calendars_ends_are_days(sign_in: SignIn, day: str) -> None:
    """Their midnight, in the account's zone, has no date in UTC."""
    page = await sign_in()
    for field in ("first_day", "last_day"):
        answer = await page.goto(f"/calls?{field}={day}")
        assert answer is not None
        assert answer.status == 200


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


@pytest.mark.parametrize(
    ("feature", "shown"),
    [
        ("listen", "Listened to 101"),
        ("whisper", "Whispered to 101"),
        ("barge", "Took part in the call of 101"),
    ],
)
@pytest.mark.parametrize("disposition", ["CANCELLED", "ANSWERED"])
def test_a_supervisor_was_not_called_and_the_list_says_whom_he_heard(
    disposition: str, feature: str, shown: str
) -> None:
    assert outcome(disposition, f"feature:{feature}", "101").text == shown
    assert outcome(disposition, f"feature:{feature}", "<b>").is_told
    assert is_supervision(f"feature:{feature}")
    assert not is_supervision("feature:pickup")
