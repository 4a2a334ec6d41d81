"""From what Asterisk leaves in its spool to a WAV in its place."""

import array
import os
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest

from callctl.core.errors import CallctlError
from callctl.core.master_key import MasterKey
from callctl.core.scope import CallScope
from callctl.features.recordings.audio import open_plain
from callctl.features.recordings.job import Format, Job
from callctl.features.recordings.keys import Keyring
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.make import make_recording
from callctl.features.recordings.places import RecordingPlaces
from callctl.features.recordings.service import RecordingService

from .conftest import Desk, fixture_rows


@pytest.fixture
def places(tmp_path: Path) -> RecordingPlaces:
    (tmp_path / "spool").mkdir()
    return RecordingPlaces(tmp_path / "spool", tmp_path / "recordings")


MASTER = MasterKey(bytes(range(32)))


def service_of(desk: Desk, places: RecordingPlaces) -> RecordingService:
    return RecordingService(desk.db, places, Keyring(desk.db, lambda: MASTER), format_="wav")


async def find_file(
    desk: Desk, places: RecordingPlaces, id_: int, scope: CallScope | None = None
) -> Path:
    library = RecordingLibrary(desk.db, places.root, Keyring(desk.db, lambda: MASTER))
    return (await library.open_audio(scope or CallScope(desk.account_id), id_)).path


def make(raw: Path, target: Path, *formats: Format) -> Path:
    job = Job(
        str(raw), str(target.parent), target.name.removesuffix(".wav"), list(formats) or ["wav"]
    )
    (made, *_) = make_recording(job).files
    return target.parent / made.name


async def add_recording(desk: Desk, file: str, *, ended: str = "now()") -> int:
    desk.write(fixture_rows("answered"))
    await desk.read_all(1)
    await desk.db.execute(f"update calls set ended_at = {ended}, has_recording = true")
    value = await desk.db.fetchval(
        "insert into recordings (call, account_id, file, started_at) "
        "select id, account_id, $1, $2 from calls returning id",
        file,
        datetime(2026, 3, 29, 23, 30, tzinfo=UTC),
    )
    assert isinstance(value, int)
    return value


def stereo(left: list[int], right: list[int]) -> bytes:
    return array.array("h", [s for pair in zip(left, right, strict=True) for s in pair]).tobytes()


def test_sides_are_put_caller_left(tmp_path: Path) -> None:
    raw = tmp_path / "a.raw"
    raw.write_bytes(stereo([1, 2, 3], [-1, -2, -3]) + b"\x07")
    made = make_recording(Job(str(raw), str(tmp_path / "deep"), "a", ["wav"]))
    path = tmp_path / "deep" / "a.wav"
    with wave.open(str(path)) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (2, 2, 8000)
        assert wav.readframes(10) == stereo([-1, -2, -3], [1, 2, 3])
    assert made.seconds == pytest.approx(3 / 8000)
    assert [p.name for p in path.parent.iterdir()] == ["a.wav"]


async def test_a_finished_recording_gets_its_place_by_day(
    desk: Desk, places: RecordingPlaces
) -> None:
    id_ = await add_recording(desk, "pbx-1700000000.5-1.raw")
    (places.spool / "pbx-1700000000.5-1.raw").write_bytes(stereo([5] * 8000, [6] * 8000))
    service = service_of(desk, places)
    assert await service.finish_pending() == 1
    path = await find_file(desk, places, id_)
    assert path.relative_to(places.root) == Path("2026/03/29/pbx-1700000000.5-1.wav")
    row = await desk.db.fetchrow("select state, seconds, bytes from recordings")
    assert (row["state"], row["seconds"], row["bytes"]) == ("available", 1.0, path.stat().st_size)
    assert list(places.spool.iterdir()) == []
    assert await service.finish_pending() == 0


async def test_killed_between_rename_and_commit_it_is_found_again(
    desk: Desk, places: RecordingPlaces
) -> None:
    await add_recording(desk, "1700000000.5-1.raw")
    raw = places.spool / "1700000000.5-1.raw"
    raw.write_bytes(stereo([5] * 16000, [6] * 16000))
    make(raw, places.root / "2026/03/29/1700000000.5-1.wav")
    raw.unlink()
    assert await service_of(desk, places).finish_pending() == 1
    assert await desk.db.fetchval("select seconds from recordings") == pytest.approx(2.0)


async def test_a_file_that_never_comes_is_reported_missing(
    desk: Desk, places: RecordingPlaces
) -> None:
    id_ = await add_recording(desk, "1700000000.5-1.raw", ended="now() - interval '5 minutes'")
    service = service_of(desk, places)
    assert await service.finish_pending() == 0
    assert await desk.db.fetchval("select state from recordings") == "missing"
    assert await desk.db.fetchval("select has_recording from calls") is False
    with pytest.raises(CallctlError, match="not_found"):
        await find_file(desk, places, id_)


