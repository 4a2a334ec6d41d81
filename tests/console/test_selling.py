"""What operators and resellers do in the browser: accounts, price lists, stock, invoices."""

import io
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.console.conftest import SignIn
from tests.console.house import HOSTILE, RIGHT_TO_LEFT, House


async def test_an_account_is_made_its_administrator_comes_in_and_funds_are_given(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/top-up")
    await page.locator("#credit [name=amount]").fill("1000")
    await page.get_by_role("button", name="Credit it").click()
    await expect(page.locator("[role=status]")).to_contain_text("Credited")
    await page.goto("/accounts/new")
    await page.locator("[name=name]").fill(HOSTILE)
    await page.locator("[name=code]").fill("shop")
    await page.locator("[name=timezone]").fill("Europe/Nowhere")
    make = page.get_by_role("button", name="Make the account")
    await page.locator("[name='administrator.name']").fill("Min-jun")
    await make.click()
    zone = page.locator("[name=timezone]")
    await expect(zone).to_have_attribute("aria-invalid", "true")
    await expect(zone).to_have_accessible_description(
        "is no time zone; write one such as Europe/Budapest"
    )
    await zone.fill("Asia/Seoul")
    await make.click()
    await expect(page.locator("#wrong-code")).to_contain_text("this code is taken")
    await page.locator("[name=code]").fill("seoul")
    await make.click()
    link = await page.get_by_label("Link").input_value()
    assert link.startswith(f"{house.url}/accept-invitation?secret=")
    await expect(page.locator("[role=status]")).to_contain_text("It works until")
    await page.get_by_role("link", name="Give it funds").click()
    await expect(page.locator("h1")).to_have_text(HOSTILE)
    path = page.url.partition(house.url)[2]
    funds = page.locator("#funds")
    await funds.locator("[name=amount]").fill("99999999")
    await funds.get_by_role("button").click()
    await expect(page.locator(".note.red")).to_contain_text("Missing: 99,99")
    await funds.locator("[name=amount]").fill("1,5")
    await funds.get_by_role("button").click()
    await expect(funds.locator("#wrong-amount")).to_contain_text("is no amount")
    await funds.locator("[name=amount]").fill("250.5")
    await funds.locator("[name=note]").fill("March")
    key = await funds.locator("[name=key]").input_value()
    sent = {"from": "wallet", "amount": "250.5", "note": "March", "key": key}
    for _ in range(2):
        answer = await page.request.post(f"{path}/funds", form=sent, headers={"Origin": house.url})
        assert answer.ok
    await page.goto("/accounts?q=SEOUL")
    await expect(page.locator("main tbody")).to_contain_text("250.50 USD")
    await page.goto(f"{path}/ledger")
    await expect(page.locator("main tbody tr")).to_have_count(1)
    await expect(page.locator("main tbody")).to_contain_text("March")


async def test_an_administrator_is_invited_by_name_and_by_a_whole_address(
    sign_in: SignIn, house: House
) -> None:
    db = house.daemon.db
    account = await db.fetchval("select id from accounts where code = 'rtl'")
    page = await sign_in()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    count = "select count(*) from invitations where account_id = $1"
    before = await db.fetchval(count, account)
    sent, headers = {"administrator.email": "anna@example.org"}, {"Origin": house.url}
    answer = await page.request.post(f"/accounts/{account}/invite", form=sent, headers=headers)
    assert answer.status == 422
    assert "write who is invited" in await answer.text()
    assert "anna@example.org" in await answer.text()
    assert await db.fetchval(count, account) == before
    await page.goto(f"/accounts/{account}")
    form = page.locator("form", has_text="Invite an administrator")
    await form.get_by_role("button").click()
    name = form.locator("[name='administrator.name']")
    assert await name.evaluate("field => field.validity.valueMissing")
    await name.fill("Anna Adams")
    await form.get_by_role("button").click()
    await expect(page.locator("[role=status]")).to_contain_text("It works until")
    link = page.get_by_label("Link")
    await expect(link).not_to_be_editable()
    address = await link.input_value()
    assert address.startswith(f"{house.url}/accept-invitation?secret=")
    await page.get_by_role("button", name="Copy").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == address
    stranger = await page.context.browser.new_page()  # type: ignore[union-attr]
    await stranger.goto(address)
    await expect(stranger.locator("main")).to_contain_text(f"You are invited to {RIGHT_TO_LEFT}")
    await expect(stranger.get_by_label("Your name")).to_have_value("Anna Adams")
    await stranger.goto(f"{address}x")
    await expect(stranger.locator("main")).to_contain_text("No such invitation")
    await expect(stranger.get_by_label("Your name")).to_have_count(0)
    await stranger.close()


async def test_how_an_account_pays_and_what_its_calls_cost_are_set(
    sign_in: SignIn, house: House
) -> None:
    account = await house.daemon.db.fetchval("select id from accounts where code = 'rtl'")
    # Forms and links are enough.
    page = await sign_in(script=False)
    await page.goto(f"/accounts/{account}")
    spend = page.locator("#spend")
    await spend.locator("[name=credit_limit]").fill("20")
    await spend.get_by_role("button").click()
    await expect(page.locator("#wrong-credit_limit")).to_contain_text("has no credit")
    await spend.locator("[name=mode]").select_option("postpaid")
    await spend.get_by_role("button").click()
    await expect(page.locator("[role=status]")).to_contain_text("Saved")
    await expect(spend.locator("[name=credit_limit]")).to_have_value("20.00")
    await page.locator("#tariff").get_by_role("button", name="Set it").click()
    await expect(page.locator("#tariff dl")).to_contain_text("Retail")
    await page.locator("#package [name=required]").check()
    await page.locator("#package").get_by_role("button").click()
    await page.goto("/package-sales")
    await expect(page.locator("main tbody tr", has_text="rtl")).to_contain_text("yes")
    await page.locator("#terms [name=price]").last.fill("9")
    await page.locator("#terms [name=price_currency]").last.select_option("HUF")
    await page.locator("#terms").get_by_role("button").click()
    await expect(page.locator("#terms [name=price]")).to_have_count(3)


async def test_a_file_of_rates_changes_nothing_until_its_difference_is_confirmed(
    sign_in: SignIn, house: House, tmp_path: Path
) -> None:
    page = await sign_in()
    await page.goto("/tariffs")
    await page.locator("[name=name]").fill("<i>Wholesale")
    await page.get_by_role("button", name="Make it").click()
    file, show = (
        page.locator("[name=file]"),
        page.get_by_role("button", name="Show what it changes"),
    )
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("prefix,price\n36,cheap\n44,0.01\n")
    await file.set_input_files(wrong)
    await show.click()
    await expect(page.locator(".note.red").first).to_contain_text("line 2, price: is no price")
    rates = tmp_path / "rates.csv"
    for price, shown in (("0.5", "new"), ("0.75", "changed")):
        rates.write_text(f"prefix,destination,price\n36,<b>Hungary,{price}\n")
        await file.set_input_files(rates)
        await show.click()
        row = page.locator("main tbody tr")
        await expect(row).to_contain_text(shown)
        await expect(row).to_contain_text("<b>Hungary")
        await expect(row).to_contain_text(f"{price} USD")
        if shown == "changed":
            await page.get_by_role("button", name="Forget it").click()
        else:
            await page.get_by_role("button", name="Confirm").click()
        await expect(page.locator("h1")).to_have_text("<i>Wholesale")
        await expect(page.locator("main table")).to_contain_text("0.5 USD")
    await page.locator("[name=prefix]").fill("44")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("main")).to_contain_text("No rate matches")


