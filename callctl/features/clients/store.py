"""Reading clients. Whole queries as constants; every one takes the account."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from callctl.features.clients.model import SHOWN_CONTACTS, ClientView

_VIEW = f"""
c.id, c.kind, c.name, t.name as type, c.service_level, c.nature, c.address, c.email,
       c.owner_id, coalesce(nullif(u.name, ''), u.login) as owner_name, c.notes,
       coalesce((select jsonb_agg(jsonb_build_object('number', n.number, 'label', k.label)
                                  order by k.position, n.id)
                 from client_numbers k join numbers n on n.id = k.number_id
                 where k.client_id = c.id), '[]') as numbers,
       coalesce((select jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name)
                                  order by o.sort_key, o.id)
                 from client_companies l join clients o on o.id = l.company_id
                 where l.person_id = c.id), '[]') as companies,
       coalesce((select jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name)
                                  order by o.sort_key, o.id)
                 from (select o.id, o.name, o.sort_key
                       from client_companies l join clients o on o.id = l.person_id
                       where l.company_id = c.id
                       order by o.sort_key, o.id limit {SHOWN_CONTACTS}) o), '[]') as contacts,
       (select count(*) from client_companies l where l.company_id = c.id) as contact_count,
       coalesce((select jsonb_agg(jsonb_build_object('id', g.id, 'name', g.name) order by g.name)
                 from client_group_members m join client_groups g on g.id = m.group_id
                 where m.client_id = c.id), '[]') as groups,
       c.registered, c.created_at, c.changed_at
"""  # noqa: S608 - constants of this file
_OF = """
left join client_types t on t.id = c.type_id
left join users u on u.id = c.owner_id
"""

GET_CLIENTS = f"""
select {_VIEW} from clients c {_OF} where c.account_id = $1 and c.id = any($2::bigint[])
"""  # noqa: S608 - constants of this file

# What is asked by a subquery alone is worked out once, and then looked up in an index.
_WHERE = """
c.account_id = $1
  and ($2::text[] is null or c.grams @> $2)
  and ($3::text[] is null or (select bool_and(strpos(c.search, w) > 0) from unnest($3::text[]) w))
  and ($4::text is null or c.kind = $4)
  and ($5::text is null
       or c.type_id = (select id from client_types where account_id = $1 and name = $5))
  and ($6::bigint is null or c.owner_id = $6)
  and ($7::bigint is null
       or c.id = any(array(select client_id from client_group_members where group_id = $7)))
  and ($8::bigint is null
       or c.id = any(array(select person_id from client_companies where company_id = $8)))
  and ($9::boolean is null or c.registered = $9)
"""
# Not behind "is null or", so that PostgreSQL may begin with the calls or with the clients.
_CALLED = """
  and exists (
        select 1 from client_numbers k
        join calls h on h.account_id = $1 and h.customer_number_id = k.number_id
        where k.client_id = c.id and h.started_at >= $13
          and ($14::text[] is null or exists (
                select 1 from call_extensions e where e.account_id = $1
                   and e.started_at = h.started_at and e.call = h.id
                   and e.extension = any($14::text[]))))
"""
# $10 and $11 are the last row of the page before.
_AFTER = {
    "name": "and ($10::text is null or (c.sort_key, c.id) > ($10, $11::bigint))",
    "-created_at": "and ($11::bigint is null or c.id < $11) and $10::text is null",
}
_ORDER = {"name": "order by c.sort_key, c.id", "-created_at": "order by c.id desc"}


def _list_query(sort: str, called: bool) -> str:
    where = _WHERE + (_CALLED if called else "") + _AFTER[sort]
    page = f"select c.id from clients c where {where} {_ORDER[sort]} limit $12"  # noqa: S608
    columns = f"select {_VIEW}, c.sort_key from p join clients c on c.id = p.id"  # noqa: S608
    return f"with p as materialized ({page}) {columns} {_OF} {_ORDER[sort]}"


LIST_CLIENTS: Mapping[tuple[str, bool], str] = MappingProxyType(
    {(sort, called): _list_query(sort, called) for sort in _ORDER for called in (False, True)}
)
"""(sort, whether there is a filter by calls) → query."""

EXPORT_PAGE = f"""
select {_VIEW}, u.login as owner
from clients c {_OF}
where c.account_id = $1 and c.kind = $2 and c.id > $3 order by c.id limit $4
"""  # noqa: S608 - constants of this file

MERGED_INTO = "select winner_id from client_merges where account_id = $1 and loser_id = $2"
ACCOUNT_COUNTRY = "select country from accounts where id = $1"


async def get_client(connection: Any, account_id: int, id_: int) -> ClientView | None:
    """One client; `connection` is a connection or a `Database`."""
    rows = await connection.fetch(GET_CLIENTS, account_id, [id_])
    return client_views(rows)[0] if rows else None


def client_views(rows: Sequence[Any]) -> list[ClientView]:
    """Rows of the queries above as views."""
    return [msgspec.convert(dict(row), ClientView) for row in rows]
