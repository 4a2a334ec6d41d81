"""What is over its time goes, what is held stays, and no file is left without a row."""

from pathlib import Path

import pytest

from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.features.calls.retention import delete_due_calls
from callctl.features.calls.rollups import find_differences, rebuild
from callctl.features.checks.recordings import RecordingWatch
from callctl.features.recordings import retention as retention_module
from callctl.features.recordings.retention import remove_file
from tests.recordings.conftest import Archive


async def count(archive: Archive, table: str) -> int:
    value = await archive.db.fetchval(f"select count(*) from {table}")
    assert isinstance(value, int)
    return value


async def alarms(archive: Archive) -> list[str]:
    """What the self-check has to say of files and rows."""
    watch = RecordingWatch(archive.db, archive.places.spool, archive.places.root, grace=-1)
    found: list[str] = []
    for _ in range(30):
        found += [f"{f.code}: {f.detail}" for f in await watch.check()]
    return found


async def test_old_recording_goes_and_its_call_stays(archive: Archive) -> None:
    await archive.settings(recording_days=7, format="both")
    old = await archive.made("a-1.1", days_ago=8)
    new = await archive.made("a-1.2", days_ago=6)
    assert await archive.retention.delete_due() == 1
    assert archive.files() == ["a-1.2-1.opus", "a-1.2-1.wav"]
    assert (await archive.state(old), await archive.state(new)) == ("deleted", "available")
    assert await archive.db.fetch("select has_recording from calls order by id") == [
        (False,),
        (True,),
    ]
    assert await alarms(archive) == []
    assert await archive.retention.delete_due() == 0
    assert await delete_due_calls(archive.db) == 0
    with pytest.raises(CallctlError, match="not_found"):
        await archive.library.open_audio(archive.scope, old)
    assert (await archive.library.get_recording(archive.actor, old)).state == "deleted"


async def test_zero_days_are_for_ever_and_accounts_without_settings_keep_all(
    archive: Archive,
) -> None:
    await archive.made("a-1.1", days_ago=4000)
    assert await archive.retention.delete_due() == 0
    await archive.settings(recording_days=0, call_days=0)
    assert await archive.retention.delete_due() == 0
    assert await delete_due_calls(archive.db) == 0


@pytest.mark.parametrize("of", ["call", "recording"])
async def test_hold_stops_it_until_it_is_released(archive: Archive, of: str) -> None:
    await archive.settings(recording_days=7, call_days=7)
    id_ = await archive.made("a-1.1", days_ago=8)
    call = await archive.db.fetchval("select id from calls")
    if of == "call":
        hold = await archive.retention.hold_call(archive.scope, call, "a trial", Author("anna"))
    else:
        hold = await archive.retention.hold_recording(archive.scope, id_, "a trial", Author("anna"))
    assert await archive.retention.delete_due() == 0
    assert await delete_due_calls(archive.db) == 0
    (told,) = (await archive.library.get_recording(archive.actor, id_)).holds
    assert (told.reason, told.held_by, told.released_at) == ("a trial", "anna", None)
    await archive.retention.release(archive.scope, hold.id, Author("bela"))
    with pytest.raises(CallctlError, match="not_found"):
        await archive.retention.release(archive.scope, hold.id, Author("bela"))
    assert await archive.retention.delete_due() == 1
    assert await delete_due_calls(archive.db) == 1


async def test_hold_of_one_recording_keeps_no_other_of_its_call(archive: Archive) -> None:
    await archive.settings(recording_days=7)
    first = await archive.made("a-1.1", days_ago=8)
    await archive.db.execute(
        "insert into recordings (call, account_id, file, started_at, state, path) "
        "select call, account_id, 'other.raw', started_at, 'available', 'x/other.wav' "
        "from recordings"
    )
    await archive.retention.hold_recording(archive.scope, first, "a trial", Author("anna"))
    assert await archive.retention.delete_due() == 1
    assert await archive.state(first) == "available"


