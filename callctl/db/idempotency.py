"""Requests that may be sent again: the first answer is kept with what the request did.

A client names a request by the header ``Idempotency-Key``. The key's row is written in the
transaction of the effect, so either both are there or neither: a request that was refused, or cut
down half way, may be sent again with the same key. A second one that comes while the first runs
waits for it. Endpoints say so by ``idempotent=True``; services run what they do in `answer_once`
or `transact_once`.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import msgspec

from callctl.core.errors import CallctlError
from callctl.db.pool import Database, Reads

HEADER = "Idempotency-Key"

KEPT_DAYS = 7
"""How long a key means what it meant."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_FIELD = f"header.{HEADER}"

T = TypeVar("T")

# Waits while another transaction has written the same key and is not at its end.
KEY_INSERT = """
insert into idempotency_keys (account_id, sender, key, request) values ($1, $2, $3, $4)
on conflict do nothing
returning true
"""

KEY = """
select request, answer from idempotency_keys where account_id = $1 and sender = $2 and key = $3
"""

KEY_ANSWER = """
update idempotency_keys set answer = $4 where account_id = $1 and sender = $2 and key = $3
"""

KEY_DELETE = "delete from idempotency_keys where account_id = $1 and sender = $2 and key = $3"

OLD_KEYS_DELETE = """
delete from idempotency_keys where (account_id, sender, key) in (
    select account_id, sender, key from idempotency_keys
    where created_at < now() - make_interval(days => $1) order by created_at limit $2
)
"""


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A request that its sender has named. `sender` is a login or a token: keys are their own.

    `request` is the SHA-256 of what is asked for: operation and body.
    """

    account_id: int
    sender: str
    key: str
    request: bytes

    @property
    def name(self) -> tuple[int, str, str]:
        """What no two requests share."""
        return self.account_id, self.sender, self.key


def check_key(key: str | None) -> str | None:
    """The header's value, None for none. Raises CallctlError("invalid_field")."""
    if key is not None and not _KEY.fullmatch(key):
        raise CallctlError("invalid_field", "1 to 200 visible ASCII characters", field=_FIELD)
    return key


def request_digest(method: str, path: str, query: Any, body: Any) -> bytes:
    """The same for the same request, however its JSON was written."""
    return hashlib.sha256(msgspec.json.encode([method, path, query, body])).digest()


def with_file(request: RequestKey | None, sha256: bytes) -> RequestKey | None:
    """`request`, whose body is a file: another file is another request."""
    if request is None:
        return None
    return replace(request, request=hashlib.sha256(request.request + sha256).digest())


async def answer_once(
    connection: Any,
    request: RequestKey | None,
    answer_type: Any,
    act: Callable[[], Awaitable[T]],
) -> T:
    """The answer of `act`, or the one that an earlier request with the same key got.

    `connection` is inside the transaction in which `act` does its work. `answer_type` is what
    `act` returns: it is kept as JSON. None for `request`: the sender gave no key. Raises
    CallctlError("idempotency_conflict") for a key that named another request.
    """
    if request is None:
        return await act()
    while await connection.fetchval(KEY_INSERT, *request.name, request.request) is None:
        earlier: T | None = await earlier_answer(connection, request, answer_type)
        if earlier is not None:  # It may have been forgotten in between.
            return earlier
    made = await act()
    await connection.execute(KEY_ANSWER, *request.name, msgspec.to_builtins(made))
    return made


async def transact_once(
    db: Database,
    request: RequestKey | None,
    answer_type: Any,
    act: Callable[[Any], Awaitable[T]],
) -> T:
    """`answer_once` in a transaction of its own, on whose connection `act` works."""
    async with db.transaction() as connection:
        return await answer_once(connection, request, answer_type, partial(act, connection))


async def earlier_answer(db: Reads, request: RequestKey | None, answer_type: Any) -> Any:
    """What a request with this key was answered, None for none: for those who must look at
    something before they act that is another once it is done. Raises as `answer_once` does."""
    row = None if request is None else await db.fetchrow(KEY, *request.name)
    if request is None or row is None:
        return None
    if row["request"] != request.request:
        raise CallctlError(
            "idempotency_conflict", "this key was used for another request", field=_FIELD
        )
    return msgspec.convert(row["answer"], answer_type)


async def forget_answer(connection: Any, request: RequestKey | None) -> None:
    """What was answered did not come about: the request may be sent again with its key."""
    if request is not None:
        await connection.execute(KEY_DELETE, *request.name)


async def forget_old_keys(db: Any, days: int = KEPT_DAYS, most: int = 500) -> int:
    """One round: delete keys older than `days`, at most `most`; returns how many."""
    tag: str = await db.execute(OLD_KEYS_DELETE, days, most)
    return int(tag.split()[1])
