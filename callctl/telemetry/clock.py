"""The clock, as a function that is handed in wherever time matters."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time now, with the zone UTC."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)
