"""Searching the log of changes by person, action, subject and time (R003-87)."""

from datetime import UTC, datetime, timedelta

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.audit import store
from callctl.features.audit.model import AuditEntry, AuditFilters
from callctl.http.endpoint import Actor, Page

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class AuditService:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def list_entries(self, actor: Actor, filters: AuditFilters) -> Page[AuditEntry]:
        """The newest first. Raises CallctlError("invalid_field") for a period that ends before it
        starts, and for what is no cursor of this list."""
        if filters.since and filters.until and filters.since > filters.until:
            raise CallctlError("invalid_field", "the period ends before it starts", "query.until")
        at, id_ = _read_cursor(filters.cursor)
        rows = await self._db.fetch(
            store.AUDIT_PAGE,
            actor.account_id,
            actor.viewer_id,
            filters.author,
            filters.action,
            filters.subject,
            filters.since,
            filters.until,
            at,
            id_,
            filters.limit + 1,
        )
        items = [AuditEntry(**row) for row in rows[: filters.limit]]
        return Page(items, _write_cursor(items[-1]) if len(rows) > filters.limit else None)


def _write_cursor(last: AuditEntry) -> str:
    return f"{(last.at - _EPOCH) // _MICROSECOND}.{last.id}"


def _read_cursor(cursor: str | None) -> tuple[datetime | None, int | None]:
    if cursor is None:
        return None, None
    at, _, id_ = cursor.partition(".")
    if not all(part.isascii() and part.isdecimal() and len(part) < 19 for part in (at, id_)):
        raise CallctlError("invalid_field", "is no cursor of this list", "query.cursor")
    try:
        return _EPOCH + int(at) * _MICROSECOND, int(id_)
    except OverflowError:
        raise CallctlError("invalid_field", "is no cursor of this list", "query.cursor") from None
