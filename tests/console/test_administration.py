"""People, rights, tokens, webhooks, the audit log and settings."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from tests.console.conftest import SignIn
from tests.console.house import House
from tests.history.conftest import eventually


async def test_somebody_is_invited_accepts_and_comes_in(sign_in: SignIn, house: House) -> None:
    page = await sign_in()
    await page.goto("/people/new")
    sent, headers = {"role": "head", "email": "ivy@example.org"}, {"Origin": house.url}
    answer = await page.request.post("/people/invite", form=sent, headers=headers)
    assert answer.status == 422
    assert "Name: write who is invited" in await answer.text()
    assert "ivy@example.org" in await answer.text()
    form = page.locator("form", has_text="Invite by link")
    await form.locator("[name=name]").fill("Ivy Invited")
    await form.locator("[name=role]").select_option("head")
    await form.get_by_role("button").click()
    link = await page.get_by_label("Link").input_value()
    assert link.startswith(f"{house.url}/accept-invitation?secret=")
    stranger = await page.context.browser.new_page()  # type: ignore[union-attr]
    await stranger.goto(link)
    await expect(stranger.get_by_label("Your name")).to_have_value("Ivy Invited")
    await stranger.fill("[name=login]", "ivy")
    await stranger.fill("[name=password]", "a long enough password")
    await stranger.click("button.main")
    await stranger.fill("[name=login]", "ivy")
    await stranger.fill("[name=password]", "a long enough password")
    await stranger.click("button.main")
    await expect(stranger.locator(".me")).to_contain_text("ivy")
    await stranger.close()


async def test_rights_are_granted_and_withdrawn_and_blocking_ends_sessions(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/people/new")
    form = page.locator("form", has_text="Add at once")
    await form.locator("[name=login]").fill("nora")
    await form.locator("[name=name]").fill("Nora New")
    await form.get_by_role("button").click()
    house.passwords["nora"] = await page.locator(".secret").inner_text()
    theirs = await sign_in("nora")
    await theirs.goto("/clients")
    await page.click(".note a")
    await page.check("[value='clients:delete']")
    await page.uncheck("[value='recordings:read']")
    await page.click("button.main")
    await expect(page.locator("[value='clients:delete']")).to_be_checked()
    await expect(page.locator("[value='recordings:read']")).not_to_be_checked()
    rights = await house.daemon.db.fetchrow(
        "select granted, withdrawn from users where login = 'nora'"
    )
    assert [*rights] == [["clients:delete"], ["recordings:read"]]
    await theirs.reload()
    assert "Recordings" not in await theirs.locator(".menu a").all_inner_texts()
    await page.get_by_role("button", name="Block").click()
    await expect(page.locator(".top .badge")).to_have_text("blocked")
    await theirs.reload()
    assert theirs.url.endswith("/sign-in")


async def test_the_last_administrator_cannot_be_blocked(sign_in: SignIn, house: House) -> None:
    id_ = await house.daemon.db.fetchval("select id from users where login = 'admin'")
    page = await sign_in()
    await page.goto(f"/people/{id_}")
    await page.get_by_role("button", name="Block").click()
    await expect(page.locator(".note.red")).to_contain_text("administrator")


async def test_a_group_with_members_is_not_deleted(sign_in: SignIn, house: House) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/people")
    await page.locator("form", has_text="New group").locator("[name=name]").fill("Night shift")
    await page.get_by_role("button", name="Add group").click()
    id_ = await house.daemon.db.fetchval("select id from users where login = 'lea'")
    await page.goto(f"/people/{id_}")
    await page.locator("[name=group_id]").select_option(label="Night shift")
    await page.click("button.main")
    await page.goto("/people")
    group = page.locator("details", has_text="Night shift")
    await group.locator("summary").click()
    await group.get_by_role("button", name="Delete").click()
    await expect(page.locator(".note.red")).to_be_visible()
    await expect(page.locator("details", has_text="Night shift")).to_contain_text("1 member")


async def test_a_token_works_until_it_is_revoked(sign_in: SignIn, house: House) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/tokens")
    await page.locator("main [name=name]").fill("<b>CRM")
    await page.check("[value='calls:read']")
    await page.click("text=Issue >> nth=-1")
    token = await page.locator(".secret").inner_text()
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(house.url, headers=headers) as client:
        async with client.get("/api/v1/calls") as answer:
            assert answer.status == 200
        row = page.locator("tr", has_text="<b>CRM")
        await row.get_by_role("button", name="Revoke").click()
        await expect(page.locator("tr", has_text="<b>CRM")).to_contain_text("revoked")
        async with client.get("/api/v1/calls") as answer:
            assert answer.status == 401


@pytest.fixture
async def receiver() -> AsyncIterator[str]:
    """The address of somebody who takes every event."""

    async def take(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_post("/hook", take)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook"))


async def test_a_webhook_shows_its_deliveries_and_sends_again(
    sign_in: SignIn, house: House, receiver: str
) -> None:
    page = await sign_in()
    await page.goto("/webhooks")
    await page.fill("[name=url]", receiver)
    await page.check("[value='call.ended']")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".secret")).to_be_visible()
    await page.click("main table a")
    await expect(page.locator("main")).to_contain_text("Nothing was sent yet")
    await house.call("answered", 30)

    async def delivered() -> bool:
        found = await house.daemon.db.fetchval(
            "select count(*) from webhook_deliveries where state = 'delivered'"
        )
        return bool(found)

    await eventually(delivered, "the event is delivered")
    await page.reload()
    row = page.locator("tr", has_text="call.ended")
    await row.first.get_by_role("button", name="Send again").click()
    await expect(page.locator("[role=status]")).to_contain_text("again")
    await page.uncheck("[name=active]")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("[name=active]")).not_to_be_checked()


async def test_settings_are_saved_logged_and_shown_with_their_source(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/settings")
    row = page.locator("tr", has_text="http_host").first
    await expect(row).to_contain_text("default")
    hints = page.locator("form", has_text="How calls look")
    await hints.locator("[name=outcome]").last.select_option("ANSWERED")
    await hints.locator("[name=colour]").last.select_option("purple")
    await hints.locator("[name=icon]").last.select_option("star")
    await hints.get_by_role("button").click()
    await page.goto("/calls?outcome=ANSWERED")
    await expect(page.locator("#calls tr.tone.purple").first).to_be_visible()
    await page.goto("/audit?action=display_hints.changed")
    await expect(page.locator("main tbody tr").first).to_contain_text("purple")
    await page.goto("/settings")
    await hints.locator("[name=colour]").first.select_option("")
    await hints.get_by_role("button").click()
    stored = await house.daemon.db.fetchval("select rules from display_hints")
    assert stored in ([], "[]", json.dumps([]))


async def test_a_page_beyond_ones_rights_is_refused(sign_in: SignIn) -> None:
    page = await sign_in("max")
    for path in ("/people", "/tokens", "/webhooks", "/audit", "/settings", "/limits"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
        await expect(page.locator("main")).to_contain_text("forbidden")