async def test_what_is_deleted_cannot_be_held(archive: Archive) -> None:
    await archive.settings(recording_days=7)
    id_ = await archive.made("a-1.1", days_ago=8)
    await archive.retention.delete_due()
    with pytest.raises(CallctlError, match="conflict"):
        await archive.retention.hold_recording(archive.scope, id_, "too late", Author("anna"))
    assert await count(archive, "legal_holds") == 0


async def test_what_was_done_to_a_call_while_it_went_on_goes_with_it(archive: Archive) -> None:
    await archive.settings(call_days=7, recording_days=7)
    await archive.made("a-1.1", days_ago=8)
    await archive.made("a-1.2", days_ago=1)
    await archive.db.execute(
        "insert into interventions (account_id, call_id, kind, author) "
        "select account_id, call_id, 'hang_up', 'anna' from calls"
    )
    await archive.retention.delete_due()
    assert await delete_due_calls(archive.db) == 1
    assert (
        await archive.db.fetchval("select string_agg(call_id, ' ') from interventions") == "a-1.2"
    )


@pytest.mark.parametrize("after", ["row", "file"])
async def test_killed_between_its_steps_deleting_goes_on_and_nothing_alarms(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    await archive.settings(recording_days=7)
    id_ = await archive.made("a-1.1", days_ago=8)

    class Killed(BaseException):
        pass

    def die(root: Path, path: Path) -> None:
        if after == "file":
            remove_file(root, path)
        raise Killed

    monkeypatch.setattr(retention_module, "remove_file", die)
    with pytest.raises(Killed):
        await archive.retention.delete_due()
    assert await archive.state(id_) == "deleting"
    assert await alarms(archive) == []
    monkeypatch.undo()
    assert await archive.retention.delete_due() == 1
    assert (await archive.state(id_), archive.files()) == ("deleted", [])


async def test_round_deletes_no_more_than_it_may(archive: Archive) -> None:
    await archive.settings(recording_days=7, call_days=7)
    for n in range(5):
        await archive.made(f"a-1.{n}", days_ago=8 + n)
    assert await archive.retention.delete_due(most=2) == 2
    assert len(archive.files()) == 3
    assert await delete_due_calls(archive.db, most=1) == 1
    assert await count(archive, "calls") == 4
    assert await count(archive, "recordings where state = 'available'") == 3


async def test_file_that_cannot_be_deleted_is_tried_again(archive: Archive) -> None:
    await archive.settings(recording_days=7)
    id_ = await archive.made("a-1.1", days_ago=8)
    (path,) = (p for p in archive.places.root.rglob("*.wav"))
    path.unlink()
    path.mkdir()
    assert await archive.retention.delete_due() == 0
    assert await archive.state(id_) == "deleting"
    path.rmdir()
    assert await archive.retention.delete_due() == 1


def test_nothing_outside_its_root_is_deleted(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a").write_bytes(b"x")
    (root / "link").symlink_to(outside)
    (root / "leaf").symlink_to(outside / "a")
    for place in ("../outside/a", "link/a", str(outside / "a")):
        with pytest.raises(PermissionError):
            remove_file(root, root / place)
    remove_file(root, root / "leaf")
    assert (outside / "a").read_bytes() == b"x"


async def test_deleted_calls_stay_in_the_sums(archive: Archive) -> None:
    await archive.made("a-1.1", days_ago=40)
    await archive.made("a-1.2", days_ago=3, direction="outbound")
    await rebuild(archive.db)
    tables = ("rollup_quarters", "rollup_days", "rollup_extension_days")
    before = {t: await archive.db.fetch(f"select * from {t} order by 1, 2, 3") for t in tables}
    assert all(before.values())
    await archive.settings(call_days=30)
    assert await archive.retention.delete_due() == 1, "a recording does not outlive its call"
    assert await delete_due_calls(archive.db) == 1
    assert await count(archive, "calls") == 1
    assert archive.files() == ["a-1.2-1.wav"]
    for again in (False, True):
        if again:
            await rebuild(archive.db)
        after = {t: await archive.db.fetch(f"select * from {t} order by 1, 2, 3") for t in tables}
        assert after == before
        assert await find_differences(archive.db) == []
    await archive.db.execute("update rollup_days set calls = calls + 1")
    assert len(await find_differences(archive.db)) == 2
