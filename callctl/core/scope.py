"""Whose calls somebody may see: a value that every query takes and none can do without."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CallScope:
    """An account's calls: all of them, or only those that some extensions had a part in.

    Every query takes one; there is no default (R002-27).
    """

    account_id: int
    extensions: tuple[str, ...] | None = None
