"""The account's money in the browser: a customer's wallet, transfers, more money."""

from playwright.async_api import expect

from tests.console.conftest import SignIn
from tests.console.house import House


async def test_a_transfer_is_set_aside_once_and_paid_when_somebody_else_approves(
    sign_in: SignIn, house: House
) -> None:
    db = house.daemon.db
    account = await db.fetchval("select id from accounts where code = 'shop'")
    page = await sign_in("sara")
    await page.goto("/transfers")
    form = page.locator("form", has_text="New transfer")
    await form.locator("[name=amount]").fill("12,5")
    await form.get_by_role("button").click()
    await expect(page.locator(".note.red")).to_contain_text("is no amount")
    await form.locator("[name=amount]").fill("12.5")
    await form.locator("[name=note]").fill("<b>August")
    key = await form.locator("[name=key]").input_value()
    sent = {"target": str(house.account), "amount": "12.5", "note": "<b>August", "key": key}
    for _ in range(2):
        answer = await page.request.post("/transfers", form=sent, headers={"Origin": house.url})
        assert answer.ok
    assert await db.fetchval("select count(*) from transfers where account_id = $1", account) == 1
    await page.goto("/transfers")
    await expect(page.locator(".figures")).to_contain_text("12.50 USD")
    assert await page.get_by_role("button", name="Approve").count() == 0
    other = await sign_in("sam")
    await other.goto("/transfers?state=awaiting_audit")
    await other.locator("tr", has_text="<b>August").get_by_role("button", name="Approve").click()
    await expect(other.locator("[role=status]")).to_contain_text("Approved, and paid")
    await other.goto("/wallet?class=out")
    await expect(other.locator("tr", has_text="<b>August")).to_contain_text("-12.50 USD")


async def test_a_rejected_transfer_frees_the_money_and_can_be_deleted(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in("sara")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/transfers")
    form = page.locator("form", has_text="New transfer")
    await form.locator("[name=amount]").fill("7")
    await form.locator("[name=note]").fill("by mistake")
    await form.get_by_role("button").click()
    other = await sign_in("sam")
    await other.goto("/transfers")
    row = other.locator("tr", has_text="by mistake")
    await row.locator("[name=note]").fill("not owed")
    await row.get_by_role("button", name="Reject").click()
    await expect(row).to_contain_text("not owed")
    await page.goto("/transfers")
    await page.locator("tr", has_text="by mistake").get_by_role("button", name="Delete").click()
    await expect(page.locator("[role=status]")).to_contain_text("Deleted")
    assert await page.locator("tr", has_text="by mistake").count() == 0


async def test_an_invoice_is_asked_for_and_the_ledger_is_exported(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in("sara")
    await page.goto("/top-up")
    assert await page.get_by_role("button", name="Begin to pay").count() == 0
    form = page.locator("form", has_text="Ask for an invoice")
    await form.locator("[name=amount]").fill("100")
    await form.locator("[name=legal_name]").fill("Shop <Kft>")
    await form.get_by_role("button").click()
    await expect(page.locator("tr", has_text="Shop <Kft>")).to_contain_text("100.00 USD")
    await page.goto("/wallet?class=in")
    await expect(page.locator("main tbody")).to_contain_text("opening")
    await page.get_by_role("button", name="Export").click()
    await expect(page.get_by_role("link", name="Save the file")).to_be_visible()
    rows = await house.daemon.db.fetchval("select rows from exports order by id desc limit 1")
    assert rows == 1


async def test_who_may_not_see_money_has_no_menu_of_it(sign_in: SignIn) -> None:
    page = await sign_in("max")
    for path in ("/wallet", "/transfers", "/top-up"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
    await page.goto("/calls")
    assert "Wallet" not in await page.locator(".menu a").all_inner_texts()
