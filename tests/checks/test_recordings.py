"""Recordings that no call names, and calls whose recording is gone."""

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callctl.db.pool import Database
from callctl.features.checks import recordings
from callctl.features.checks.recordings import RecordingWatch, record_name

GRACE = 600.0

_INSERT = """
with c as (
    insert into calls (account_id, call_id, linkedids, direction, started_at, ended_at,
        wait_seconds, talk_seconds, total_seconds, disposition, missed, has_recording, tried,
        completeness)
    values ($1, $2, '{}', 'inbound', $3, $3, 0, 0, 0, 'ANSWERED', false, true, '{}', 'complete')
    returning id)
insert into recordings (call, account_id, file, started_at, state, path)
select id, $1, $2, $3, $4, $5 from c
"""


class Archive:
    """A spool, a place of finished recordings, and the records of calls."""

    def __init__(self, db: Database, account_id: int, directory: Path) -> None:
        self.db = db
        self.account_id = account_id
        self.spool = directory / "spool"
        self.root = directory / "recordings"
        self.watch = RecordingWatch(db, self.spool, self.root, GRACE)

    def put(self, path: Path, age: float = 2 * GRACE) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
        return path

    def day(self, days_ago: int) -> Path:
        return self.root / f"{datetime.now(UTC) - timedelta(days=days_ago):%Y/%m/%d}"

    async def record(self, file: str, state: str = "available", days_ago: int = 0) -> Path:
        """A record of a call, and where its recording would be; the file is not made."""
        path = self.day(days_ago) / f"{Path(file).stem}.wav"
        started = datetime.now(UTC) - timedelta(days=days_ago)
        at = str(path.relative_to(self.root)) if state == "available" else None
        await self.db.execute(_INSERT, self.account_id, file, started, state, at)
        return path

    async def found(self) -> dict[str, str]:
        """Details by code and subject, of one round."""
        return {f"{f.code} {f.subject}".strip(): f.detail for f in await self.watch.check()}


@pytest.fixture
async def archive(db: Database, tmp_path: Path) -> Archive:
    account = await db.fetchval(
        "insert into accounts (code, name, kind) values ('lab', 'Lab', 'operator') returning id"
    )
    return Archive(db, account, tmp_path)


async def test_all_is_well_where_files_and_records_agree(archive: Archive) -> None:
    assert await archive.found() == {}
    archive.put(await archive.record("pbx-1700000000.1-1.raw"))
    await archive.record("pbx-1700000000.2-1.raw", "pending")
    archive.put(archive.spool / "pbx-1700000000.2-1.raw")
    assert await archive.found() == {}


async def test_an_old_file_that_no_call_names_is_told_until_it_is_gone(archive: Archive) -> None:
    stray = archive.put(archive.spool / "pbx-1700000000.7-1.raw")
    archive.put(archive.spool / "pbx-1700000000.8-1.raw", age=GRACE / 2)
    archive.put(archive.spool / ".draft", age=9 * GRACE)
    assert await archive.found() == {"recording_without_call": f"1: {stray}"}
    stray.unlink()
    assert await archive.found() == {}


async def test_every_day_of_the_last_month_is_looked_at_in_turn(archive: Archive) -> None:
    strays = [archive.put(archive.day(d) / f"pbx-1700000000.{d}-1.wav") for d in (0, 3, 29)]
    archive.put(archive.day(40) / "pbx-1700000000.40-1.wav")
    for _ in range(recordings.DAYS):
        found = await archive.found()
    assert found["recording_without_call"].startswith("3: ")
    assert all(str(stray) in found["recording_without_call"] for stray in strays)


async def test_a_call_that_comes_late_takes_its_file_out_of_the_alarm(archive: Archive) -> None:
    archive.put(archive.spool / "pbx-1700000000.7-1.raw")
    assert "recording_without_call" in await archive.found()
    await archive.record("pbx-1700000000.7-1.raw", "pending")
    assert await archive.found() == {}


async def test_a_record_without_its_file_is_told_until_the_file_is_back(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "PAGE", 2)
    paths = [await archive.record(f"pbx-1700000000.{i}-1.raw") for i in range(5)]
    for path in paths[1:]:
        archive.put(path)
    for _ in range(3):
        found = await archive.found()
    assert found == {"recording_missing lost": f"1: {paths[0]}"}
    archive.put(paths[0])
    assert await archive.found() == {}


async def test_old_recordings_may_be_gone(archive: Archive) -> None:
    await archive.record("pbx-1600000000.1-1.raw", days_ago=recordings.DAYS + 1)
    assert await archive.found() == {}


async def test_a_recording_that_asterisk_never_made_is_told_for_a_day(archive: Archive) -> None:
    await archive.record("pbx-1700000000.1-1.raw", "missing")
    await archive.record("pbx-1600000000.1-1.raw", "missing", days_ago=2)
    assert await archive.found() == {"recording_missing never made": "1: pbx-1700000000.1-1.raw"}


def test_a_file_is_known_by_the_name_that_asterisk_gave_it() -> None:
    assert record_name(Path("/r/2026/11/22/a-1.5-2.wav")) == "a-1.5-2.raw"
    assert record_name(Path("/s/a-1.5-2.raw")) == "a-1.5-2.raw"
