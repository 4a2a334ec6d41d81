"""Calls that a limit held, decided on in the browser; calling back; alarms on every page."""

import asyncio

from playwright.async_api import expect

from tests.console.conftest import SignIn
from tests.console.house import House

_HELD = """
with n as (insert into limit_notices (account_id, extension, destination, action, limit_name,
             reason, number, calls, first_at, last_at)
           values ($1, '201', 'HU', 'block', 'destination', 'blocked_kind~premium~HU',
             '<b>0690', 2, now(), now()))
insert into limit_holds
  (account_id, extension, destination, reason, number, calls, asked_at, last_at)
values ($1, '201', 'CU', 'held_country~CU', '+5371234567', 3, now(), now()) returning id
"""


async def test_held_calls_are_shown_and_decided_on(sign_in: SignIn, house: House) -> None:
    db = house.daemon.db
    hold = await db.fetchval(_HELD, house.account)
    page = await sign_in()
    await page.goto("/limits")
    card = page.locator("section", has_text="extension 201 → CU").first
    await expect(card).to_contain_text("held until someone approves it: it is a number of CU")
    await expect(page.locator("main")).to_contain_text("<b>0690")
    await card.locator("[name=hours]").select_option("8")
    await card.locator("[name=whole_account]").check()
    await card.get_by_role("button", name="Let such calls pass").click()
    await expect(page.locator("main")).to_contain_text("decided for every extension to CU")
    row = await db.fetchrow(
        "select state, decided_by, until - now() > '7h' as long from limit_holds where id = $1",
        hold,
    )
    assert (row["state"], row["decided_by"], row["long"]) == ("approved", "admin", True)
    await card.get_by_role("button", name="Keep them held").click()
    await expect(card).to_contain_text("Refused")


async def test_calling_back_says_why_it_cannot_be(sign_in: SignIn, house: House) -> None:
    call = await house.daemon.db.fetchval(
        "select max(id) from calls where direction = 'inbound' and customer_number_id is not null"
    )
    page = await sign_in()
    await page.goto(f"/calls/{call}")
    await page.get_by_role("button", name="Call +447700900101").click()
    await expect(page.locator("article [role=alert]")).to_contain_text("You have no extension")
    await page.fill("article [name=from]", "201")
    await page.get_by_role("button", name="Call +447700900101").click()
    await expect(page.locator("article [role=alert]")).to_contain_text("Asterisk")
    await expect(page.locator("article")).to_contain_text("What happened")


async def test_what_is_raised_stands_on_every_page_for_who_may_see_it(
    sign_in: SignIn, house: House
) -> None:
    """Here that there is no Asterisk, which the daemon finds out by itself."""
    # Longer than other facts: it is an alarm only when it has lasted for a while.
    async with asyncio.timeout(90):
        while not any(alarm.code == "ami_away" for alarm in house.daemon.alarms.raised):
            await asyncio.sleep(0.1)
    page = await sign_in()
    for path in ("/calls", "/design"):
        await page.goto(path)
        await expect(page.locator(".alarm", has_text="ami_away")).to_be_visible()
    page = await sign_in("lea")
    await page.goto("/calls")
    assert await page.locator(".alarm").count() == 0
