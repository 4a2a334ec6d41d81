"""Alarms: raised, seen, cleared; told to the log, the metrics, PostgreSQL and whoever asks.

The board in memory is what counts, since alarms must be seen while PostgreSQL is away. What
changed meanwhile is written down when it is back.
"""

from collections import deque
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from callctl.core.checks.alarms import ALARMS, AlarmBoard, Finding, RaisedAlarm, Severity
from callctl.core.errors import CallctlError
from callctl.features.checks.model import AlarmFilters, AlarmView
from callctl.features.checks.store import AlarmStore, Write
from callctl.http.endpoint import Page
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import ALARMS_RAISED

log = get_logger("alarms")

MOST_UNWRITTEN = 1000
"""Changes kept while PostgreSQL is away; of more, the oldest are forgotten."""


class AlarmService:
    """Use from one task: the self-check observes, then flushes."""

    def __init__(self, store: AlarmStore) -> None:
        self._store = store
        self._board = AlarmBoard()
        self._unwritten: deque[Write] = deque(maxlen=MOST_UNWRITTEN)
        self._restored = False
        for code in ALARMS:
            ALARMS_RAISED.labels(code).set(0)

    @property
    def raised(self) -> tuple[RaisedAlarm, ...]:
        """What is raised now, the worst first."""
        return self._board.raised

    async def check_ready(self) -> None:
        """For `/readyz`. Raises RuntimeError with the codes that are raised."""
        if self.raised:
            raise RuntimeError("; ".join(f"{a.code} {a.subject}".strip() for a in self.raised))

    def observe(self, checked: Collection[str], findings: Iterable[Finding]) -> None:
        """One round of a check: of the codes `checked`, exactly `findings` are wrong."""
        now = datetime.now(UTC)
        changes = self._board.observe(checked, findings, now)
        for alarm in changes.raised:
            critical = alarm.kind.severity is Severity.CRITICAL
            (log.error if critical else log.warning)(
                "alarm_raised",
                code=alarm.code,
                subject=alarm.subject,
                detail=alarm.detail,
                remedy=alarm.kind.remedy,
            )
            self._unwritten.append(Write(alarm))
        for alarm in changes.cleared:
            lasted = round((now - alarm.raised_at).total_seconds())
            log.info("alarm_cleared", code=alarm.code, subject=alarm.subject, seconds=lasted)
            self._unwritten.append(Write(alarm, cleared_at=now))
        self._count()

    async def flush(self) -> None:
        """Write down what is raised and what changed. Raises CallctlError; then it is kept."""
        if not self._restored:
            self._board.restore(await self._store.get_raised())
            self._restored = True
            self._count()
        writes = [*self._unwritten, *(Write(alarm) for alarm in self.raised)]
        if writes:
            await self._store.save_all(writes)
        self._unwritten.clear()

    def _count(self) -> None:
        for code in ALARMS:
            ALARMS_RAISED.labels(code).set(sum(a.code == code for a in self.raised))

    async def list_alarms(self, filters: AlarmFilters) -> Page[AlarmView]:
        """Of all nodes, the newest first. Raises CallctlError("invalid_field") for a bad cursor."""
        rows = await self._store.list_alarms(
            filters.state, _decode_cursor(filters.cursor), filters.limit + 1
        )
        items = [_view(row) for row in rows[: filters.limit]]
        more = len(rows) > filters.limit
        return Page(items=items, next=str(items[-1].id) if more else None)


def _decode_cursor(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise CallctlError("invalid_field", "is no cursor of this list", "query.cursor")
    return int(cursor)


def _view(row: Any) -> AlarmView:
    """A code of a newer version has no words here, but is shown."""
    kind = ALARMS.get(row["code"])
    return AlarmView(
        severity=kind.severity.value if kind else "warning",
        meaning=kind.meaning if kind else "",
        remedy=kind.remedy if kind else "",
        **row,
    )
