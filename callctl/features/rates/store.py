"""Tariffs in PostgreSQL. $1 is the account of whoever asks: what is not its own is not there."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callctl.core.money.hours import parse_hours, write_hours
from callctl.core.money.rating import Rate
from callctl.features.rates.model import RateItem

# Tariffs

_TARIFF = """
select t.id, t.name, t.currency, t.timezone, t.created_at, v.number as version,
       coalesce(v.rates, 0) as rates
from tariffs t left join lateral (
    select number, rates from tariff_versions
    where tariff_id = t.id and number is not null and valid_from <= now()
    order by valid_from desc, number desc limit 1
) v on true
"""
TARIFFS_PAGE = (
    _TARIFF
    + """
where t.account_id = $1 and ($2::text is null or t.name > $2) order by t.name limit $3
"""
)
TARIFF = _TARIFF + "where t.account_id = $1 and t.id = $2"
TARIFF_LOCK = "select id from tariffs where account_id = $1 and id = $2 for no key update"
TARIFF_INSERT = """
insert into tariffs (account_id, name, currency, timezone) values ($1, $2, $3, $4) returning id
"""
TARIFF_RENAME = "update tariffs set name = $2 where id = $1"

VERSIONS = """
select id, number, valid_from, rates, applied_at, applied_by from tariff_versions
where tariff_id = $1 and number is not null order by number desc limit 500
"""
LATEST_VERSION = """
select id, number, valid_from from tariff_versions
where tariff_id = $1 and number is not null order by number desc limit 1
"""
NUMBERED_VERSION = "select id from tariff_versions where tariff_id = $1 and number = $2"

# Rates

RATE_COLUMNS = (
    "prefix", "hours", "destination", "price", "unit_seconds", "connect_fee", "minimum_seconds",
    "increment_seconds", "free_seconds",
)  # fmt: skip
_COLUMNS = ", ".join(RATE_COLUMNS)
RATES_PAGE = f"""
select {_COLUMNS} from tariff_rates
where version_id = $1 and starts_with(prefix, $2)
  and ($3::text is null or (prefix, hours) > ($3, $4::text))
order by prefix, hours limit $5
"""  # noqa: S608 - constants of this file

# Imports

OLD_DRAFTS_DELETE = """
delete from tariff_versions
where number is null and tariff_id = $1 and created_at < now() - interval '7 days'
"""
DRAFT_INSERT = """
insert into tariff_versions (tariff_id, base_id, rates, created_by) values ($1, $2, $3, $4)
returning id
"""
DRAFT = """
select d.id, d.tariff_id, d.base_id, b.number as base, d.created_at, d.created_by
from tariff_versions d join tariffs t on t.id = d.tariff_id
     left join tariff_versions b on b.id = d.base_id
where t.account_id = $1 and d.tariff_id = $2 and d.id = $3 and d.number is null
"""
DRAFT_DELETE = "delete from tariff_versions where id = $1 and number is null"
DRAFT_APPLY = """
update tariff_versions
set number = $2, valid_from = $3, applied_at = now(), applied_by = $4
where id = $1 and number is null
returning id, number, valid_from, rates, applied_at, applied_by
"""

_SAME = " and ".join(f"o.{name} = n.{name}" for name in RATE_COLUMNS[2:])
_DIFFERENCES = f"""
from (select {_COLUMNS} from tariff_rates where version_id = $1) n
full join (select {_COLUMNS} from tariff_rates where version_id = $2) o using (prefix, hours)
"""  # noqa: S608 - constants of this file
DIFFERENCE_COUNTS = f"""
select count(*) filter (where o.price is null) as new,
       count(*) filter (where n.price is null) as gone,
       count(*) filter (where {_SAME}) as same, count(*) as rows
{_DIFFERENCES}
"""
_BEFORE_AND_AFTER = ", ".join(
    f"{side}.{name} as {label}_{name}"
    for side, label in (("o", "before"), ("n", "after"))
    for name in RATE_COLUMNS[2:]
)
DIFFERENCES_PAGE = f"""
select prefix, hours, {_BEFORE_AND_AFTER}
{_DIFFERENCES}
where not coalesce({_SAME}, false)
  and ($3::text is null or (prefix, hours) > ($3, $4::text))
