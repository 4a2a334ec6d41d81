"""What keeps somebody out of a page, as axe-core finds it."""

from functools import cache
from pathlib import Path

from playwright.async_api import Page

ALL = ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]
COLOURS = {"type": "rule", "values": ["color-contrast"]}
_FINDINGS = """
async (rules) => (await axe.run(document, {runOnly: rules, resultTypes: ['violations']}))
  .violations.map(v => [v.id, v.nodes.slice(0, 3).map(
    n => n.html.slice(0, 160) + ' ' + n.any.map(a => a.message).join())])
"""


async def findings(page: Page, rules: object = ALL) -> list[object]:
    """Of the page as it is now."""
    # Not by a script element, which the page's policy forbids.
    await page.evaluate(_axe())
    found: list[object] = await page.evaluate(_FINDINGS, rules)
    return found


@cache
def _axe() -> str:
    return (Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js").read_text()
