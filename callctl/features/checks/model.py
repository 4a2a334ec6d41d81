"""What the API says of alarms."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct


class AlarmFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`state`: those that are raised now, those that were cleared, or all."""

    state: Literal["raised", "cleared", "all"] = "raised"
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=20)] | None = None


class AlarmView(Struct, frozen=True):
    """One alarm. `systemname` is the node that raised it; `cleared_at` is null while it is raised.

    `last_seen_at` is the last check that found it; `subject` tells several of one code apart.
    """

    id: int
    systemname: str
    code: str
    severity: Literal["critical", "warning"]
    subject: str
    detail: str
    meaning: str
    remedy: str
    raised_at: datetime
    last_seen_at: datetime
    cleared_at: datetime | None
