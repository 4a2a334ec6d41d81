"""One call centre and one browser for all tests of the console."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
)

from callctl.app import Daemon
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.pool import Database
from tests.conftest import fresh_database
from tests.console.door import enter
from tests.console.house import House, open_house
from tests.console.shop import open_shop

# As long as a machine that many share may take.
expect.set_options(timeout=20_000)

PHONE = ViewportSize(width=375, height=780)
DESKTOP = ViewportSize(width=1360, height=860)
LAPTOP = ViewportSize(width=1280, height=800)
CUT_COLUMNS = """
() => { const s = document.querySelector('main .scroll'); return s.scrollWidth - s.clientWidth; }
"""
"""How many pixels of a list are beyond its edge."""


@pytest.fixture(scope="session")
async def house(
    postgres: EmbeddedPostgres, template_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[House]:
    state = tmp_path_factory.mktemp("console")
    async with fresh_database(postgres, template_database) as url:
        settings = load_settings(
            {
                "CALLCTL_STATE_DIR": str(state),
                "CALLCTL_HTTP_PORT": "0",
                "CALLCTL_AGI_PORT": "0",
                "CALLCTL_AMI_PORT": str(free_port("127.0.0.1")),
                "CALLCTL_JOURNAL_PATH": str(state / "journal.csv"),
                "CALLCTL_JOURNAL_GRACE_SECONDS": "0.05",
                "CALLCTL_RECORDINGS_SPOOL": str(state / "spool"),
                "CALLCTL_RECORDINGS_DIR": str(state / "recordings"),
                "CALLCTL_WEBHOOK_NETWORKS": "127.0.0.0/8",
                "CALLCTL_ASTERISK_GENERATED_DIR": str(state / "generated"),
            }
        )
        db = await Database.connect(url)
        async with Daemon(settings, db, url) as daemon:
            async with asyncio.timeout(20):
                await daemon.ready.wait()
            async with open_house(daemon, state / "journal.csv") as opened:
                await open_shop(opened)
                yield opened
        await db.close()


SignIn = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
async def cookies(house: House) -> dict[str, str]:
    """The session of each who has signed in already."""
    return {}


@pytest.fixture
async def sign_in(
    house: House, chromium: Browser, cookies: dict[str, str]
) -> AsyncIterator[SignIn]:
    """A page of somebody who is signed in; whatever the browser complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(
        login: str = "admin", *, phone: bool = False, dark: bool = False, script: bool = True
    ) -> Page:
        context = await chromium.new_context(
            base_url=house.url,
            viewport=PHONE if phone else DESKTOP,
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            locale="en-GB",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type == "error" and "Failed to load resource" not in said.text
                else None
            ),
        )
        if login not in cookies:
            await enter(page, login, house.passwords[login])
            (cookies[login],) = (
                c["value"] for c in await context.cookies() if c["name"] == "callctl_session"
            )
        else:
            await context.add_cookies(
                [{"name": "callctl_session", "value": cookies[login], "url": house.url}]
            )
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert not complaints, complaints