async def test_a_block_is_checked_loaded_and_a_customer_buys_of_it(
    sign_in: SignIn, house: House, tmp_path: Path
) -> None:
    page = await sign_in()
    await page.goto("/number-stock/load")
    block = page.locator("#block")
    await block.locator("[name=first]").fill("+36 1 777 0001")
    await block.locator("[name=last]").fill("+36 1 777 0000")
    await block.locator("[name=area]").fill("<b>Budapest")
    await block.locator("[name=monthly]").fill("2.50")
    await block.locator("[value=sms]").check()
    await block.get_by_role("button", name="Only check").click()
    await expect(page.locator("#wrong-last")).to_be_visible()
    await block.locator("[name=last]").fill("+36 1 777 0003")
    await block.get_by_role("button", name="Only check").click()
    await expect(page.locator("[role=status]")).to_contain_text("3 numbers can be loaded")
    assert not await house.daemon.db.fetchval(
        "select count(*) from stock_numbers where number like '+361777%'"
    )
    await block.get_by_role("button", name="Load", exact=True).click()
    await expect(page.locator("[role=status]")).to_contain_text("3 numbers were loaded")
    again = tmp_path / "block.csv"
    again.write_text("first,setup,monthly,currency\n+3617770003,0,250,USD\n+3617770009,0,250,USD\n")
    await page.goto("/number-stock/load")
    await page.locator("#file [name=file]").set_input_files(again)
    await page.get_by_role("button", name="Send the file").click()
    await expect(page.locator(".note.red")).to_contain_text("is in a stock already")
    theirs = await sign_in("sara")
    await theirs.goto("/number-shop/buy?number=%2B3617770002")
    await theirs.locator("[name=to]").select_option("hunt_group:desk")
    await theirs.get_by_role("button", name="Pay").click()
    await expect(theirs.locator("[role=status]")).to_contain_text("Bought")
    await page.goto("/number-stock?pattern=1777")
    await expect(page.locator("main tbody tr")).to_have_count(3)
    await expect(page.locator("tr", has_text="+3617770002")).to_contain_text("sold")
    await page.goto("/number-stock/+3617770001")
    await page.get_by_role("button", name="Take it from sale").click()
    await expect(page.locator(".top .badge")).to_contain_text("not for sale")
    # Whoever takes of their own stock pays nobody, and is told so instead of an amount.
    await page.goto("/number-shop?pattern=1777")
    mine = page.locator("tr", has_text="+3617770003")
    await expect(mine).to_contain_text("your own stock: no charge")
    await expect(mine).not_to_contain_text("USD")
    await mine.get_by_role("link", name="Buy").click()
    await expect(page.locator("main form")).to_contain_text("nobody is paid for it")
    await page.locator("[name=to]").select_option("hunt_group:sales")
    await page.get_by_role("button", name="Take it, without charge").click()
    await expect(page.locator("[role=status]")).to_contain_text("without charge")
    await expect(page.locator("tr", has_text="+3617770003")).to_contain_text("no charge")


