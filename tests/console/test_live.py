"""What can be done to a call, and the map of workstations: moved by drag and by keys, and kept.

That the calls themselves are listened to and ended is in tests/asterisk/scenarios.
"""

import time

from playwright.async_api import expect

from tests.console.axe import findings
from tests.console.conftest import PHONE, SignIn
from tests.console.house import House, rows_at
from tests.history.conftest import eventually

PLACES = "select extension, x, y from workplaces where account_id = $1 order by y, x"


async def places(house: House) -> list[tuple[str, int, int]]:
    return [tuple(row) for row in await house.daemon.db.fetch(PLACES, house.account)]


async def kept(house: House, *place: object) -> None:
    """Until it stands there."""

    async def there() -> bool:
        return place in await places(house)

    await eventually(there, f"{place} is kept")


def talking(house: House) -> bytes:
    """Begins a call of two extensions, 201 and 202, and returns the rows of its end."""
    rows = rows_at("internal", time.time() - 2).splitlines(keepends=True)
    joined = max(n for n, row in enumerate(rows) if b"BRIDGE_ENTER" in row) + 1
    house.write(b"".join(rows[:joined]))
    return b"".join(rows[joined:])


async def test_the_actions_are_those_that_one_may_take_and_keep_nobody_out(
    sign_in: SignIn, house: House
) -> None:
    end = talking(house)
    head, leader = await sign_in("hanna"), await sign_in("max")
    await leader.set_viewport_size(PHONE)
    for page, may_listen in ((head, True), (leader, False)):
        await page.goto("/live")
        await page.get_by_role("button", name="Actions").click()
        actions = page.get_by_role("dialog", name="Actions")
        await expect(actions.get_by_role("button", name="Hang up")).to_be_visible()
        await expect(actions.get_by_role("button", name="Whisper")).to_have_count(int(may_listen))
        assert await findings(page) == []
    # Without an Asterisk it says why, and does nothing.
    await head.locator(".acts:popover-open [name=from]").fill("203")
    await head.get_by_role("button", name="Listen").click()
    stays = head.locator(".acts:popover-open")
    await expect(head.locator("main .note.red")).to_contain_text("not known which calls go on")
    await expect(stays.locator(".note.red")).to_be_visible()
    await expect(stays.locator("[name=from]")).to_have_value("203")
    await expect(head.locator("#phones [value='203']")).to_have_text("Csilla Tóth")
    head.on("dialog", lambda dialog: dialog.accept())
    await stays.get_by_role("button", name="Hang up").click()
    await expect(stays.locator("[name=from]")).to_have_value("")
    await expect(stays.locator(".note.red")).to_be_visible()
    house.write(end)
    await expect(head.get_by_role("region", name="Calls now")).to_have_count(0)


async def test_one_listens_by_a_phone_that_is_not_in_the_call(
    sign_in: SignIn, house: House
) -> None:
    end = talking(house)
    page, db = await sign_in("hanna"), house.daemon.db
    ring = page.locator(".acts [name=from]")
    await db.execute("update users set extension = null where login = 'max'")
    # Her own extension, the one that she last called from, and what is offered.
    for own, last, offered in (
        ("203", "204", "203"),
        ("201", "204", "204"),
        ("201", "202", ""),
        (None, "202", ""),
    ):
        await db.execute("update users set extension = $1 where login = 'hanna'", own)
        await page.context.add_cookies([{"name": "callctl_phone", "value": last, "url": house.url}])
        await page.goto("/live")
        await expect(page.get_by_role("button", name="Actions")).to_have_count(1)
        await expect(ring).to_have_value(offered)
    await db.execute("update users set extension = '201' where login = 'max'")
    house.write(end)
    await expect(page.get_by_role("region", name="Calls now")).to_have_count(0)


