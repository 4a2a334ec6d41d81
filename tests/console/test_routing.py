"""Changing where calls go: form, difference, trial, confirmation, going back."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from callctl.core.author import Author
from tests.console.conftest import SignIn
from tests.console.house import ROUTING, House


@pytest.fixture
async def page(sign_in: SignIn, house: House) -> AsyncIterator[Page]:
    yield await sign_in()
    await house.daemon.routing.apply(house.account, ROUTING, Author("admin"))


async def _members(house: House) -> list[str]:
    document = house.daemon.routing.export(house.account)
    return [str(member) for member in document.hunt_groups[0].members]


async def test_a_call_is_tried_and_its_way_is_told(page: Page) -> None:
    await page.goto("/routing/try")
    await page.fill("main [name=from]", "+36301234567")
    await page.fill("main [name=to]", "+442079460100")
    await page.click("main button.main")
    await expect(page.locator(".path")).to_contain_text("ring 201")
    await expect(page.locator(".reasons li")).not_to_have_count(0)
    await page.fill("main [name=to]", "+442079460101")
    await page.fill("main [name=at]", "2026-12-25T10:00")
    await page.click("main button.main")
    await expect(page.locator(".path")).to_have_text("hangup unavailable")
    suggested = page.locator("#parties option")
    values = await suggested.evaluate_all("all => all.map(one => one.value)")
    known = ["201", "202", "203", "204", "+442079460100", "+442079460101", "600"]
    assert [value for value in values if value in known] == known
    # Who is tried as the caller is offered as the phone that rings.
    await page.fill("main [name=at]", "")
    await page.locator("main [name=from]").first.fill("203")
    await page.locator("main [name=to]").first.fill("600")
    await page.click("main button.main")
    await expect(page.locator("form[action='/call'] [name=from]")).to_have_value("203")
    await page.get_by_role("button", name="Call it").click()
    await expect(page.locator("h1")).to_have_text("Call 600")
    await expect(page.locator("main .note.red")).to_contain_text("No connection to Asterisk")


async def test_a_hunt_order_is_changed_by_keyboard_tried_confirmed_and_undone(
    page: Page, house: House
) -> None:
    await page.goto("/routing/edit/hunt_groups?name=sales")
    await page.get_by_role("button", name="Down: Members 1").focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Look at the change").click()
    await expect(page.locator("table.diff")).to_contain_text("hunt group sales")
    await expect(page.locator("table.diff .after")).to_have_text("202 → 203 → 201")
    assert await _members(house) == ["201", "202", "203"]
    await page.fill("main [name=from]", "+36301234567")
    await page.fill("main [name=to]", "+442079460100")
    await page.get_by_role("button", name="Try").click()
    paths = page.locator(".path")
    await expect(paths).to_have_count(2)
    assert (await paths.nth(0).inner_text()).index("201") < (await paths.nth(0).inner_text()).index(
        "202"
    )
    assert (await paths.nth(1).inner_text()).index("202") < (await paths.nth(1).inner_text()).index(
        "201"
    )
    assert await _members(house) == ["201", "202", "203"]
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("In force")
    assert await _members(house) == ["202", "203", "201"]
    await page.goto("/routing/history")
    await page.get_by_role("button", name="Go back to before it").first.click()
    await expect(page.locator("table.diff")).to_contain_text("members")
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("Undone")
    assert await _members(house) == ["201", "202", "203"]


async def test_an_order_is_changed_by_dragging(page: Page) -> None:
    await page.goto("/routing/edit/hunt_groups?name=sales")
    grips = page.locator("[data-ordered]").first.locator(".grip")
    await grips.nth(0).drag_to(grips.nth(1), target_position={"x": 4, "y": 16})
    values = await page.locator("[name=member]").evaluate_all("all => all.map(e => e.value)")
    assert values[:3] == ["202", "201", "203"]


async def test_a_week_is_painted_on_its_line(page: Page, house: House) -> None:
    await page.goto("/routing/edit/schedules?name=office")
    line = page.locator(".day-row").nth(5).locator("svg")
    await line.scroll_into_view_if_needed()
    box = await line.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 9.1 / 24, box["y"] + 5)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 11.9 / 24, box["y"] + 5)
    await page.mouse.up()
    await expect(page.locator("[name=sat]")).to_have_value("09:00-12:00")
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    (office,) = house.daemon.routing.export(house.account).schedules
    assert office.weekly == ["mon-fri 08:00-17:00", "sat 09:00-12:00"]
    assert [holiday.name for holiday in office.holidays] == ["Christmas"]


async def test_a_caller_is_blocked_from_a_call(page: Page, house: House) -> None:
    call = await house.daemon.db.fetchval(
        "select max(id) from calls where direction = 'inbound' and customer_number_id is not null"
    )
    await page.goto(f"/calls/{call}")
    await page.click("text=Block this caller")
    await page.fill("[name=reason]", "nuisance")
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    rules = house.daemon.routing.export(house.account).blocklist
    assert [(r.match, r.reason) for r in rules if not isinstance(r, str)][-1] == (
        "+447700900101", "nuisance",
    )  # fmt: skip
    await page.goto("/routing?kind=blocklist")
    row = page.locator("tr", has_text="+447700900101")
    await expect(row.locator("td").last).to_have_text(re.compile(r"^refused\s+reason nuisance"))


async def test_what_is_wrong_is_named_and_the_form_keeps_what_was_written(page: Page) -> None:
    await page.goto("/routing/edit/dids")
    await page.fill("main [name=number]", "+44 20 7946 0199")
    await page.locator("main [name=to]").first.fill("extension:999")
    await page.get_by_role("button", name="Look at the change").click()
    await expect(page.locator(".note.red")).to_contain_text("999")
    await expect(page.locator("main [name=number]")).to_have_value("+44 20 7946 0199")
    await page.goto("/routing/edit/trunks?name=trunk")
    await page.fill("[name=text]", "name: [")
    await page.get_by_role("button", name="Look at the change").click()
    await expect(page.locator(".note.red")).to_contain_text("YAML")
    await expect(page.locator("[name=text]")).to_have_value("name: [")


async def test_an_object_that_nobody_can_read_is_refused_and_not_our_fault(
    page: Page, house: House
) -> None:
    for carried in ("[", '{"a":' * 50_000):
        answer = await page.request.post(
            "/routing/apply",
            form={"kind": "trunks", "was": "trunk", "object": carried},
            headers={"Origin": house.url},
        )
        assert answer.status == 422, carried[:10]


async def _changed_by_another(house: House, *changes: tuple[str, str]) -> None:
    other = ROUTING
    for before, after in changes:
        assert before in other
        other = other.replace(before, after)
    await house.daemon.routing.apply(house.account, other, Author("hanna"))


async def test_a_change_over_somebody_elses_is_made_again_upon_it_and_shown_before(
    page: Page, house: House
) -> None:
    await page.goto("/routing/edit/extensions?name=204")
    await page.fill("main [name=name]", "Renamed")
    await page.get_by_role("button", name="Look at the change").click()
    theirs = "{number: 204, name: Đặng Thu Hà, ring_seconds: 40, forward_busy: [extension:203]}"
    await _changed_by_another(
        house,
        ("label: support", "label: helpdesk"),
        ("{number: 204, name: Đặng Thu Hà}", theirs),
    )
    async with page.expect_response(lambda r: r.request.method == "POST") as answer:
        await page.get_by_role("button", name="Put it in force").click()
    assert (await answer.value).status == 409
    said = page.locator("main [role=alert]")
    await expect(said).to_contain_text("Somebody changed the routing meanwhile")
    # One's own change, and nothing of theirs taken back.
    await expect(page.locator("table.diff .after")).to_have_text(["Renamed"])
    assert "Renamed" not in [e.name for e in house.daemon.routing.export(house.account).extensions]
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("In force")
    document = house.daemon.routing.export(house.account)
    (changed,) = (one for one in document.extensions if one.number == "204")
    assert (changed.name, changed.ring_seconds) == ("Renamed", 40)
    assert list(changed.forward_busy) == ["extension:203"]
    assert [did.label for did in document.dids] == ["main line", "helpdesk"]


async def test_a_change_that_does_not_go_with_somebody_elses_comes_back_in_its_form(
    page: Page, house: House
) -> None:
    await page.goto("/routing/edit/dids?name=%2B442079460101")
    await page.fill("main [name=label]", "night line")
    await page.locator("main [name=to]").nth(2).fill("extension:204")
    await page.get_by_role("button", name="Look at the change").click()
    await _changed_by_another(house, ("  - {number: 204, name: Đặng Thu Hà}\n", ""))
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("main .note.amber")).to_contain_text("does not go with what there is")
    await expect(page.locator("main .note.red")).to_contain_text("204")
    await expect(page.locator("main [name=label]")).to_have_value("night line")
    await page.locator("main [name=to]").nth(2).fill("extension:203")
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("[role=status]")).to_contain_text("In force")

    # What was taken away meanwhile can be made anew of what was written.
    await page.goto("/routing/edit/extensions?name=203")
    await page.fill("main [name=name]", "Third desk")
    await page.get_by_role("button", name="Look at the change").click()
    await _changed_by_another(
        house, ("  - {number: 203, name: Csilla Tóth}\n", ""), ("[201, 202, 203]", "[201, 202]")
    )
    await page.get_by_role("button", name="Put it in force").click()
    await expect(page.locator("main .note.red")).to_contain_text("no extension 203")
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    names = {e.number: e.name for e in house.daemon.routing.export(house.account).extensions}
    assert names["203"] == "Third desk"


async def test_each_part_of_a_large_routing_has_its_form(page: Page, house: House) -> None:
    """With all that may be left out: names, labels, numbers of groups."""
    large = Path(__file__).parents[1] / "asterisk/scenarios/routing.yaml"
    await house.daemon.routing.apply(house.account, large.read_bytes(), Author("admin"))
    wrong: dict[str, int] = {}
    await page.goto("/routing")
    addresses = "all => all.map(a => a.href)"
    kinds = await page.locator("main nav a[href*='kind=']").evaluate_all(addresses)
    for kind in kinds:
        await page.goto(kind)
        forms = page.locator("main table a[href*='/routing/edit/']")
        for form in await forms.evaluate_all(addresses):
            status = (await page.request.get(form)).status
            if status != 200:
                wrong[form] = status
    assert len(kinds) == 9
    assert not wrong


async def test_a_new_extension_leads_to_what_its_phone_has_to_be_told(
    page: Page, sign_in: SignIn, house: House
) -> None:
    await page.goto("/routing/edit/extensions")
    await page.fill("main [name=number]", "209")
    await page.get_by_role("button", name="Look at the change").click()
    await page.get_by_role("button", name="Put it in force").click()
    await page.locator("main .note").get_by_role("link", name="Connect a phone").click()
    document = await house.daemon.routing.export_with_secrets(house.account)
    (secret,) = (one.secret for one in document.extensions if one.number == "209")
    shown = page.locator("main dd")
    await expect(shown.nth(0)).to_have_text("127.0.0.1:5060")
    await expect(shown.nth(1)).to_have_text("209")
    assert secret
    await expect(page.locator(".secret")).to_be_hidden()
    await page.locator("#password summary").click()
    await expect(page.locator(".secret")).to_have_text(secret)
    await page.locator("#qr summary").click()
    await expect(page.locator(".qr svg")).to_be_visible()
    await expect(page.locator("[data-part=phone-state]")).to_have_text("not known now")
    for before in ("/routing?kind=extensions", "/routing/edit/extensions?name=209"):
        await page.goto(before)
        await page.locator("main a[href='/routing/phone?number=209']").click()
        await expect(page.locator("h1")).to_have_text("Connect a phone")
    assert (await page.request.get("/routing/phone?number=999")).status == 404
    leader = await sign_in("lea")
    assert (await leader.request.get("/routing/phone?number=209")).status == 403
