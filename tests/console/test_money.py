"""The account's money in the browser: a customer's wallet, transfers, more money."""

import re
import time
from dataclasses import replace
from urllib.parse import urlencode

from playwright.async_api import expect

from callctl.core.author import Author
from callctl.core.permissions import ALL_SCOPES
from callctl.features.calls.store import StoredCall
from callctl.features.numbers.request_model import NewOffer
from callctl.features.routing.numbers import RoutingNumbers
from callctl.http.endpoint import Actor
from tests.clients.conftest import make_call, store_calls
from tests.console.conftest import SignIn
from tests.console.house import House

TESTING = """
update stock_numbers set state = 'testing', until = now() + interval '1 minute', test_detail = ''
where number = '+3612340003'
"""
FAILED = """
update stock_numbers set state = 'failed', until = null, test_detail = 'nobody was reached'
where number = '+3612340003'
"""


async def available(house: House) -> int:
    account = await house.daemon.db.fetchval("select id from accounts where code = 'shop'")
    return (await house.daemon.ledger.get_wallet(Actor(account, "sara", ALL_SCOPES))).available


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
    await form.locator("[name=amount]").fill("-5")
    await form.get_by_role("button").click()
    await expect(page.locator(".note.red")).to_contain_text("an amount is more than nothing")
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
    shown = await page.locator("main tbody tr").count()
    await page.get_by_role("button", name="Export").click()
    await expect(page.get_by_role("link", name="Save the file")).to_be_visible()
    rows = await house.daemon.db.fetchval("select rows from exports order by id desc limit 1")
    assert rows == shown


