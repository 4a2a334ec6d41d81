"""An export of a million calls: how fast it is, and that its memory does not grow with its rows."""

import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from callctl.core.permissions import ALL_SCOPES
from callctl.db.pool import Database
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.exports.model import FormatName, NewExport
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.http.endpoint import Actor

SINCE = (
    "select started_at from calls where account_id = $1 order by started_at desc offset $2 limit 1"
)
WARM = 0.1
"""Share of the rows after which memory is looked at for the first time."""


@dataclass(frozen=True, slots=True)
class Exported:
    """`grown_mb`: the most memory it took, over what it took after a tenth of the rows."""

    rows: int
    seconds: float
    grown_mb: float


async def export(db: Database, account: int, rows: int, kind: FormatName) -> Exported:
    """Export the newest `rows` calls. Raises RuntimeError when others came out."""
    since = await db.fetchval(SINCE, account, rows - 1)
    seen: list[tuple[int, float]] = []

    async def watched(*args: Any) -> AsyncIterator[Sequence[Sequence[Any]]]:
        count = 0
        async for page in CALLS_TABLE.pages(*args):
            yield page
            count += len(page)
            seen.append((count, resident_mb()))

    with tempfile.TemporaryDirectory(prefix="callctl-bench-") as directory:
        settings = ExportSettings(Path(directory), "bench", 1, 1)
        service = ExportService(db, [replace(CALLS_TABLE, pages=watched)], settings)
        actor = Actor(account, "bench", ALL_SCOPES)
        filters = {"since": since.isoformat()}
        made = await service.create(
            actor, NewExport(source="calls", mode="search", format=kind, filters=filters)
        )
        began = time.perf_counter()
        await ExportRunner(db, settings).run_next(service)
        seconds = time.perf_counter() - began
        done = await service.get(actor, made.id)
    if (done.state, done.rows) != ("done", rows):
        raise RuntimeError(f"the export is {done.state} with {done.rows} rows: {done.reason}")
    warm = max(mb for count, mb in seen if count <= max(rows * WARM, seen[0][0]))
    return Exported(rows, seconds, max(mb for _, mb in seen) - warm)


def resident_mb() -> float:
    """Memory of this process, in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
