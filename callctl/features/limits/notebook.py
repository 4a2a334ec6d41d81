"""What people shall see of limits, collected until it is written: one row for many calls."""

from dataclasses import replace
from datetime import datetime, timedelta

from callctl.core.routing.limits import Finding, LimitAction
from callctl.core.routing.plan import Reason
from callctl.features.limits.counts import Charge
from callctl.features.limits.store import Held, Notice

NOTICE_LASTS = timedelta(minutes=15)
MAX_KEPT = 10_000
"""Of each kind, while the database is away; further ones are left out."""

NoticeKey = tuple[int, str, str, str, str]


class Notebook:
    """Adds up holds and notices between two flushes."""

    def __init__(self) -> None:
        self._held: dict[tuple[int, str, str], Held] = {}
        self._notices: dict[tuple[NoticeKey, datetime], Notice] = {}
        self._opened: dict[NoticeKey, datetime] = {}

    def add_hold(self, charge: Charge, reason: Reason, now: datetime) -> None:
        key = (charge.account_id, charge.extension or "", charge.outside.key)
        first = self._held.get(key)
        if first is None and len(self._held) >= MAX_KEPT:
            return
        held = Held(*key, reason, charge.outside.number, 1, now, now)
        self._held[key] = held if first is None else _added(first, held)

    def add_notice(
        self, charge: Charge, action: LimitAction, finding: Finding, now: datetime
    ) -> bool:
        """Whether it is the first of its kind for a while."""
        key = (
            charge.account_id, charge.extension or "", charge.outside.key, action.value,
            finding.limit,
        )  # fmt: skip
        opened = self._opened.get(key)
        is_first = opened is None or not timedelta(0) <= now - opened < NOTICE_LASTS
        if opened is None or is_first:
            if len(self._opened) >= MAX_KEPT:
                self._opened.clear()
            opened = self._opened[key] = now
        noted = self._notices.get((key, opened))
        if noted is None and len(self._notices) >= MAX_KEPT:
            return is_first
        notice = Notice(*key, finding.reason, charge.outside.number, 1, opened, now)
        if noted is not None:
            notice = replace(notice, calls=noted.calls + 1)
        self._notices[key, opened] = notice
        return is_first

    def take(self) -> tuple[list[Held], list[Notice]]:
        """What there is, and forget it."""
        held, notices = list(self._held.values()), list(self._notices.values())
        self._held, self._notices = {}, {}
        return held, notices

    def put_back(self, held: list[Held], notices: list[Notice]) -> None:
        """It could not be written: add it to what came since."""
        for h in held:
            key = (h.account_id, h.extension, h.destination)
            later = self._held.get(key)
            self._held[key] = h if later is None else _added(h, later)
        for n in notices:
            place = (n.account_id, n.extension, n.destination, n.action, n.limit), n.opened_at
            since = self._notices.get(place)
            self._notices[place] = (
                n if since is None else replace(since, calls=since.calls + n.calls)
            )


def _added(first: Held, later: Held) -> Held:
    return replace(later, calls=first.calls + later.calls, first_at=first.first_at)
