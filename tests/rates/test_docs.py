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


def rows_of(heading: str) -> list[list[str]]:
    """The cells of the table whose first column is called `heading`."""
    table = re.search(rf"^\| {re.escape(heading)} .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert table is not None
    return [[c.strip() for c in row.strip("|").split("|")] for row in table[1].splitlines()]


async def test_the_worked_examples_are_what_calls_cost(world: World) -> None:
    csv = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    assert csv is not None
    new = NewTariff("Retail", "HUF", "Europe/Budapest")
    tariff = await world.tariffs.create_tariff(world.reseller, new)
    file = io.BytesIO(csv[1].encode())
    draft = await world.tariffs.upload(world.reseller, tariff.id, file, ImportOptions())
    await world.tariffs.apply(world.reseller, tariff.id, draft.id, ApplyImport())
    await world.assign(world.reseller, world.enterprise, tariff.id)
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


def test_every_reason_is_told() -> None:
    told = {code.strip("`"): meaning for code, meaning in rows_of("`cost_reason`")}
    assert told.pop(EMERGENCY)
    assert told == dict(NO_AMOUNT_MEANINGS)
