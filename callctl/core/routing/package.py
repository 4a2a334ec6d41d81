"""Whether an account may use the switchboard: only where its seller demands a package (R004-03).

In memory with the routing, so that the planner asks nobody. Emergency numbers are never asked for.
"""

from dataclasses import dataclass
from datetime import datetime

from callctl.core.routing.plan import Reason


@dataclass(frozen=True, slots=True)
class PackageRights:
    """What an account has that needs a package. `until` None = it never had one; `over`: the end
    of the term was noticed, for plans that are made without a clock. `extensions` are those of
    members."""

    until: datetime | None = None
    over: bool = False
    extensions: frozenset[str] = frozenset()

    def is_active(self, now: datetime | None) -> bool:
        return self.until is not None and not self.over and (now is None or now < self.until)


def missing_package(rights: PackageRights | None, now: datetime | None) -> Reason | None:
    """Why the account may not use the switchboard; None if it may, as where none is demanded."""
    if rights is None or rights.is_active(now):
        return None
    ended = f"{rights.until:%Y-%m-%d %H:%M} UTC" if rights.until else ""
    return Reason("package_required", detail=ended)


def missing_seat(rights: PackageRights | None, extension: str) -> Reason | None:
    """Why `extension` may not call outside; None if it may."""
    if rights is None or extension in rights.extensions:
        return None
    return Reason("seat_required", f"extension:{extension}")
