"""Notices for people, written in the transaction of what they tell of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NOTICE_INSERT = """
insert into notices (account_id, kind, subject, text, data, extensions, call)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict (account_id, kind, subject) do nothing
returning id
"""
MAILS_INSERT = """
insert into notice_mails (notice, recipient) select $1, r from unnest($2::text[]) r
on conflict do nothing
"""

NOTICE_SETTLE = """
with settled as (
    update notices set acknowledged_at = now(), acknowledged_by = $4
    where account_id = $1 and kind = $2 and subject = $3 and acknowledged_at is null
    returning id
)
delete from notice_mails where notice in (select id from settled) and state = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class NewNotice:
    """Something that a person should look at: once per account, `kind` and `subject`."""

    account_id: int
    kind: str
    subject: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    extensions: Sequence[str] = ()
    call: int | None = None


async def raise_notice(
    connection: Any, notice: NewNotice, mail_to: Sequence[str] = ()
) -> int | None:
    """Its id, with a mail to each of `mail_to` under way; None when it was raised before."""
    id_: int | None = await connection.fetchval(
        NOTICE_INSERT,
        notice.account_id,
        notice.kind,
        notice.subject,
        notice.text,
        dict(notice.data),
        list(notice.extensions),
        notice.call,
    )
    if id_ is not None and mail_to:
        await connection.execute(MAILS_INSERT, id_, list(mail_to))
    return id_


async def settle_notice(
    connection: Any, account_id: int, kind: str, subject: str, author: str
) -> None:
    """Nobody needs to look at it any more: `author` has done what it asks for. Mails that wait
    are not sent."""
    await connection.execute(NOTICE_SETTLE, account_id, kind, subject, author)
