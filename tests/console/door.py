"""The console's door."""

from playwright.async_api import Page


async def enter(page: Page, login: str, password: str) -> None:
    """Sign in; the page is the first one then."""
    await page.goto("/sign-in")
    await page.fill("[name=login]", login)
    await page.fill("[name=password]", password)
    await page.click("button.main")
    await page.wait_for_selector(".menu")
