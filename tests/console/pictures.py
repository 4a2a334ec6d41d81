"""Pictures of the documentation, which the tests make of the pages as they are."""

import os
from pathlib import Path

from playwright.async_api import Page

MOST_BYTES = 250_000
"""Of one: it is part of every clone."""


async def take(page: Page, name: str, scratch: Path) -> None:
    """Into CALLCTL_SCREENSHOTS where it is set (`make screenshots`), else into `scratch`."""
    picture = Path(os.environ.get("CALLCTL_SCREENSHOTS") or scratch) / f"{name}.png"
    await page.screenshot(path=picture)
    assert picture.stat().st_size < MOST_BYTES
