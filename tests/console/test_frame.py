"""The frame of every page: coming in, the menu, looks, keys, languages."""

import re

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.conftest import SignIn
from tests.console.house import House


async def test_signing_out_leads_to_the_door_and_the_session_is_gone(
    sign_in: SignIn, cookies: dict[str, str]
) -> None:
    page = await sign_in("hanna")
    await page.goto("/calls")
    await page.click(".me > summary")
    await page.click("text=Sign out")
    await expect(page.locator("h1")).to_have_text("Sign in")
    del cookies["hanna"]
    await page.goto("/calls")
    assert page.url.endswith("/sign-in")


@pytest.mark.parametrize("script", [True, False])
async def test_the_account_is_in_sight_on_a_low_screen_and_its_menu_opens_over_the_pages(
    sign_in: SignIn, script: bool
) -> None:
    page = await sign_in(script=script)
    await page.set_viewport_size({"width": 1280, "height": 640})
    await page.goto("/settings")
    account = page.locator(".me > summary")
    await expect(account).to_be_in_viewport(ratio=1)
    if script:
        await expect(page.locator(".menu [aria-current]")).to_be_in_viewport(ratio=0.9)
    await account.focus()
    await page.keyboard.press("Enter")
    out = page.get_by_role("button", name="Sign out")
    await expect(out).to_be_in_viewport(ratio=1)
    await expect(page.locator("[name=theme]")).to_be_in_viewport(ratio=1)
    if script:
        await page.keyboard.press("Escape")
        await expect(out).to_be_hidden()
        await expect(account).to_be_focused()


async def test_the_menu_shows_what_one_may_open(sign_in: SignIn) -> None:
    page = await sign_in("max")
    await page.goto("/calls")
    shown = await page.locator(".menu a").all_inner_texts()
    assert "Calls" in shown
    assert not {"Limits", "People", "Routing", "Settings"} & set(shown)
    page = await sign_in("admin")
    await page.goto("/calls")
    assert {"Calls", "Limits"} <= set(await page.locator(".menu a").all_inner_texts())


async def test_colours_density_and_language_are_chosen_and_kept(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls")
    await page.click(".me > summary")
    await page.select_option("[name=theme]", "dark")
    await page.select_option("[name=density]", "compact")
    await page.select_option("[name=language]", "hu")
    await page.click(".me form button")
    root = page.locator("html")
    await expect(root).to_have_attribute("data-theme", "dark")
    await expect(root).to_have_attribute("data-density", "compact")
    await expect(root).to_have_attribute("lang", "hu")
    await expect(page.locator("h1")).to_have_text("Hívások")
    assert page.url.endswith("/calls")
    await page.goto("/limits")
    await expect(root).to_have_attribute("lang", "hu")


async def test_the_keyboard_skips_the_menu_and_finds_the_search(sign_in: SignIn) -> None:
    page = await sign_in()
    await page.goto("/calls")
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.locator(".find input")).to_be_focused()
    await page.keyboard.type("7700")
    await page.keyboard.press("Enter")
    await expect(page.locator("[name=number]")).to_have_value("7700")


async def test_on_a_phone_the_menu_opens_by_its_button(sign_in: SignIn) -> None:
    page = await sign_in(phone=True)
    await page.goto("/calls")
    menu = page.locator(".menu")
    await expect(menu).to_be_hidden()
    await page.click("[data-menu]")
    await expect(menu).to_be_visible()
    await expect(page.locator("[data-menu]")).to_have_attribute("aria-expanded", "true")


@pytest.fixture
async def stranger(house: House) -> aiohttp.ClientSession:  # type: ignore[misc]
    async with aiohttp.ClientSession(
        house.url, headers={"Accept": "text/html"}, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        yield client  # type: ignore[misc]


async def test_no_page_holds_script_or_style_and_the_policy_forbids_both(
    house: House, stranger: aiohttp.ClientSession
) -> None:
    for path in ("/sign-in", "/nothing", "/accept-invitation?secret=x"):
        async with stranger.get(path) as response:
            text = await response.text()
            policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]* src=)", text)
        assert "integrity=" in text


async def test_odd_logins_are_refused_like_wrong_ones(stranger: aiohttp.ClientSession) -> None:
    for login, status in (("a\0b", 422), ("x" * 101, 422), ("", 422), ("ü" * 100, 401)):
        async with stranger.post(
            "/sign-in", data={"login": login, "password": "x"}, headers=_from(stranger)
        ) as response:
            assert (response.status, "Password" in await response.text()) == (status, True), login


def _from(client: aiohttp.ClientSession, origin: str = "") -> dict[str, str]:
    return {"Origin": origin or str(client._base_url).rstrip("/")}


async def test_a_wrong_password_says_so_and_keeps_the_login(
    stranger: aiohttp.ClientSession,
) -> None:
    async with stranger.post(
        "/sign-in", data={"login": "<admin>", "password": "x"}, headers=_from(stranger)
    ) as response:
        text = await response.text()
        assert response.status == 401
    assert "password is wrong" in text
    assert "&lt;admin&gt;" in text


async def test_another_sites_form_is_refused(
    house: House, stranger: aiohttp.ClientSession, cookies: dict[str, str], sign_in: SignIn
) -> None:
    await sign_in()
    session = {"Cookie": f"callctl_session={cookies['admin']}"}
    for path in ("/sign-in", "/sign-out", "/look", "/saved-filters", "/calls/1/call-back"):
        async with stranger.post(
            path, data={"name": "x"}, headers=session | _from(stranger, "https://evil.example")
        ) as response:
            assert (response.status, "cross_origin" in await response.text()) == (403, True), path


async def test_what_is_not_there_is_a_page_not_a_dump(
    stranger: aiohttp.ClientSession, cookies: dict[str, str], sign_in: SignIn
) -> None:
    await sign_in()
    session = {"Cookie": f"callctl_session={cookies['admin']}"}
    for path in ("/calls/999999", "/calls/x", "/nothing"):
        async with stranger.get(path, headers=session) as response:
            text = await response.text()
            assert response.status == 404
        assert "not_found" in text
        assert "<html" in text


async def test_a_page_loads_less_than_300_kilobytes_of_script_and_style(sign_in: SignIn) -> None:
    page = await sign_in()
    sizes: list[int] = []

    async def note(response: object) -> None:
        sizes.append(len(await response.body()))  # type: ignore[attr-defined]

    responses: list[object] = []
    page.on("response", lambda r: responses.append(r) if "/static/" in r.url else None)
    await page.goto("/calls", wait_until="networkidle")
    for response in responses:
        await note(response)
    assert 0 < sum(sizes) < 300_000