async def test_who_may_not_see_money_has_no_menu_of_it(sign_in: SignIn) -> None:
    page = await sign_in("max")
    for path in ("/wallet", "/transfers", "/top-up"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
    await page.goto("/calls")
    assert "Wallet" not in await page.locator(".menu a").all_inner_texts()


def came_in(account: int, number: str | None) -> StoredCall:
    """A call to the number that is bought here: a customer's, or without `number` a test."""
    call, now = make_call(account, number), time.time_ns() // 1_000
    record = replace(
        call.record, did="+3612340003", to_number="+3612340003", started_us=now,
        ended_us=now + 1_000_000, trunk="carrier" if number else None,
    )  # fmt: skip
    return replace(call, record=record, to_number="+3612340003")


async def clear_default(house: House) -> None:
    """No number is the one that the customer's calls show, whatever was bought before."""
    account = await house.daemon.db.fetchval("select id from accounts where code = 'shop'")
    numbers = RoutingNumbers(house.daemon.routing)
    async with numbers.set_default(account, None, Author("sara")):
        pass


async def test_a_number_is_set_aside_and_bought_at_the_price_that_was_shown(
    sign_in: SignIn, house: House
) -> None:
    before = await available(house)
    await clear_default(house)
    page = await sign_in("sara")
    await page.goto("/number-shop?country=hu&pattern=*0003")
    row = page.locator("tr", has_text="+3612340003")
    await row.get_by_role("button", name="Set it aside").click()
    held = page.locator("section", has_text="Set aside for you").locator("tr", has_text="340003")
    await held.get_by_role("link", name="Buy").click()
    facts = page.locator("dl.facts")
    await expect(facts).to_contain_text("5.00 USD")
    await page.locator("[name=to]").select_option("hunt_group:desk")
    await page.get_by_label("Label").fill("<b>Front desk")
    await expect(page.locator("main")).to_contain_text("this one becomes it")
    pay = page.get_by_role("button", name="Pay")
    await page.locator("[name=first]").evaluate("field => { field.value = '1' }")
    await pay.click()
    await expect(page.locator(".note.red")).to_contain_text("another one by now")
    assert before == await available(house)
    shown = (await pay.inner_text()).split()[1]
    await pay.click()
    await expect(page.locator("[role=status]")).to_contain_text("It is the number that your calls")
    await expect(page.locator("tr", has_text="+3612340003")).to_contain_text("not tried yet")
    assert before - await available(house) == round(float(shown) * 100) > 0
    bought = page.locator("tr", has_text="+3612340003")
    await expect(bought.get_by_role("link", name="hunt group desk")).to_be_visible()
    await expect(bought).to_contain_text("<b>Front desk")
    await expect(bought.locator("td", has_text="Test")).to_contain_text("costs what any call does")
    await expect(page.locator("tr", has_text="shown by calls out")).to_have_count(1)
    await expect(page.get_by_role("link", name="Numbers in the routing")).to_be_visible()
    await bought.get_by_role("link", name="+3612340003").click()
    await expect(page.locator("main h1")).to_contain_text("+3612340003")
    await page.go_back()
    await bought.get_by_role("button", name="Test").click()
    await expect(page.locator(".note.red")).to_be_visible()
    await page.goto("/routing")
    await expect(page.locator("main")).to_contain_text("+3612340003")

    # A test that is on its way comes to its end on the page that is open.
    db = house.daemon.db
    await db.execute(TESTING)
    await page.goto("/numbers")
    await expect(bought).to_contain_text("being tested")
    await expect(bought.get_by_role("button")).to_have_count(0)
    await db.execute(FAILED)
    await expect(bought).to_contain_text("test failed")
    await expect(bought).to_contain_text("nobody was reached")
    await expect(bought.get_by_role("button", name="Test")).to_be_visible()
    assert await bought.get_attribute("hx-get") is None, "nothing more is asked"
    # However long it takes, a page that is forgotten stops asking.
    await db.execute(TESTING)
    await page.goto("/numbers?look=120")
    assert await bought.get_attribute("hx-get") is None
    await db.execute(FAILED)

    # From the number to the record that decided; before there is one, to the number's calls.
    assert await bought.get_by_role("link", name="The test call").count() == 0
    await db.execute("update stock_numbers set tested_at = now() where number = '+3612340003'")
    await page.goto("/numbers")
    await bought.get_by_role("link", name="The test call").click()
    await expect(page).to_have_url(re.compile(r"/calls\?number=%2B3612340003"))
    account = await db.fetchval("select id from accounts where code = 'shop'")
    async with db.transaction() as connection:
        customer, test_call = await store_calls(
            connection, [came_in(account, "+36201234567"), came_in(account, None)]
        )
    await page.goto("/numbers")
    await bought.get_by_role("link", name="The test call").click()
    await expect(page).to_have_url(re.compile(f"/calls/{test_call}$"))
    await expect(page.locator("main")).to_contain_text("+3612340003")
    await db.execute("delete from calls where id = any($1)", [customer, test_call])


async def test_a_number_beside_the_one_that_calls_show_takes_its_place_only_when_asked(
    sign_in: SignIn,
) -> None:
    page = await sign_in("sara")
    for number in ("+3612340004", "+3612340005"):
        await page.goto("/number-shop/buy?" + urlencode({"number": number}))
        await page.locator("[name=to]").select_option("extension:301")
        await page.get_by_role("button", name="Pay").click()
        await expect(page.locator("tr", has_text=number)).to_be_visible()
    await expect(page.locator("[role=status]")).to_have_text("Bought, paid, and routed.")
    await page.goto("/number-shop/buy?" + urlencode({"number": "+3612340008"}))
    await expect(page.get_by_role("button", name="Pay")).to_be_visible()
    await expect(page.locator("main")).not_to_contain_text("this one becomes it")
    await page.goto("/numbers")
    row = page.locator("tr", has_text="+3612340005")
    await row.get_by_role("button", name="Show it by calls out").click()
    await expect(row).to_contain_text("shown by calls out")
    await expect(page.locator("tr", has_text="shown by calls out")).to_have_count(1)


async def test_a_wish_is_answered_bought_and_another_taken_back(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in("sara")
    await page.goto("/number-wishes")
    form = page.locator("form", has_text="Wish for a number")
    for note in ("<b>seven", "no more"):
        await form.locator("[name=country]").fill("hu")
        await form.locator("[name=pattern]").fill("*7")
        await form.locator("[name=note]").fill(note)
        await form.get_by_role("button").click()
        await expect(page.locator("tr", has_text=note)).to_contain_text("waits for an answer")
    gone = page.locator("tr", has_text="no more")
    await gone.get_by_role("button", name="Take back").click()
    await expect(gone).to_contain_text("taken back")
    wish = await house.daemon.db.fetchval("select id from number_requests where note = '<b>seven'")
    await house.daemon.numbers.requests.offer(house.boss, wish, NewOffer("+3612340007"))
    await page.reload()
    await page.locator("tr", has_text="<b>seven").get_by_role("link", name="Buy").click()
    await page.locator("[name=to]").select_option("extension:301")
    await page.get_by_role("button", name="Pay").click()
    await page.goto("/number-wishes")
    await expect(page.locator("tr", has_text="<b>seven")).to_contain_text("bought")


async def test_a_package_is_quoted_paid_and_its_seats_are_given(
    sign_in: SignIn, house: House
) -> None:
    before = await available(house)
    page = await sign_in("sara")
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/package")
    await page.locator("[name=seats]").fill("1")
    await page.locator("[name=months]").fill("2")
    await page.get_by_role("button", name="What would it cost?").click()
    await expect(page.locator("#quote tbody")).to_contain_text("2 months")
    assert before == await available(house)
    await page.get_by_role("button", name="Pay 20.00 USD").click()
    await expect(page.locator("[role=status]")).to_contain_text("Paid")
    assert before - await available(house) == 20_00
    await page.locator("[name=user_id]").select_option(label="Sam (sam)")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator("main")).to_contain_text("1 of 1 taken")
    assert await page.locator("[name=user_id]").count() == 0
    await page.get_by_role("button", name="Free the seat").click()
    await expect(page.locator("main")).to_contain_text("0 of 1 taken")


async def test_what_a_call_would_cost_is_told_with_its_rate(sign_in: SignIn) -> None:
    page = await sign_in("sara")
    await page.goto("/rates?prefix=36")
    rates = page.locator("section table")
    await expect(rates).to_contain_text("0.12 USD per 60 s")
    await expect(rates).to_contain_text("<i>Hungary")
    await page.locator("[name=number]").fill("+36201234567")
    await page.locator("[name=seconds]").fill("95")
    await page.get_by_role("button", name="Reckon").click()
    await expect(page.locator(".note.green")).to_contain_text("0.24 USD")
    await expect(page.locator(".note.green")).to_contain_text("95 s of talk count as 96 s")
