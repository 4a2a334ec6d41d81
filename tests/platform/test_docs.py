"""The reference pages say what the code says."""

from pathlib import Path

from callctl.core.permissions import ALL_SCOPES, ROLE_SCOPES, SCOPE_MEANINGS, Role, Scope
from callctl.docs import PAGES, stale_pages

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_pages_are_current() -> None:
    assert stale_pages(DOCS) == [], "run python -m callctl.docs"


def test_a_page_that_differs_is_found(tmp_path: Path) -> None:
    for name, render in PAGES.items():
        (tmp_path / name).write_text(render())
    assert stale_pages(tmp_path) == []
    (tmp_path / "errors.md").write_text("old")
    (tmp_path / "settings.md").unlink()
    assert set(stale_pages(tmp_path)) == {"errors.md", "settings.md"}


def test_every_scope_and_role_is_explained() -> None:
    assert set(SCOPE_MEANINGS) == set(Scope)
    assert set(ROLE_SCOPES) == set(Role)
    assert ROLE_SCOPES[Role.ADMINISTRATOR] == ALL_SCOPES