order by prefix, hours limit $5
"""

# Who pays by which

ACCOUNT_BELOW = """
with recursive up as (
    select id, parent_id from accounts where id = $2
    union all
    select a.id, a.parent_id from accounts a join up on a.id = up.parent_id where up.id <> $1
)
select a.id, a.parent_id, a.currency, a.country from accounts a
where a.id = $2 and exists (select from up where id = $1)
"""
ACCOUNT_LOCK = "select id from accounts where id = $1 for no key update"
TRUNK_EXISTS = """
select exists (select from routing_objects where account_id = $1 and kind = 'trunk' and name = $2)
"""
IN_FORCE_BY = """
select exists (select from tariff_versions
               where tariff_id = $1 and number is not null and valid_from <= $2)
"""
_ASSIGNMENT = """
select s.id, s.account_id, a.code as account, s.trunk, s.tariff_id, t.name as tariff, s.since,
       s.set_by, s.set_at
from tariff_assignments s join accounts a on a.id = s.account_id
     left join tariffs t on t.id = s.tariff_id
"""
ASSIGNMENTS_PAGE = (
    _ASSIGNMENT
    + """
where s.bearer_id = $1 and ($2::bigint is null or s.account_id = $2)
  and ($3::bigint is null or s.id < $3)
order by s.id desc limit $4
"""
)
ASSIGNMENT = _ASSIGNMENT + "where s.bearer_id = $1 and s.id = $2"
ASSIGNMENT_INSERT = """
insert into tariff_assignments (bearer_id, account_id, trunk, tariff_id, since, set_by)
values ($1, $2, $3, $4, $5, $6) returning id
"""
CHANGED = "update tariff_revision set revision = revision + 1"

# In memory

REVISION = "select revision from tariff_revision"
ALL_ASSIGNMENTS = """
select bearer_id, account_id, trunk, tariff_id, since from tariff_assignments order by since, id
"""
ALL_VERSIONS = """
select id, tariff_id, valid_from from tariff_versions
where number is not null
  and tariff_id in (select tariff_id from tariff_assignments where tariff_id is not null)
order by valid_from, number
"""
VERSION_HEAD = """
select t.currency, t.timezone from tariff_versions v join tariffs t on t.id = v.tariff_id
where v.id = $1
"""
VERSION_NAMES = """
select v.id, v.number, t.name from tariff_versions v join tariffs t on t.id = v.tariff_id
where v.id = any($1::bigint[])
"""


def rate_of(row: Mapping[str, Any]) -> Rate:
    return Rate(
        row["prefix"],
        row["price"],
        row["destination"],
        row["unit_seconds"],
        row["connect_fee"],
        row["minimum_seconds"],
        row["increment_seconds"],
        row["free_seconds"],
        parse_hours(row["hours"]),
    )


def item_of(row: Mapping[str, Any]) -> RateItem:
    return RateItem(*(row[name] for name in RATE_COLUMNS))


async def copy_rates(connection: Any, version_id: int, rates: Iterable[Rate]) -> None:
    rows = [
        (
            version_id, r.prefix, write_hours(r.hours), r.destination, r.price, r.unit_seconds,
            r.connect_fee, r.minimum_seconds, r.increment_seconds, r.free_seconds,
        )
        for r in rates
    ]  # fmt: skip
    columns = ("version_id", *RATE_COLUMNS)
    await connection.copy_records_to_table("tariff_rates", columns=columns, records=rows)


PAGE_RATES = 2_000
"""Rates read at a time: a few milliseconds, in which nothing else is done."""


async def read_rates(connection: Any, version_id: int) -> list[Rate]:
    """All rates of a version, in pages: calls that want their plan do not wait for the table."""
    rates: list[Rate] = []
    after: Sequence[str | None] = (None, None)
    while True:
        rows = await connection.fetch(RATES_PAGE, version_id, "", *after, PAGE_RATES)
        rates += [rate_of(row) for row in rows]
        if len(rows) < PAGE_RATES:
            return rates
        after = (rows[-1]["prefix"], rows[-1]["hours"])
