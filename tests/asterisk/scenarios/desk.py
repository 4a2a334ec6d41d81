"""Somebody of the office at a browser."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Locator, Page, expect

from callctl.demo.stack import Stack

Desk = Callable[..., Awaitable[Page]]
"""Signs in a login and its password, by default that of the staff."""


async def admin(desk: Desk, stack: Stack) -> Page:
    return await desk("admin", await stack.daemon.access.reset_password("admin"))


def live(page: Page) -> Locator:
    return page.get_by_role("region", name="Calls now").locator("tbody tr")


async def open_first(page: Page, path: str) -> Locator:
    """The newest call of a list, in the panel beside it."""
    await page.goto(path)
    await page.locator("[data-opens-panel]").first.click()
    panel = page.locator("#panel.open")
    await expect(panel).to_contain_text("What happened")
    return panel
