"""The audit log's writing side: who changed what, in the transaction of the change (R003-87).

Any feature writes here; `callctl.features.audit` reads.
"""

from collections.abc import Mapping
from typing import Any

from callctl.core.author import Author
from callctl.core.changes import ACTIONS

AUDIT_INSERT = """
insert into audit (account_id, author_id, author, action, subject, before, after)
values ($1, $2, $3, $4, $5, $6, $7)
"""

# Pages show what they show again and again: once an hour is enough to know who.
READING_INSERT = """
insert into audit (account_id, author_id, author, action, subject)
select $1, $2, $3, $4, $5 where not exists (
    select from audit where account_id = $1 and author = $3 and subject = $5 and action = $4
       and at > now() - interval '1 hour')
"""

_SECRET_WORDS = ("password", "secret", "token_hash", "totp", "digest")

Values = Mapping[str, Any]


async def record_change(
    connection: Any,
    account_id: int,
    author: Author,
    action: str,
    subject: str,
    before: Values | None = None,
    after: Values | None = None,
) -> None:
    """Write a line on `connection`, inside the transaction that makes the change.

    `action` is one of `ACTIONS`, `subject` is like ``user:12``. `before` and `after` are what
    msgspec can write as JSON: None where there was nothing, or is nothing now. Of a change only the
    fields that differ are kept; if none does, nothing is written. Raises ValueError for a field
    whose name says that it is secret, and for an action that nobody declared.
    """
    _check_declared(action)
    for name in (*(before or ()), *(after or ())):
        if any(word in name for word in _SECRET_WORDS):
            raise ValueError(f"{name} does not belong in the audit log")
    if before is not None and after is not None:
        names = [n for n in {**before, **after} if before.get(n) != after.get(n)]
        if not names:
            return
        before = {n: before[n] for n in names if n in before}
        after = {n: after[n] for n in names if n in after}
    await connection.execute(
        AUDIT_INSERT, account_id, author.user_id, author.name, action, subject, before, after
    )


async def record_reading(
    connection: Any, account_id: int, author: Author, action: str, subject: str
) -> None:
    """Write a line before something secret is shown to `author`, one an hour. Raises ValueError for
    an action that nobody declared."""
    _check_declared(action)
    await connection.execute(
        READING_INSERT, account_id, author.user_id, author.name, action, subject
    )


def _check_declared(action: str) -> None:
    if action not in ACTIONS:
        raise ValueError(f"callctl.core.changes does not say what {action} is")
