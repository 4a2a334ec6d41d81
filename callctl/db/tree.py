"""Who is above and below an account, for whoever moves money between them."""

from dataclasses import dataclass
from typing import Any

from callctl.core.errors import CallctlError

SUPERIOR = """
select p.id, p.parent_id, p.code, p.name, p.kind, p.currency
from accounts a join accounts p on p.id = a.parent_id where a.id = $1
"""

DIRECTLY_BELOW = """
select id, parent_id, code, name, kind, currency from accounts where id = $2 and parent_id = $1
"""

OPERATOR_OF = """
with recursive up as (
    select * from accounts where id = $1
    union all
    select a.* from accounts a join up on a.id = up.parent_id
)
select id, parent_id, code, name, kind, currency from up where parent_id is null
"""

ACCOUNT = "select id, parent_id, code, name, kind, currency from accounts where id = $1"


@dataclass(frozen=True, slots=True)
class AccountNode:
    """An account in the tree; `parent_id` None = the operator."""

    id: int
    parent_id: int | None
    code: str
    name: str
    kind: str
    currency: str


async def superior_of(connection: Any, account_id: int) -> AccountNode | None:
    """None: it is the operator."""
    row = await connection.fetchrow(SUPERIOR, account_id)
    return AccountNode(**row) if row else None


async def operator_of(connection: Any, account_id: int) -> AccountNode:
    """The root of the account's tree; itself when it is that."""
    return AccountNode(**await connection.fetchrow(OPERATOR_OF, account_id))


async def get_node(connection: Any, account_id: int) -> AccountNode:
    """One's own account."""
    return AccountNode(**await connection.fetchrow(ACCOUNT, account_id))


async def require_directly_below(connection: Any, own_id: int, account_id: int) -> AccountNode:
    """Raises CallctlError("not_found"), whatever else the account may be."""
    row = await connection.fetchrow(DIRECTLY_BELOW, own_id, account_id)
    if row is None:
        raise CallctlError("not_found", f"no account {account_id} directly below this one")
    return AccountNode(**row)
