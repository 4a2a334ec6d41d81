"""What holds of all pages, light and dark, on a phone and at a desk."""

import json
from pathlib import Path

from tests.console.axe import COLOURS, findings
from tests.console.comfort import kept_from_keys, moved
from tests.console.conftest import DESKTOP, LAPTOP, PHONE, SignIn
from tests.console.house import House
from tests.console.pictures import take

PAGES = (
    "/calls?extension=203", "/calls?number=99999999", "/calls/{call}", "/exports", "/limits",
    "/design", "/profile", "/", "/?period=7d", "/callbacks", "/live", "/live/map", "/clients",
    "/clients/new",
    "/recordings", "/reports", "/reports/calls-by-period", "/reports/employees-distribution",
    "/people", "/people/new", "/people/{user}", "/tokens", "/webhooks", "/audit", "/settings",
    "/first-steps",
    "/routing", "/routing?kind=hunt_groups", "/routing/try?from=%2B36301234567&to=%2B442079460100",
    "/routing/history", "/routing/edit/dids?name=%2B442079460101",
    "/routing/edit/hunt_groups?name=sales", "/routing/edit/schedules?name=office",
    "/routing?kind=extensions&added=201", "/routing/phone?number=201",
    "/routing/edit/extensions", "/routing/edit/trunks?name=trunk", "/routing/block?number=%2B44123",
    "/wallet", "/transfers", "/top-up", "/numbers", "/number-shop", "/package", "/rates",
    "/accounts", "/accounts?q=nobody", "/accounts/new", "/accounts/{customer}",
    "/accounts/{reseller}", "/accounts/{customer}/ledger", "/tariffs", "/tariffs/{tariff}",
    "/tariffs/{tariff}/imports/{draft}", "/tariff-payers", "/carrier-costs?number=%2B36201234567",
    "/number-stock", "/number-stock/load", "/number-stock/+3612340001", "/customer-wishes",
    "/customer-wishes/{wish}", "/package-sales", "/invoicing", "/client-groups", "/client-types",
)  # fmt: skip

OF_A_CUSTOMER = ("/wallet", "/wallet?class=out", "/transfers", "/top-up",
    "/numbers", "/number-shop?country=HU", "/number-shop?pattern=999999",
    "/number-shop/buy?number=%2B3612340009", "/number-wishes",
    "/package", "/rates", "/rates?number=%2B36201234567&seconds=95",)  # fmt: skip

_IDS = {
    "call": "select max(id) from calls",
    "user": "select id from users where login = 'max'",
    "customer": "select id from accounts where code = 'shop'",
    "reseller": "select id from accounts where code = 'rtl'",
    "tariff": "select id from tariffs where name = 'Retail'",
    "draft": "select id from tariff_versions where number is null",
    "wish": "select min(id) from number_requests",
}

_PICTURES = (
    ("home", "/?period=7d", DESKTOP, "light"),
    ("routing", "/routing/try?from=%2B36301234567&to=%2B442079460100", DESKTOP, "light"),
    ("report-dark", "/reports/calls-by-period", DESKTOP, "dark"),
    ("phone", "/?period=7d", PHONE, "light"),
)

_CUT_OFF = """
() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
  [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > 376)
    .slice(0, 4).map(e => e.outerHTML.slice(0, 150))
"""
_SIDEWAYS = """
() => [...document.querySelectorAll('main .scroll')].map(e => e.scrollWidth - e.clientWidth)
  .filter(beyond => beyond > 0)
"""
"""Pixels of tables that a person would have to look for beyond their edge."""


async def test_nothing_keeps_anybody_out_is_cut_off_or_moves(sign_in: SignIn, house: House) -> None:
    ids = {name: await house.daemon.db.fetchval(sql) for name, sql in _IDS.items()}
    theirs, own = await sign_in("sara"), await sign_in()
    wrong: dict[str, object] = {}
    await own.request.post("/live/map/arrange", headers={"Origin": house.url})
    pages = [(own, path) for path in PAGES] + [(theirs, path) for path in OF_A_CUSTOMER]
    for page, path in pages:
        await page.emulate_media(color_scheme="light")
        await page.set_viewport_size(PHONE)
        answer = await page.goto(path.format(**ids))
        if answer is None or answer.status != 200:
            wrong[path] = answer and answer.status
            continue
        found: dict[str, object] = {"moves on a phone": await moved(page)}
        found["cut off"] = await page.evaluate(_CUT_OFF)
        found["phone"] = await findings(page)
        await page.emulate_media(color_scheme="dark")
        await page.set_viewport_size(DESKTOP)
        await page.reload()
        found["moves"] = await moved(page)
        found["dark"] = await findings(page, COLOURS)
        found["keyboard"] = await kept_from_keys(page)
        await page.set_viewport_size(LAPTOP)
        found["beyond a laptop's edge"] = await page.evaluate(_SIDEWAYS)
        if any(found.values()):
            wrong[path] = {name: what for name, what in found.items() if what}
    assert not wrong, json.dumps(wrong, indent=1)


async def test_pictures_are_made_of_the_real_pages(sign_in: SignIn, tmp_path: Path) -> None:
    page = await sign_in()
    for name, path, viewport, scheme in _PICTURES:
        await page.set_viewport_size(viewport)
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.goto(path, wait_until="load")
        await take(page, name, tmp_path)
