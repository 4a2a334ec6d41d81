"""The pictures of calls and of Live in the documentation, made of calls that phones really had."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from callctl.demo.sip import Answer, Phone, Refuse, RingOut
from callctl.demo.stack import Stack
from tests.asterisk.scenarios.desk import Desk, admin, live, open_first
from tests.asterisk.scenarios.office import Office
from tests.console.pictures import take

pytestmark = pytest.mark.asterisk


async def _a_morning(office: Office) -> None:
    """Calls of every kind, one after the other; the last is recorded, and 149 did not take it."""
    for to, caller, more in (
        ("+3617000102", "+36301230011", {"display": "Kovács Bt.", "talk": 0.8}),
        ("+3617000402", "+36301230012", {}),
        ("+3617000202", "+36301230013", {"display": "Nguyễn Thị Mai", "talk": 1.2}),
        ("+3617000102", "+36205550666", {}),
        ("+3617000403", "+36301230014", {"display": "Hotel Panoráma", "talk": 0.6}),
    ):
        await (await office.outside(to, caller, **more)).ended()
    await (await office.inside("101", "+36301234567", talk=1.0)).ended()
    await (await office.inside("103", "102", talk=0.4)).ended()
    last = await office.outside("+3617000401", "+36301230015", display="Szabó Éva", talk=4.0)
    await last.ended()
    await office.record(last)


async def test_pictures_are_made_of_calls_that_were_had(
    office: Office, desk: Desk, stack: Stack, carriers: dict[str, Phone], tmp_path: Path
) -> None:
    answer = Answer(after=0.3)
    await office.phones(
        {"101": answer, "102": answer, "149": RingOut(), "151": Refuse(486), "152": answer}
    )
    await _a_morning(office)
    page = await admin(desk, stack)
    panel = await open_first(page, "/calls?first_day=&last_day=")
    await expect(panel.locator(".reasons")).to_contain_text("one of the account's numbers")
    await take(page, "calls", tmp_path)

    await office.phone("104", RingOut())
    talking = [
        await office.outside("+3617000101", "+36301230021", display="Tóth és Társa"),
        await office.inside("103", "+36301234567"),
    ]
    ringing = await office.inside("106", "104")
    await office.talking("101", "carrier-a", "103")
    await page.goto("/live")
    await expect(live(page)).to_have_count(3)
    await expect(live(page).filter(has_text="talking")).to_have_count(2)
    await take(page, "live", tmp_path)
    await asyncio.gather(ringing.give_up(), *(caller.hang_up() for caller in talking))
    await asyncio.gather(*(caller.ended() for caller in (ringing, *talking)))
