"""The main tasks of each role in the browser, while phones really ring: a call is seen as it goes
on, is in the list when it is over, and is heard. tests/console/test_tasks.py has the whole list."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from callctl.demo.sip import Answer, Caller, Phone, RingOut
from callctl.demo.stack import Stack
from tests.asterisk.scenarios.conftest import NET, ROUTING
from tests.asterisk.scenarios.desk import Desk, admin, live, open_first
from tests.asterisk.scenarios.office import CARRIERS, RECORD_SECONDS, Office
from tests.console.comfort import moved
from tests.console.conftest import DESKTOP, PHONE
from tests.console.house import PASSWORD

pytestmark = pytest.mark.asterisk

CUSTOMER = "+36301230077"
"""Reached from inside by carrier-b."""
FORBIDDEN = 403
ROWS = "#calls tr[data-panel-row]"


async def hear(page: Page, panel: Locator) -> None:
    """Its recording plays, however short it is: the clock shows whole seconds only."""
    await panel.locator("[data-play]").click()
    await page.wait_for_function(
        "() => document.querySelector('#panel.open audio').played.length > 0"
    )
    await panel.locator("audio").evaluate("audio => audio.pause()")


async def test_an_agent_sees_a_missed_call_calls_back_hears_and_writes(
    office: Office, desk: Desk, carriers: dict[str, Phone]
) -> None:
    phone = await office.phone("101", RingOut())
    page = await desk("max")
    await page.goto("/live")
    caller = await office.outside("+3617000403", CUSTOMER)
    await expect(live(page)).to_contain_text("ringing")
    await expect(page.locator(".desk", has_text="101")).to_contain_text("rings")
    await caller.give_up()
    await caller.ended()
    await expect(live(page)).to_have_count(0)
    await office.record(caller)

    panel = await open_first(page, "/calls?outcome=MISSED")
    await expect(page.locator(ROWS).first).to_contain_text(CUSTOMER)
    await phone.behave(Answer(after=0.1))
    office.expected += 1
    await panel.get_by_role("button", name=f"Call {CUSTOMER}").click()
    await expect(page.locator("[role=status]")).to_be_visible()
    await carriers["carrier-b"].until(lambda c: c.dialled == CUSTOMER and c.answered_at)
    await page.goto("/live")
    await expect(live(page)).to_contain_text("talking")
    await expect(live(page)).to_contain_text(CUSTOMER)
    await office.talking("101", "carrier-b")
    await phone.hang_up()
    await phone.ended()
    await expect(live(page)).to_have_count(0)

    again = await office.outside("+3617000403", CUSTOMER, talk=1.5)
    await again.ended()
    record = await office.record(again)
    await page.goto("/callbacks")
    await expect(page.locator("main")).not_to_contain_text(CUSTOMER)
    await page.locator(".find input").fill("1230077")
    await page.keyboard.press("Enter")
    await expect(page.locator("[name=number]")).to_have_value("1230077")
    await expect(page.locator(ROWS)).to_have_count(3)
    panel = await open_first(page, f"/calls?number=%2B{CUSTOMER[1:]}")
    await hear(page, panel)
    await panel.locator("[name=problem]").fill("asks for the price")
    await panel.locator("[name=solution]").fill("sent by mail")
    await panel.get_by_role("button", name="Save").click()
    await expect(page.locator("[role=status]")).to_have_text("Saved.")
    for viewport in (PHONE, DESKTOP):
        await page.set_viewport_size(viewport)
        await page.goto(f"/calls/{record['call']['id']}")
        assert await moved(page) == []
    await page.get_by_role("link", name="New client").click()
    await page.locator("[name=name]").fill("Cora Customer")
    await page.locator("button.main", has_text="Save").click()
    await expect(page.locator("h1")).to_contain_text("Cora Customer")
    await page.goto("/calls")
    await expect(page.locator(ROWS).first).to_contain_text("Cora Customer")


async def test_a_head_listens_in_sees_why_a_call_went_there_and_exports_the_report(
    office: Office, desk: Desk
) -> None:
    _, _, boss = await office.phones(
        {"149": RingOut(), "101": Answer(after=0.1), "103": Answer(after=0.1)}
    )
    page = await desk("hanna")
    await page.goto("/live")
    caller = await office.outside("+3617000401")
    await expect(live(page)).to_contain_text("talking")
    await office.talking("carrier-a", "101")
    # Before it is answered there is nothing to listen to, and an open menu stays as it is.
    await live(page).filter(has_text="talking").get_by_role("button", name="Actions").click()
    office.expected += 1
    await page.get_by_role("button", name="Listen").click()
    await boss.answered()
    await expect(page.locator(".desk", has_text="103")).to_contain_text("listens")
    await live(page).filter(has_text="talking").get_by_role("button", name="Actions").click()
    await page.locator(".acts:popover-open").get_by_role("button", name="Hang up").click()
    await asyncio.gather(caller.ended(), boss.ended())
    await expect(live(page)).to_have_count(0)
    await office.record(caller)

    panel = await open_first(page, "/calls?direction=inbound")
    said = panel.locator(".timeline li")
    await expect(said.nth(0)).to_contain_text("149")
    await expect(said.nth(0)).to_contain_text("did not answer")
    await expect(said.nth(1)).to_contain_text("101")
    await expect(panel.locator(".reasons")).to_contain_text("one of the account's numbers")
    panel = await open_first(page, "/recordings")
    await hear(page, panel)
    await page.goto("/reports/employees-answered-missed")
    table = page.get_by_role("region", name="Employees: answered and missed")
    await expect(table.locator("tr", has_text="149")).to_be_visible()
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Save the file").click()
    assert "149" in (await (await download.value).path()).read_text("utf-8-sig")


async def test_a_leader_sees_the_calls_of_the_group_and_no_other(
    office: Office, desk: Desk
) -> None:
    _, _, own = await office.phones(
        {"101": Answer(after=0.1), "103": Answer(after=0.1), "102": Answer(after=0.1)}
    )
    page = await desk("lea")
    await page.goto("/live")
    theirs = await office.outside("+3617000103", "+36301230078")
    caller = await office.outside("+3617000101", "+36301230079")
    await office.talking("carrier-a", "101", "103")
    await expect(live(page)).to_have_count(1)
    await expect(live(page)).to_contain_text("+36301230079")
    # Before it is answered there is nothing to listen to, and an open menu stays as it is.
    await live(page).filter(has_text="talking").get_by_role("button", name="Actions").click()
    office.expected += 1
    await page.get_by_role("button", name="Whisper").click()
    await own.answered()
    await expect(page.locator(".desk", has_text="102")).to_contain_text("whispers to 101")
    await asyncio.gather(caller.hang_up(), theirs.hang_up())
    await asyncio.gather(caller.ended(), theirs.ended(), own.ended())
    await expect(live(page)).to_have_count(0)
    record = await office.record(theirs)
    await office.record(caller)
    await page.goto("/calls?direction=inbound")
    await expect(page.locator(ROWS).first).to_contain_text("+36301230079")
    assert await page.locator(ROWS, has_text="+36301230078").count() == 0
    answer = await page.goto(f"/calls/{record['call']['id']}")
    assert answer is not None
    assert answer.status == 404


async def _confirm(page: Page) -> None:
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("In force")


async def _undo(page: Page) -> None:
    await page.goto("/routing/history")
    await page.get_by_role("button", name="Go back to before it").first.click()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("Undone")


async def test_an_administrator_changes_an_order_blocks_a_caller_and_adds_an_extension(
    office: Office, desk: Desk, stack: Stack
) -> None:
    """And the very next call goes by it."""
    first, last = await office.phones({"104": Answer(after=0.1), "106": Answer(after=0.1)})
    page = await admin(desk, stack)
    try:
        await page.goto("/routing/edit/hunt_groups?name=desk")
        await page.get_by_role("button", name="Down: Members 1").click()
        await _confirm(page)
        caller = await office.outside("+3617000204", CUSTOMER, talk=0.3)
        await office.verified(caller, ("106",))
        await _undo(page)
        caller = await office.outside("+3617000204", CUSTOMER, talk=0.3)
        await office.verified(caller, ("104",))

        await open_first(page, f"/calls?number=%2B{CUSTOMER[1:]}")
        await page.locator("#panel").get_by_role("link", name="Block this caller").click()
        await page.locator("[name=reason]").fill("nuisance")
        await _confirm(page)
        caller = await office.outside("+3617000204", CUSTOMER)
        assert (await caller.ended()).answered_at is None
        await office.record(caller)
        panel = await open_first(page, f"/calls?number=%2B{CUSTOMER[1:]}")
        await expect(panel.locator(".reasons")).to_contain_text("nuisance")

        await page.goto("/routing/edit/extensions")
        await page.locator("main [name=number]").fill("108")
        await page.locator("main [name=name]").fill("Nora New")
        await _confirm(page)
        new = await office.phone("108", Answer(after=0.1))
        new.secret = office.secrets["108"]
        await new.stop()
        await new.register(60)
        await new.listen()
        await page.goto("/live")
        await expect(page.locator(".desk", has_text="108")).to_contain_text("free")
        caller = await office.inside("104", "108", talk=0.3)
        await office.verified(caller, ("108",))
        assert (len(first.calls), len(last.calls)) == (1, 1)
    finally:
        await stack.apply_routing(ROUTING)


async def _until(page: Page, path: str, text: str) -> None:
    """Until this stands in the table, which nothing renews by itself."""
    table = page.locator("main tbody")
    async with asyncio.timeout(RECORD_SECONDS):
        await page.goto(path)
        while text not in await table.inner_text():
            await page.reload()


async def test_a_reseller_s_customer_buys_a_number_and_the_next_call_to_it_is_paid_for(
    stack: Stack, desk: Desk, tmp_path: Path
) -> None:
    page = await desk("rita")
    await page.goto("/accounts/new")
    await page.locator("[name=name]").fill("Corner Shop")
    await page.locator("[name=code]").fill("corner")
    await page.locator("[name='administrator.name']").fill("Cem")
    await page.get_by_role("button", name="Make the account").click()
    link = await page.locator(".secret").input_value()
    await page.get_by_role("link", name="Give it funds").click()
    account = page.url
    funds = page.locator("#funds")
    await funds.locator("[name=amount]").fill("50")
    await funds.get_by_role("button").click()
    await expect(page.locator("[role=status]")).to_contain_text("Given")

    await page.goto("/tariffs")
    await page.locator("[name=name]").fill("Retail")
    await page.get_by_role("button", name="Make it").click()
    rates = tmp_path / "rates.csv"
    rates.write_text("prefix,destination,price,connect_fee\nin:36177,Budapest,0,0.5\n")
    await page.locator("[name=file]").set_input_files(rates)
    await page.get_by_role("button", name="Show what it changes").click()
    await page.get_by_role("button", name="Confirm").click()
    await expect(page.locator("[role=status]")).to_contain_text("next version")
    await page.goto(account)
    await page.locator("#tariff [name=tariff_id]").select_option(label="Retail")
    await page.locator("#tariff").get_by_role("button", name="Set it").click()
    await expect(page.locator("#tariff dl")).to_contain_text("Retail")
    await page.goto("/number-stock/load")
    block = page.locator("#block")
    await block.locator("[name=first]").fill("+36 1 770 0001")
    await block.locator("[name=setup]").fill("3")
    await block.locator("[name=monthly]").fill("0")
    await block.get_by_role("button", name="Load", exact=True).click()
    await expect(page.locator("[role=status]")).to_contain_text("1 number was loaded")

    theirs = await page.context.browser.new_page()  # type: ignore[union-attr]
    await theirs.goto(link)
    await theirs.fill("[name=login]", "cem")
    await theirs.fill("[name=password]", PASSWORD)
    await theirs.get_by_role("button", name="Accept").click()
    await theirs.close()
    theirs = await desk("cem")
    await theirs.goto("/first-steps")
    await theirs.locator("[name=number]").fill("501")
    await theirs.get_by_role("button", name="Add").click()
    shown = theirs.locator("dd code")
    await theirs.locator("#password summary").click()
    user, secret = await shown.nth(1).inner_text(), await shown.nth(2).inner_text()
    directory = tmp_path / "sip"
    async with Phone(
        user, f"{NET}.50", stack.address, directory, secret=secret, behaviour=Answer(after=0.1)
    ) as phone:
        await expect(theirs.locator("#phone h2")).to_contain_text("done")
        await theirs.goto("/number-shop")
        await theirs.get_by_role("link", name="Buy +3617700001").click()
        await theirs.locator("[name=to]").select_option("extension:501")
        await theirs.get_by_role("button", name="Pay 3.00 USD").click()
        await expect(theirs.locator("[role=status]")).to_contain_text("Bought")
        await theirs.goto("/live")
        carrier = f"{NET}.{CARRIERS['carrier-a']}"
        async with Caller(CUSTOMER, carrier, stack.address, directory, to="+3617700001") as caller:
            await caller.answered()
            await phone.answered()
            await expect(live(theirs)).to_contain_text("talking")
            await caller.hang_up()
            await caller.ended()
        await expect(live(theirs)).to_have_count(0)
    await _until(theirs, "/numbers", "live")
    panel = await open_first(theirs, "/calls")
    await expect(panel).to_contain_text("0.50 USD")
    await _until(page, f"{account}/ledger", "-0.50 USD")
    await expect(page.locator(".figures")).to_contain_text("46.50 USD")
