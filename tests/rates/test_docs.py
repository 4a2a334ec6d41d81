"""docs/rates.md says what happens: its tariff is imported, its examples are asked for."""

import io
import re
from datetime import UTC, datetime
from pathlib import Path

from callctl.core.money.currencies import parse_amount
from callctl.core.money.tariffs import EMERGENCY, NO_AMOUNT_MEANINGS
from callctl.features.rates.model import ApplyImport, ImportOptions, NewTariff, QuoteQuery

from .conftest import World

PAGE = (Path(__file__).parents[2] / "docs/rates.md").read_text()

MONEY = (Path(__file__).parents[2] / "docs/money.md").read_text()


def rows_of(heading: str, page: str = PAGE) -> list[list[str]]:
    """The cells of the table whose first column is called `heading`."""
    table = re.search(rf"^\| {re.escape(heading)} .*\n\|[-|]+\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table is not None
    return [[c.strip() for c in row.strip("|").split("|")] for row in table[1].splitlines()]


async def use_tariff_of(page: str, world: World) -> None:
    csv = re.search(r"```csv\n(.*?)```", page, re.DOTALL)
    assert csv is not None
    new = NewTariff("Retail", "HUF", "Europe/Budapest")
    tariff = await world.tariffs.create_tariff(world.reseller, new)
    file = io.BytesIO(csv[1].encode())
    draft = await world.tariffs.upload(world.reseller, tariff.id, file, ImportOptions())
    await world.tariffs.apply(world.reseller, tariff.id, draft.id, ApplyImport())
    await world.assign(world.reseller, world.enterprise, tariff.id)


async def test_the_worked_examples_are_what_calls_cost(world: World) -> None:
    await use_tariff_of(PAGE, world)
    examples = rows_of("Number")
    assert len(examples) == 10
    for number, answered, talk, charged, cost, _why in examples:
        at = datetime.fromisoformat(answered).replace(tzinfo=UTC)
        query = QuoteQuery(number, int(talk), at)
        [line] = (await world.quotes.quote(world.enterprise, query)).lines
        if charged:
            assert (line.billed_seconds, line.amount) == (int(charged), parse_amount(cost, "HUF"))
        else:
            assert (line.amount, line.reason) == (None, cost)


async def test_what_comes_in_costs_what_docs_money_md_says(world: World) -> None:
    await use_tariff_of(MONEY, world)
    examples = rows_of("Comes in on", MONEY)
    assert len(examples) == 5
    for number, talk, sent_on, cost, _why in examples:
        ways = [(number, True), *([(sent_on, False)] if sent_on else [])]
        paid = []
        for called, incoming in ways:
            query = QuoteQuery(called, int(talk), incoming=incoming)
            quote = await world.quotes.quote(world.enterprise, query)
            paid += [line.amount or 0 for line in quote.lines]
        assert sum(paid) == parse_amount(cost, "HUF"), number


def test_every_reason_is_told() -> None:
    told = {code.strip("`"): meaning for code, meaning in rows_of("`cost_reason`")}
    assert told.pop(EMERGENCY)
    assert told == dict(NO_AMOUNT_MEANINGS)