async def test_a_name_that_leaves_the_spool_is_no_file(desk: Desk, places: RecordingPlaces) -> None:
    secret = places.spool.parent / "secret.raw"
    secret.write_bytes(b"\0" * 8)
    await add_recording(desk, "../secret.raw")
    assert await service_of(desk, places).finish_pending() == 0
    assert secret.exists()
    assert await desk.db.fetchval("select state from recordings") == "missing"


async def test_another_account_does_not_hear_it(desk: Desk, places: RecordingPlaces) -> None:
    id_ = await add_recording(desk, "1700000000.5-1.raw")
    (places.spool / "1700000000.5-1.raw").write_bytes(stereo([5] * 80, [6] * 80))
    service = service_of(desk, places)
    await service.finish_pending()
    with pytest.raises(CallctlError, match="not_found"):
        await find_file(desk, places, id_, CallScope(desk.account_id + 1))
    with pytest.raises(CallctlError, match="not_found"):
        await find_file(desk, places, id_, CallScope(desk.account_id, ("204",)))
    assert (await find_file(desk, places, id_, CallScope(desk.account_id, ("201",)))).is_file()


async def test_a_recording_that_cannot_be_written_holds_up_no_other(
    desk: Desk, places: RecordingPlaces
) -> None:
    await add_recording(desk, "1700000000.5-1.raw")
    await desk.db.execute(
        "insert into recordings (call, account_id, file, started_at) "
        "select call, account_id, '1700000000.5-2.raw', started_at from recordings"
    )
    (places.spool / "1700000000.5-1.raw").mkdir()
    (places.spool / "1700000000.5-2.raw").write_bytes(stereo([5] * 80, [6] * 80))
    assert await service_of(desk, places).finish_pending() == 1
    states = await desk.db.fetch("select state from recordings order by file")
    assert [row["state"] for row in states] == ["pending", "available"]


@pytest.mark.parametrize(
    "file",
    [
        *(
            "../secret.raw",
            "/etc/passwd",
            "a/b.raw",
            "..",
            ".hidden.raw",
            "-rf",
            "",
            " ",
            "a b.raw",
        ),
        *('a".raw', "a\r\nX-Evil: 1.raw", "ä.raw", "a" * 300, "~root.raw", "$(id).raw", "a;b.raw"),
    ],
)
async def test_name_that_is_none_of_ours_is_no_recording(
    desk: Desk, places: RecordingPlaces, file: str
) -> None:
    """Whatever a forged row of the journal says: nothing is opened, and nothing else waits."""
    id_ = await add_recording(desk, file)
    service = service_of(desk, places)
    assert await service.finish_pending() == 0
    assert await desk.db.fetchval("select state from recordings") == "missing"
    with pytest.raises(CallctlError, match="not_found"):
        await find_file(desk, places, id_)


async def test_link_in_the_spool_leads_nowhere(
    desk: Desk, places: RecordingPlaces, tmp_path: Path
) -> None:
    """Asterisk's user may write there, and must not read by it what only callctl may."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 32)
    await add_recording(desk, "a.raw")
    (places.spool / "a.raw").symlink_to(secret)
    assert await service_of(desk, places).finish_pending() == 0
    assert await desk.db.fetchval("select state from recordings") == "missing"
    assert not places.root.exists()


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    """A pipe would hold the service up for ever."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    for name in ("pipe", "link", "directory", "/dev/null"):
        with pytest.raises(OSError, match=r"plain file|symbolic links"):
            open_plain(tmp_path / name).close()


async def test_path_in_the_database_that_leaves_the_root_is_not_served(
    desk: Desk, places: RecordingPlaces, tmp_path: Path
) -> None:
    """Whoever may write the table may still not read the machine's files through the API."""
    id_ = await add_recording(desk, "a.raw")
    (tmp_path / "secret.wav").write_bytes(b"secret")
    places.root.mkdir()
    (places.root / "link.wav").symlink_to(tmp_path / "secret.wav")
    (places.root / "ring.wav").symlink_to(places.root / "ring.wav")
    for path in ("../secret.wav", "/etc/passwd", "link.wav", "ring.wav", "", ".", "a" * 5000):
        await desk.db.execute("update recordings set state = 'available', path = $1", path)
        with pytest.raises(CallctlError, match="not_found"):
            await find_file(desk, places, id_)


def test_recording_is_for_its_owner_and_group_only(tmp_path: Path) -> None:
    raw = tmp_path / "a.raw"
    raw.write_bytes(stereo([1], [2]))
    before = os.umask(0)
    try:
        made = make(raw, tmp_path / "a.wav")
    finally:
        os.umask(before)
    assert made.stat().st_mode & 0o777 == 0o640
