"""What the API says of exports."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

MOST_KEYS = 10_000

ModeName = Literal["selected", "page", "all", "search"]
FormatName = Literal["csv", "xlsx"]
StateName = Literal["queued", "running", "done", "failed", "cancelled", "expired"]
Key = Annotated[str, Meta(min_length=1, max_length=100)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]


class NewExport(Struct, frozen=True, forbid_unknown_fields=True):
    """What to export (R000-14): `source` is `calls`, `ledger`, `transfers` or a report.

    `selected`: the rows that `keys` name (a call's id; a report's key columns joined by `/`).
    `page`: one page, as `filters` with their `limit` and `cursor` show it. `search`: all that
    `filters` let through. `all`: everything, without filters. `filters` are the list's parameters.
    `bom`: a CSV file begins with the mark by which Excel knows UTF-8.
    """

    source: Annotated[str, Meta(min_length=1, max_length=60)]
    mode: ModeName
    format: FormatName = "csv"
    bom: bool = True
    keys: Annotated[list[Key], Meta(max_length=MOST_KEYS)] = []
    filters: dict[str, Any] = {}


class ExportView(Struct, frozen=True):
    """An export: a job, then a file until `expires_at`, then what the file was.

    `rows` are those written so far; `sha256` is the file's.
    """

    id: int
    source: str
    mode: ModeName
    format: FormatName
    bom: bool
    keys: list[str]
    filters: dict[str, Any]
    state: StateName
    reason: str
    rows: int
    bytes: int | None
    sha256: str | None
    created_by: str
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None


class ExportFilters(Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    state: StateName | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: Annotated[str, Meta(max_length=20, pattern=r"^[0-9]{1,18}$")] | None = None


class VerifyExport(Struct, frozen=True, forbid_unknown_fields=True):
    """The SHA-256 of a file, as `sha256sum` prints it."""

    sha256: Sha256


class Verified(Struct, frozen=True):
    """Whether a file is an export of this account, unchanged; and which, the newest first."""

    sha256: str
    known: bool
    exports: list[ExportView]
