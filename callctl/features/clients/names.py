"""Whose a number is: what reports call the numbers that they count."""

from collections.abc import Mapping, Sequence

from callctl.db.pool import Reads

# Looked up number by number, in the index of an account's numbers.
NAMES = """
select k.number_id, c.name
from client_numbers k join clients c on c.id = k.client_id
where k.account_id = $1 and k.number_id = any($2::bigint[])
"""


async def client_names(db: Reads, account_id: int, numbers: Sequence[int]) -> Mapping[int, str]:
    """Ids of numbers → names of the clients whose they are now; strangers are left out."""
    return dict(await db.fetch(NAMES, account_id, list(numbers))) if numbers else {}
