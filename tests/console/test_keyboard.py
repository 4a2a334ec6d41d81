"""Main tasks done from beginning to end without a mouse."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page, expect

from callctl.core.author import Author
from tests.console.conftest import SignIn
from tests.console.house import ROUTING, House

_MOST_STEPS = 120


async def tab_to(page: Page, wanted: Locator) -> None:
    """By Tab alone, as somebody does who sees where the focus is."""
    await expect(wanted).to_be_visible()
    there = await wanted.element_handle()
    for _ in range(_MOST_STEPS):
        await page.keyboard.press("Tab")
        if await page.evaluate("there => document.activeElement === there", there):
            return
    raise AssertionError(f"{wanted} was not reached by {_MOST_STEPS} steps")


async def choose(page: Page, wanted: Locator) -> None:
    await tab_to(page, wanted)
    await page.keyboard.press("Enter")


@pytest.fixture
async def routing_kept(house: House) -> AsyncIterator[None]:
    yield
    await house.daemon.routing.apply(house.account, ROUTING, Author("admin"))


@pytest.mark.usefixtures("routing_kept")
async def test_a_hunt_order_is_found_changed_and_put_in_force(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/routing?kind=hunt_groups")
    await choose(page, page.locator("main").get_by_role("link", name="sales").first)
    await choose(page, page.get_by_role("button", name="Down: Members 1"))
    await choose(page, page.get_by_role("button", name="Look at the change"))
    await choose(page, page.get_by_role("button", name="Put it in force"))
    await expect(page.locator("[role=status]")).to_contain_text("In force")
    (group,) = house.daemon.routing.export(house.account).hunt_groups
    assert [str(member) for member in group.members] == ["202", "201", "203"]


async def test_a_call_is_opened_and_a_note_written(sign_in: SignIn, house: House) -> None:
    await house.call("answered", 45)
    page = await sign_in("max")
    await page.goto("/calls")
    await choose(page, page.locator("[data-opens-panel]").first)
    panel = page.locator("#panel.open")
    await tab_to(page, panel.locator("[name=problem]"))
    await page.keyboard.type("no tone")
    await page.keyboard.press("Tab")
    await page.keyboard.type("new cable")
    await choose(page, panel.get_by_role("button", name="Save"))
    await expect(page.locator("[role=status]")).to_have_text("Saved.")
    await expect(page.locator("article")).to_contain_text("new cable")


async def test_a_number_is_found_and_bought(sign_in: SignIn) -> None:
    page = await sign_in("sara")
    await page.goto("/number-shop")
    await tab_to(page, page.locator("main [name=pattern]"))
    await page.keyboard.type("*0006")
    await page.keyboard.press("Enter")
    await expect(page.locator("main tbody tr")).to_have_count(1)
    await choose(page, page.get_by_role("link", name="Buy +3612340006"))
    await tab_to(page, page.locator("[name=to]"))
    await page.keyboard.type("desk")
    await expect(page.locator("[name=to]")).to_have_value("hunt_group:desk")
    await choose(page, page.get_by_role("button", name="Pay"))
    await expect(page.locator("[role=status]")).to_contain_text("Bought")
    await expect(page.locator("main")).to_contain_text("+3612340006")
