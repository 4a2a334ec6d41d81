"""The Live page and the first steps in a browser, with phones that really ring."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from callctl.demo.sip import Answer, Phone, RingOut
from tests.asterisk.scenarios.conftest import OwnDatabase
from tests.asterisk.scenarios.desk import Desk, admin, live
from tests.asterisk.scenarios.office import RECORD_SECONDS, Office

pytestmark = pytest.mark.asterisk


@pytest.fixture
async def page(office: Office, desk: Desk) -> Page:
    """The administrator's."""
    return await admin(desk, office.stack)


async def test_a_call_is_listened_to_transferred_and_ended_on_the_page(
    office: Office, page: Page, carriers: dict[str, Phone]
) -> None:
    first, second, boss, _ = await office.phones(
        {
            "101": Answer(after=0.1),
            "102": Answer(after=0.1),
            "103": Answer(after=0.1),
            "104": RingOut(),
        }
    )
    caller = await office.outside("+3617000101")
    await office.talking("carrier-a", "101")
    await page.goto("/live")
    calls = live(page)
    await expect(calls).to_have_count(1)
    await expect(page.locator(".desk", has_text="101")).to_contain_text("talks")
    trunk = page.locator(".desk", has_text="carrier-a")
    await expect(trunk).to_contain_text("reachable")
    await expect(trunk.locator("time")).to_be_visible()
    await expect(page.locator(".desk", has_text="carrier-dead")).to_contain_text("does not answer")

    # A phone that rings hears nothing yet, and is not said to.
    await calls.get_by_role("button", name="Actions").click()
    await page.locator(".acts:popover-open [name=from]").fill("104")
    await page.get_by_role("button", name="Listen").click()
    await expect(page.locator(".toast")).to_contain_text("The phone of 104 rings: once")
    await expect(page.locator(".desk", has_text="104")).to_contain_text("rings")
    rung = calls.filter(has_text="104")
    await expect(rung).to_contain_text("ringing")
    await rung.get_by_role("button", name="Actions").click()
    await page.locator(".acts:popover-open").get_by_role("button", name="Hang up").click()
    await expect(calls).to_have_count(1)
    office.expected += 1

    await calls.get_by_role("button", name="Actions").click()
    await expect(page.locator(".acts:popover-open [name=from]")).to_have_value("")
    await page.locator(".acts:popover-open [name=from]").fill("103")
    await page.get_by_role("button", name="Whisper").click()
    await boss.answered()
    office.expected += 1
    await expect(calls).to_have_count(2)
    await expect(page.locator(".desk", has_text="103")).to_contain_text("whispers to 101")
    await expect(calls.filter(has_text="103")).to_contain_text("whispers to 101")

    call = calls.filter(has_text="talking")
    await call.get_by_role("button", name="Actions").focus()
    await page.keyboard.press("Enter")
    form = page.locator(".acts:popover-open .act", has=page.get_by_role("button", name="Transfer"))
    await form.locator("[name=to]").fill("102")
    await page.keyboard.press("Enter")
    await second.answered()
    await boss.ended()
    await first.ended()
    await expect(calls).to_have_count(1)
    await expect(page.locator(".desk", has_text="102")).to_contain_text("talks")

    await call.get_by_role("button", name="Actions").click()
    await page.locator(".acts:popover-open").get_by_role("button", name="Hang up").click()
    await asyncio.gather(caller.ended(), second.ended())
    await expect(calls).to_have_count(0)
    record = await office.record(caller)
    await page.goto(f"/calls/{record['call']['id']}")
    said = page.locator(".done-to li")
    await expect(said).to_have_count(4)
    await expect(said.nth(0)).to_contain_text("asked to listen")
    await expect(said.nth(1)).to_contain_text("the phone of 103, on the side of 101")
    await expect(said.nth(2)).to_contain_text("102")
    await expect(said.nth(3)).to_contain_text("hung up")


async def test_a_call_for_help_may_be_heard_and_is_ended_by_its_phones_only(
    office: Office, page: Page, carriers: dict[str, Phone]
) -> None:
    caller = await office.inside("104", "112")
    await office.talking("104", "carrier-b")
    await page.goto("/live")
    call = live(page)
    await expect(call).to_contain_text("Emergency call")
    await call.get_by_role("button", name="Actions").click()
    actions = page.locator(".acts:popover-open")
    await expect(actions).to_contain_text("only the phones in it end or transfer it")
    await expect(actions.get_by_role("button", name="Listen")).to_be_visible()
    await expect(actions.get_by_role("button", name="Hang up")).to_have_count(0)
    (seen,) = (await office.api.get("/api/v1/calls/live"))["items"]
    path = f"/api/v1/calls/live/{seen['call_id']}"
    for verb, body in (("hangup", None), ("transfer", {"to": "101"})):
        async with office.api.request("POST", f"{path}/{verb}", json=body) as answer:
            assert answer.status == 409
            assert "emergency number" in (await answer.json())["error"]["message"]
    await caller.hang_up()
    record = await office.verified(caller, ("carrier-dead", "carrier-b"))
    assert record["interventions"] == []


