"""The worked examples of docs/packages.md are what the calculator says."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callctl.core.errors import CallctlError
from callctl.core.packages import Line, Order, Package, Purchase, Term, cost_of, fulfil

PAGE = Path(__file__).parents[2] / "docs" / "packages.md"
PRICE = 100_000


def rows() -> list[list[str]]:
    text = PAGE.read_text()
    table = text[text.index("| What there is |") :].split("\n\n")[0]
    return [[c.strip() for c in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def number(pattern: str, text: str) -> int | None:
    found = re.search(rf"(\d+) {pattern}", text)
    return int(found[1]) if found else None


def package_in(text: str) -> Package | None:
    if text == "none":
        return None
    found = re.fullmatch(r"(\d+) seats from ([^,]+), (\d+) months(?:, (\d+) members)?", text)
    assert found, text
    return Package(int(found[1]), Term(at(found[2]), int(found[3])), int(found[4] or 0))


def order_in(text: str) -> Order:
    purchase = {"extra": "extra_seats"}.get(text.split()[0], text.split()[0])
    return Order(Purchase(purchase), number("seats", text), number("months", text))


def words(line: Line) -> str:
    length = f"{line.months} months" if line.months else f"{line.days}/{line.of_days} days"
    return f"{line.seats} × {length}"


def test_the_table_is_found() -> None:
    assert len(rows()) > 8


@pytest.mark.parametrize("row", rows())
def test_an_example_is_true(row: list[str]) -> None:
    package, now, order = package_in(row[0]), at(row[1]), order_in(row[2])
    if row[5].startswith("refused"):
        with pytest.raises(CallctlError) as caught:
            cost_of(order, package, PRICE, now)
        assert row[5] == f"refused: {caught.value.code}"
        return
    costs = cost_of(order, package, PRICE, now)
    assert row[3] == " + ".join(map(words, costs.lines))
    assert row[4] == str(costs.amount)
    then = fulfil(costs, package, now)
    assert row[5] == f"{then.seats} seats until {then.term.until:%Y-%m-%d %H:%M}"
