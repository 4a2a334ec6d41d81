"""A database filled with calls, and the questions that are asked of it."""

import time
from dataclasses import dataclass, field

import asyncpg

from bench.store.generate import generate
from bench.store.lists import Asked, prepare, questions
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate
from callctl.db.pool import Database

FREQUENT = """
select n.number from calls c join numbers n on n.id = c.customer_number_id
where c.started_at > (select max(started_at) from calls) - interval '7 days'
group by 1 order by count(*) desc, 1 limit 1
"""
RARE = """
select n.number from calls c join numbers n on n.id = c.customer_number_id
where c.account_id = $1 group by 1 order by count(*), 1 limit 1
"""


@dataclass(slots=True)
class House:
    """A filled database."""

    db: Database
    account: int
    asked: list[Asked] = field(default_factory=list)


async def make_house(server: EmbeddedPostgres, name: str, calls: int, *, sums: bool) -> House:
    began = time.perf_counter()
    connection = await asyncpg.connect(server.url)
    await connection.execute(f"create database {name}")
    await connection.close()
    url = server.url_of(name)
    await migrate(url)
    account = await generate(url, calls, sums=sums)
    print(f"{calls:,} calls made in {time.perf_counter() - began:.0f} s", flush=True)
    house = House(await Database.connect(url), account)
    frequent = await house.db.fetchval(FREQUENT)
    async with house.db.connection() as every:
        rare = await every.fetchval(RARE, account, timeout=600)
    for question in questions(frequent, rare, frequent[5:10]):
        house.asked.append(await prepare(house.db, account, question))
    return house