async def test_what_is_open_stays_and_says_when_its_call_is_over(
    office: Office, page: Page
) -> None:
    await office.phone("101", Answer(after=0.1))
    caller = await office.outside("+3617000101")
    await office.talking("carrier-a", "101")
    await page.goto("/live")
    await page.get_by_role("button", name="Actions").click()
    field = page.locator(".acts:popover-open [name=to]")
    await field.fill("10")
    await office.phone("102", Answer(after=0.1))
    other = await office.outside("+3617000102", "+36201110009")
    calls = live(page)
    await expect(calls).to_have_count(2)
    await expect(field).to_have_value("10")
    await caller.hang_up()
    await expect(page.locator(".acts:popover-open")).to_contain_text("This call is over.")
    await expect(calls).to_have_count(1)
    await other.hang_up()
    await asyncio.gather(caller.ended(), other.ended())


async def test_the_page_says_that_it_is_not_live_and_goes_on_by_itself(
    office: Office, page: Page
) -> None:
    """While the daemon is away, and with what began meanwhile once it is back."""
    await office.phone("101", Answer(after=0.1))
    await page.goto("/live")
    await expect(page.locator("[data-stream]")).to_have_text("live")
    await expect(page.locator("[data-stream-lost]")).to_be_hidden()
    await office.stack.stop_daemon()
    try:
        await expect(page.locator("[data-stream-lost]")).to_contain_text("Not live.")
        await expect(page.locator("[data-stream-since]")).not_to_be_empty()
        await expect(page.locator("[data-stream]")).to_contain_text("connection lost")
        caller = await office.outside("+3617000101")
        await office.talking("carrier-a", "101")
    finally:
        await office.stack.start_daemon()
    calls = live(page)
    await expect(calls).to_have_count(1)
    await expect(page.locator("[data-stream-lost]")).to_be_hidden()
    await caller.hang_up()
    await caller.ended()
    await expect(calls).to_have_count(0)


async def test_asterisk_dies_under_the_page_and_comes_back_to_it(
    office: Office, page: Page, carriers: dict[str, Phone]
) -> None:
    await office.phone("101", Answer(after=0.1))
    await page.goto("/live")
    sign, why = page.locator("[data-stream]"), page.locator("#live [data-part=state]")
    await expect(sign).to_have_text("live")
    await page.evaluate("window.isTheSamePage = true")
    await office.stack.asterisk.kill()
    try:
        await expect(sign).to_have_text("not live")
        await expect(why).to_contain_text("Not live since")
        await expect(why).to_contain_text("no connection to Asterisk")
        await expect(page.locator(".desk", has_text="102")).to_contain_text("not known now")
        await expect(page.locator("[data-part=calls]")).to_contain_text("is not known now")
    finally:
        await office.stack.asterisk.start()
    await expect(sign).to_have_text("live")
    await expect(why).to_be_empty()
    await office.stack.until_qualified(len(carriers))
    await _call_is_shown(office, page)


async def test_postgresql_goes_under_the_page_and_comes_back_to_it(
    office: Office, page: Page, database: OwnDatabase
) -> None:
    await office.phone("101", Answer(after=0.1))
    await page.goto("/live")
    sign, lost = page.locator("[data-stream]"), page.locator("[data-stream-lost]")
    await expect(sign).to_have_text("live")
    await page.evaluate("window.isTheSamePage = true")
    await database.stop()
    try:
        await expect(lost).to_contain_text("PostgreSQL does not answer", use_inner_text=True)
        await expect(lost).not_to_contain_text("callctl does not answer", use_inner_text=True)
        await expect(sign).to_have_text("not live")
    finally:
        await database.start()
    await expect(sign).to_have_text("live")
    await expect(lost).to_be_hidden()
    await office.until_ready()
    await _call_is_shown(office, page)


async def _call_is_shown(office: Office, page: Page) -> None:
    """One that begins now, without a reload since the page was marked."""
    caller = await office.outside("+3617000101")
    calls = live(page)
    await expect(calls).to_contain_text("talking")
    await caller.hang_up()
    await caller.ended()
    await expect(calls).to_have_count(0)
    assert await page.evaluate("window.isTheSamePage")


async def test_first_steps_are_ticked_by_what_happens(office: Office, page: Page) -> None:
    agent = await office.phone("101", Answer(after=0.1))
    agent.secret = office.secrets["101"]
    await agent.stop()
    await agent.register(0)
    await page.goto("/first-steps")
    phone, call = (page.locator(f"section#{name}") for name in ("phone", "call"))
    await expect(phone).to_contain_text("not registered")
    await expect(phone.locator("h2")).not_to_contain_text("done")
    await phone.locator("#qr summary").click()
    await expect(phone.locator(".qr svg")).to_be_visible()
    await agent.register(3600)
    await agent.listen()
    await expect(phone.locator("h2")).to_contain_text("done")
    await expect(phone.locator(".qr svg")).to_be_visible()
    await call.get_by_role("button", name="Ring 101").click()
    office.expected = 1
    await agent.answered()
    async with asyncio.timeout(RECORD_SECONDS):
        while "Echo" not in await office.stack.asterisk.cli("core show channels concise"):
            await asyncio.sleep(0.05)
    await agent.hang_up()
    await agent.ended()
    await expect(call.locator("h2")).to_contain_text("done")
    record = (await office.only_record())["call"]
    assert (record["route"], record["extension"], record["to_number"]) == (
        "feature:echo", "101", "*43",
    )  # fmt: skip
    await page.goto("/routing/phone?number=101")
    await expect(page.locator("[data-part=phone-state]")).to_have_text("reachable")
    await page.goto("/routing/try?from=101&to=*43")
    await page.get_by_role("button", name="Call it").click()
    await expect(page.locator(".toast")).to_contain_text("The phone rings")
    office.expected = 2
    await agent.answered()
    await agent.hang_up()
    await agent.ended()
