"""Notices in PostgreSQL: listed, acknowledged."""

from typing import Any

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.db.audit import record_change
from callctl.db.pool import Database
from callctl.features.notices.model import Acknowledge, ReviewFilters, ReviewNotice
from callctl.http.endpoint import Page

_COLUMNS = """
n.id, n.kind, n.subject, n.text, n.data, n.call, n.raised_at, n.acknowledged_at,
n.acknowledged_by, n.note,
(select count(*) from notice_mails m where m.notice = n.id and m.state = 'sent') as mails,
(select count(*) from notice_mails m where m.notice = n.id and m.state = 'failed') as mails_failed
"""
# Whoever sees only some extensions' calls sees only their notices; those about no call are the
# account's own.
_VISIBLE = "n.account_id = $1 and ($2::text[] is null or n.extensions && $2)"
NOTICES = f"""
select {_COLUMNS} from notices n
where {_VISIBLE}
  and ($3::boolean is null or (n.acknowledged_at is null) = $3)
  and ($4::text is null or n.kind = $4)
  and ($5::bigint is null or n.id < $5)
order by n.id desc limit $6
"""  # noqa: S608 - constants of this file
NOTICE = f"select {_COLUMNS} from notices n where {_VISIBLE} and n.id = $3"  # noqa: S608
ACKNOWLEDGE = f"""
update notices n set acknowledged_at = now(), acknowledged_by = $4, note = $5
where {_VISIBLE} and n.id = $3 and n.acknowledged_at is null
"""  # noqa: S608


class NoticeService:
    """Every method takes a scope; what lies outside it does not exist."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_notices(self, scope: CallScope, filters: ReviewFilters) -> Page[ReviewNotice]:
        """The newest first."""
        rows = await self._db.fetch(
            NOTICES, *_of(scope), filters.open, filters.kind, filters.cursor, filters.limit + 1
        )
        items = [ReviewNotice(**dict(row)) for row in rows[: filters.limit]]
        return Page(items, str(items[-1].id) if len(rows) > filters.limit else None)

    async def acknowledge(
        self, scope: CallScope, notice: int, body: Acknowledge, author: Author
    ) -> ReviewNotice:
        """Raises CallctlError: `not_found`, `conflict` when somebody else was first."""
        async with self._db.transaction() as connection:
            done = await connection.execute(
                ACKNOWLEDGE, *_of(scope), notice, author.name, body.note
            )
            row = await connection.fetchrow(NOTICE, *_of(scope), notice)
            if row is None:
                raise CallctlError("not_found", f"there is no notice {notice}")
            if done == "UPDATE 0":
                who = f"{row['acknowledged_by']} has acknowledged it already"
                raise CallctlError("conflict", who)
            await record_change(
                connection, scope.account_id, author, "notice.acknowledged", f"notice:{notice}",
                None, {"note": body.note},
            )  # fmt: skip
            return ReviewNotice(**dict(row))


def _of(scope: CallScope) -> tuple[Any, ...]:
    return scope.account_id, None if scope.extensions is None else list(scope.extensions)