async def test_a_wish_is_offered_a_number_of_the_stock_or_declined(
    sign_in: SignIn, house: House
) -> None:
    db = house.daemon.db
    wish = await db.fetchval("select id from number_requests where pattern = '*8'")
    page = await sign_in()
    await page.goto("/customer-wishes?state=requested")
    await page.locator(f"a.button[href='/customer-wishes/{wish}']").click()
    await expect(page.locator("#offer [name=number]")).to_have_value("+3612340008")
    await page.locator("#offer [name=number]").fill("+3612349999")
    await page.get_by_role("button", name="Offer it").click()
    await expect(page.locator(".note.red")).to_be_visible()
    await page.locator("#offer [name=number]").fill("+3612340008")
    await page.get_by_role("button", name="Offer it").click()
    await expect(page.locator("main tbody tr", has_text="*8")).to_contain_text("+3612340008 until")
    await page.goto(f"/customer-wishes/{wish}")
    await page.locator("[name=reason]").fill("none left")
    await page.get_by_role("button", name="Decline").click()
    await expect(page.locator("main tbody tr", has_text="*8")).to_contain_text("declined")


async def test_an_invoice_is_sent_and_its_money_credited_when_it_is_paid(
    sign_in: SignIn, house: House
) -> None:
    page = await sign_in()
    await page.goto("/invoicing?state=requested")
    row = page.locator("main tbody tr", has_text="12,345.67 USD")
    await row.locator("[name=invoice_number]").fill("2026-0001")
    await row.get_by_role("button", name="It is sent").click()
    await expect(row).to_contain_text("2026-0001")
    theirs = await sign_in("sara")
    await theirs.goto("/top-up")
    before = await theirs.locator(".figures").inner_text()
    await row.get_by_role("button", name="It is paid").click()
    await expect(page.locator("[role=status]")).to_contain_text("the money is in the wallet")
    await expect(row.get_by_role("button")).to_have_count(0)
    await theirs.reload()
    assert await theirs.locator(".figures").inner_text() != before
    await theirs.goto("/wallet?class=in")
    await expect(theirs.locator("main tbody tr").first).to_contain_text("12,345.67 USD")


