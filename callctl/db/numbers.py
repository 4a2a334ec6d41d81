"""The dictionary of numbers: each number once, with the pieces that any part of it is found by."""

from collections.abc import Iterable
from typing import Any

NUMBERS_INSERT = """
insert into numbers (number, grams)
select n, (select coalesce(array_agg(distinct substr(n, i, 3)), '{}')
           from generate_series(1, length(n) - 2) i)
from unnest($1::text[]) n
on conflict (number) do nothing
"""
NUMBERS_SELECT = "select number, id from numbers where number = any($1::text[])"


async def save_numbers(connection: Any, numbers: Iterable[str]) -> dict[str, int]:
    """Ids of `numbers`, made where they are new, within the transaction of `connection`."""
    wanted = set(numbers)
    if not wanted:
        return {}
    found = {r[0]: r[1] for r in await connection.fetch(NUMBERS_SELECT, list(wanted))}
    # In one order everywhere, so that two writers never wait for each other.
    if missing := sorted(wanted - found.keys()):
        await connection.execute(NUMBERS_INSERT, missing)
        found |= {r[0]: r[1] for r in await connection.fetch(NUMBERS_SELECT, missing)}
    return found