async def test_all_extensions_are_arranged_and_moved_by_keys_and_by_drag(
    sign_in: SignIn, house: House
) -> None:
    await house.daemon.db.execute("delete from workplaces where account_id = $1", house.account)
    page = await sign_in()
    await page.goto("/live")
    await page.get_by_role("button", name="Arrange all extensions").click()
    assert await places(house) == [("201", 0, 0), ("202", 1, 0), ("203", 2, 0), ("204", 3, 0)]
    place = page.locator("[data-place]", has_text="203")
    await place.focus()
    # The keys are the script's.
    await page.wait_for_load_state("load")
    # Over 202 and 201 there is no way out of the map; then down, and back.
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowLeft")
    await page.keyboard.press("ArrowUp")
    await expect(place).to_have_attribute("data-y", "1")
    await page.keyboard.press("ArrowLeft")
    await kept(house, "203", 0, 1)
    await expect(page.locator("[data-fields] [name=y]").nth(2)).to_have_value("1")

    ada, map_ = page.locator("[data-place]", has_text="201"), page.locator("[data-map]")
    here, box = await ada.bounding_box(), await map_.bounding_box()
    assert here is not None
    assert box is not None
    await page.mouse.move(here["x"] + 20, here["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(here["x"] + 20 + box["width"] / 12 * 4, here["y"] + 20, steps=4)
    await page.mouse.up()
    await kept(house, "201", 4, 0)
    await page.goto("/live")
    shown = page.get_by_role("region", name="Map of workstations").locator("li", has_text="201")
    await expect(shown).to_have_attribute("data-x", "4")
    await expect(shown).to_contain_text("not known now")


async def test_without_script_places_are_made_changed_and_taken_off(
    sign_in: SignIn, house: House
) -> None:
    await house.daemon.db.execute("delete from workplaces where account_id = $1", house.account)
    page = await sign_in(script=False)
    await page.goto("/live/map")
    new = page.locator("form[action='/live/map']")
    for x, extension in (("2", "201"), ("3", "202")):
        await new.locator("[name=x]").fill(x)
        await new.locator("[name=extension]").select_option(extension)
        await new.get_by_role("button").click()
    row = page.locator("[data-fields]").first
    await row.locator("[name=x]").fill("3")
    await row.get_by_role("button", name="Save").click()
    await expect(page.locator("main .note.red").first).to_contain_text("another place")
    await row.locator("[name=x]").fill("7")
    await row.locator("[name=label]").fill("<b>by the window")
    await row.get_by_role("button", name="Save").click()
    assert await places(house) == [("202", 3, 0), ("201", 7, 0)]
    await expect(page.locator(".place", has_text="<b>by the window")).to_be_visible()
    await page.locator("[data-fields]").first.get_by_role("button", name="Take it off").click()
    assert await places(house) == [("201", 7, 0)]


async def test_who_sees_a_group_sees_its_places_and_changes_none(
    sign_in: SignIn, house: House
) -> None:
    db = house.daemon.db
    await db.execute("delete from workplaces where account_id = $1", house.account)
    for x, extension in enumerate(("201", "202")):
        await db.execute(
            "insert into workplaces (account_id, x, y, extension) values ($1, $2, 0, $3)",
            house.account, x, extension,
        )  # fmt: skip
    page = await sign_in("lea")
    await page.goto("/live")
    region = page.get_by_role("region", name="Map of workstations")
    await expect(region.locator("li")).to_have_count(1)
    await expect(region).to_contain_text("202")
    assert await page.get_by_role("link", name="Change the layout").count() == 0
    answer = await page.goto("/live/map")
    assert answer is not None
    assert answer.status == 403


async def test_first_steps_without_a_phone_and_without_a_call_are_not_ticked(
    sign_in: SignIn,
) -> None:
    page = await sign_in("sara")
    await page.goto("/first-steps")
    done = [await h2.inner_text() for h2 in await page.locator("main h2").all()]
    assert ["done" in text for text in done] == [True, False, False, False]
    # Another account's 301 may be there, too: the phone registers by its own name.
    await expect(page.locator("dd code").nth(1)).to_have_text("301")