async def test_groups_and_types_of_clients_are_kept(sign_in: SignIn) -> None:
    page = await sign_in()
    page.on("dialog", lambda dialog: dialog.accept())
    await page.goto("/clients/new")
    await page.locator("[name=name]").fill("Debtor <b>Ltd")
    await page.get_by_role("button", name="Save").click()
    await page.goto("/client-groups")
    await page.locator("main [name=name]").fill("<i>Debtors")
    await page.get_by_role("button", name="Add group").click()
    await page.locator("#add [name=q]").fill("debtor")
    await page.get_by_role("button", name="Search").click()
    await page.locator("#add").get_by_label("Debtor <b>Ltd").check()
    await page.get_by_role("button", name="Put in").click()
    await expect(page.locator(".top .badge")).to_have_text("1 client")
    await page.get_by_role("button", name="Take out").click()
    await expect(page.locator(".top .badge")).to_have_text("0 clients")
    await page.get_by_role("button", name="Delete").click()
    await expect(page.locator("main")).to_contain_text("No group yet")
    await page.goto("/client-types")
    first = await page.locator("main tbody [name=name]").first.input_value()
    await page.get_by_role("button", name=f"{first} down").click()
    await expect(page.locator("main tbody [name=name]").nth(1)).to_have_value(first)
    await page.get_by_role("button", name=f"Retire {first}").click()
    await expect(page.locator("main tbody tr").nth(1)).to_contain_text("retired")
    await page.get_by_role("button", name=f"{first} up").click()
    await page.get_by_role("button", name=f"Take back {first}").click()
    await expect(page.locator("main tbody tr").first).to_contain_text("in use")


async def test_who_sells_nothing_sees_nothing_of_selling(sign_in: SignIn) -> None:
    page = await sign_in("sara")
    for path in ("/accounts", "/number-stock", "/package-sales", "/invoicing", "/customer-wishes"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 403, path
    await page.goto("/wallet")
    assert "Selling" not in await page.locator(".menu").inner_text()
    seller = await sign_in()
    await seller.goto("/wallet")
    assert "Selling" in await seller.locator(".menu").inner_text()


_FORM = "multipart/form-data; boundary=b"
_PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="rates.csv"\r\n\r\n'


def _file(content: bytes) -> bytes:
    return _PART + content + b"\r\n--b--\r\n"


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (400, "application/x-www-form-urlencoded", b"file=x"),
        (400, "multipart/form-data", b"no boundary"),
        (400, _FORM, b""),
        (422, _FORM, _PART + b"prefix,price\r\n"),
        (400, _FORM, b"--b\r\n\r\n" + b"x" * 5000 + b"\r\n--b--\r\n"),
        (422, _FORM, _file(b"x" * 2_000_000)),
        (413, _FORM, _file(b"x" * 5_000_000)),
        (400, _FORM, b"--b\r\n" + b"a: b\r\n" * 500 + b"\r\n\r\n--b--\r\n"),
    ],
)
async def test_a_broken_form_with_a_file_is_refused_in_words(
    sign_in: SignIn,
    house: House,
    cookies: dict[str, str],
    status: int,
    content_type: str,
    body: bytes,
) -> None:
    if "admin" not in cookies:
        await sign_in()
    headers = {"Origin": house.url, "Content-Type": content_type, "Accept": "text/html"}
    async with aiohttp.ClientSession(cookies={"callctl_session": cookies["admin"]}) as client:
        url = f"{house.url}/number-stock/load-file"
        async with client.post(url, data=io.BytesIO(body), headers=headers) as answer:
            assert answer.status == status, await answer.text()
            assert "note red" in await answer.text()
