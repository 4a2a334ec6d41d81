"""Requests that may be sent again: the first answer is kept with what the request did.

A client names a request by the header ``Idempotency-Key``. The key's row is written in the
transaction of the effect, so either both are there or neither: a request that was refused, or cut
down half way, may be sent again with the same key. A second one that comes while the first runs
waits for it. Endpoints say so by ``idempotent=True``; services run what they do in `answer_once`.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from callctl.core.errors import CallctlError

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


def check_key(key: str | None) -> str | None:
    """The header's value, None for none. Raises CallctlError("invalid_field")."""
    if key is not None and not _KEY.fullmatch(key):
        raise CallctlError("invalid_field", "1 to 200 visible ASCII characters", field=_FIELD)
    return key


def request_digest(method: str, path: str, query: Any, body: Any) -> bytes:
    """The same for the same request, however its JSON was written."""
    return hashlib.sha256(msgspec.json.encode([method, path, query, body])).digest()


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
    name = (request.account_id, request.sender, request.key)
    if await connection.fetchval(KEY_INSERT, *name, request.request) is None:
        earlier = await connection.fetchrow(KEY, *name)
        if earlier["request"] != request.request:
            raise CallctlError(
                "idempotency_conflict", "this key was used for another request", field=_FIELD
            )
        answer: T = msgspec.convert(earlier["answer"], answer_type)
        return answer
    made = await act()
    await connection.execute(KEY_ANSWER, *name, msgspec.to_builtins(made))
    return made


async def forget_old_keys(db: Any, days: int = KEPT_DAYS, most: int = 500) -> int:
    """One round: delete keys older than `days`, at most `most`; returns how many."""
    tag: str = await db.execute(OLD_KEYS_DELETE, days, most)
    return int(tag.split()[1])
