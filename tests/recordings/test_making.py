"""From raw to Opus, WAV, both, encrypted or not; full disks and kills on the way."""

import array
import asyncio
import io
import os
import signal
import sys
import wave
from pathlib import Path

import av
import pytest

from callctl.core.errors import CallctlError
from callctl.core.master_key import MasterKey
from callctl.features.recordings.cipher import Cipher
from callctl.features.recordings.job import Job
from callctl.features.recordings.make import make_recording
from callctl.features.recordings.sealed import open_sealed
from callctl.features.recordings.service import (
    UNREADABLE_AFTER_FAILURES,
    WAV_AFTER_FAILURES,
    RecordingService,
)
from callctl.features.recordings.worker import WorkerGone, open_worker
from tests.recordings.conftest import MASTER, TALK, Archive, raw_of, tone


def sides(audio: bytes) -> tuple[list[int], list[int]]:
    resampler = av.AudioResampler(format="s16p", layout="stereo", rate=8000)
    left: list[int] = []
    right: list[int] = []
    with av.open(io.BytesIO(audio)) as container:
        for frame in (*container.decode(audio=0), None):
            for part in resampler.resample(frame):
                left += part.to_ndarray()[0].tolist()
                right += part.to_ndarray()[1].tolist()
    return left, right


def power(samples: list[int]) -> float:
    return sum(s * s for s in samples) / len(samples)


async def test_opus_has_each_side_on_its_own_channel(archive: Archive) -> None:
    id_ = await archive.made("pbx-1700000000.5", "opus")
    audio = await archive.library.open_audio(archive.scope, id_)
    assert (audio.format, audio.path.name) == ("opus", "pbx-1700000000.5-1.opus")
    data = audio.path.read_bytes()
    assert len(data) == audio.size < len(TALK) / 4
    left, right = sides(data)
    assert abs(len(left) - 16000) < 80
    first, second = slice(1000, 7000), slice(9000, 15000)
    assert power(left[first]) > 10_000 * power(right[first])
    assert power(right[second]) > 10_000 * power(left[second])
    assert list(archive.places.spool.iterdir()) == []


async def test_account_may_have_both_and_either_is_served(archive: Archive) -> None:
    await archive.settings(format="both")
    id_ = await archive.made("a-1.5", "wav")
    assert archive.files() == ["a-1.5-1.opus", "a-1.5-1.wav"]
    usual = await archive.library.open_audio(archive.scope, id_)
    wav = await archive.library.open_audio(archive.scope, id_, "wav")
    assert (usual.format, wav.format) == ("opus", "wav")
    with wave.open(str(wav.path)) as file:
        assert file.readframes(16000) == raw_of([0] * 8000 + tone(1, 1000), tone(1) + [0] * 8000)


async def test_figures_and_the_event_come_with_the_recording(archive: Archive) -> None:
    id_ = await archive.made("a-1.5", "opus")
    (figures,) = await archive.db.fetch("select * from recording_figures")
    assert figures["recording"] == id_
    assert figures["caller_talk_share"] == pytest.approx(0.5, abs=0.05)
    assert figures["called_first_word_seconds"] == pytest.approx(1.0, abs=0.05)
    (event,) = await archive.db.fetch("select kind, subject, data from outbox")
    assert (event["kind"], event["subject"]) == ("recording.ready", f"recording:{id_}")
    assert event["data"]["call_id"] == "a-1.5"


async def test_recording_that_asterisk_never_left_is_told(archive: Archive) -> None:
    await archive.add("a-1.5", raw=None, days_ago=1)
    assert await archive.service().finish_pending() == 0
    (event,) = await archive.db.fetch("select kind, data from outbox")
    assert event["kind"] == "recording.failed"
    assert event["data"]["reason"] == "Asterisk left no file"


async def test_encrypted_recording_is_noise_on_the_disk_and_whole_through_the_library(
    archive: Archive,
) -> None:
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.5")
    (path,) = (p for p in archive.places.root.rglob("*") if p.is_file())
    assert path.name == "a-1.5-1.wav.sealed"
    assert b"RIFF" not in path.read_bytes()
    audio = await archive.library.open_audio(archive.scope, id_)
    assert audio.sealed is not None
    data = b"".join(audio.sealed.read(0, audio.size - 1))
    audio.sealed.close()
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() == 16000
    bytes_ = await archive.db.fetchval("select bytes from recordings")
    assert bytes_ == len(data)


async def test_without_its_key_a_recording_waits_in_the_spool_unspoilt(archive: Archive) -> None:
    await archive.settings(encrypt=True)
    await archive.made("a-1.5")
    id_ = await archive.add("b-1.5")
    archive.restart(MasterKey(b"x" * 32))
    assert await archive.service().finish_pending() == 0
    assert await archive.state(id_) == "pending"
    assert archive.files() == ["a-1.5-1.wav.sealed"]
    assert [p.name for p in archive.places.spool.iterdir()] == ["b-1.5-1.raw"]


async def test_without_the_library_that_encrypts_a_recording_waits_and_the_round_goes_on(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.settings(encrypt=True)
    id_ = await archive.add("a-1.6")
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert await archive.service().finish_pending() == 0
    assert await archive.state(id_) == "pending"
    assert [p.name for p in archive.places.spool.iterdir()] == ["a-1.6-1.raw"]
    with pytest.raises(CallctlError, match="the library cryptography cannot be loaded"):
        Cipher(b"k" * 32)


async def test_killed_between_any_two_steps_the_next_round_makes_it_whole(
    archive: Archive,
) -> None:
    """The files are there and the row is not written; or a draft of a process that died is."""
    id_ = await archive.add("a-1.5")
    raw = archive.places.spool / "a-1.5-1.raw"
    day = archive.places.root / await archive.db.fetchval(
        "select to_char(started_at at time zone 'UTC', 'YYYY/MM/DD') from recordings"
    )
    make_recording(Job(str(raw), str(day), "a-1.5-1", ["opus"]))
    (day / ".a-1.5-1.opus.part").write_bytes(b"half")
    assert await archive.service().finish_pending() == 1
    assert await archive.state(id_) == "available"
    assert archive.files() == ["a-1.5-1.opus"]
    assert not raw.exists()


async def test_row_written_and_the_raw_file_still_there_is_no_second_recording(
    archive: Archive,
) -> None:
    id_ = await archive.made("a-1.5")
    (archive.places.spool / "a-1.5-1.raw").write_bytes(TALK)
    assert await archive.service().finish_pending() == 0
    assert await archive.state(id_) == "available"


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("format_", ["opus", "wav", "both"])
async def test_a_database_restored_from_before_it_finds_the_recording_again(
    archive: Archive, format_: str, encrypt: bool
) -> None:
    """The record is built again from the journal; the raw file is long gone."""
    await archive.settings(format=format_, encrypt=encrypt)
    id_ = await archive.made("a-1.5", days_ago=1)
    files = archive.files()
    columns = "state, format, path, bytes, wav_path, wav_bytes, data_key"
    known = f"select {columns}, round(seconds::numeric, 1) as seconds from recordings"
    before = await archive.db.fetch(known)
    await archive.settings(format="wav", encrypt=not encrypt)
    await archive.db.execute("delete from recording_figures")
    await archive.db.execute("delete from recording_outlines")
    await archive.db.execute(
        "update recordings set state = 'pending', format = null, path = '', bytes = null, "
        "wav_path = null, wav_bytes = null, data_key = null, seconds = null"
    )
    assert await archive.service().finish_pending() == 1
    assert await archive.db.fetch(known) == before
    assert archive.files() == files
    audio = await archive.library.open_audio(archive.scope, id_)
    assert audio.size > 100
    if audio.sealed is not None:
        audio.sealed.close()
    (figures,) = await archive.db.fetch("select * from recording_figures")
    assert figures["caller_talk_share"] == pytest.approx(0.5, abs=0.05)
    assert figures["called_first_word_seconds"] == pytest.approx(1.0, abs=0.05)
    assert await archive.db.fetchval("select count(*) from recording_outlines") == 1


async def test_a_found_recording_whose_key_is_lost_is_given_up_and_left_where_it_is(
    archive: Archive,
) -> None:
    """The older backup is from before the account had a key."""
    await archive.settings(format="opus", encrypt=True)
    id_ = await archive.made("a-1.5", "opus", days_ago=1)
    files = archive.files()
    await archive.db.execute("update recordings set state = 'pending', data_key = null")
    await archive.db.execute("delete from recording_keys")
    for _ in range(UNREADABLE_AFTER_FAILURES + 1):
        await archive.db.execute("update recordings set retry_at = null")
        assert await archive.service().finish_pending() == 0
    assert await archive.state(id_) == "missing"
    assert archive.files() == files
    assert await archive.db.fetchval("select count(*) from recording_keys") == 0
    (event,) = await archive.db.fetch("select data from outbox where kind = 'recording.failed'")
    assert "cannot be read" in event["data"]["reason"]


async def test_worker_that_is_killed_takes_nothing_along(archive: Archive, tmp_path: Path) -> None:
    raw = tmp_path / "long.raw"
    raw.write_bytes(TALK * 3000)
    job = Job(str(raw), str(tmp_path / "out"), "long", ["opus"])
    async with open_worker() as make:
        task = asyncio.create_task(make(job))
        while not _drafts(tmp_path):
            await asyncio.sleep(0.01)
        os.kill(_child(), signal.SIGKILL)
        with pytest.raises(WorkerGone):
            await task
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".long.opus.part"]
    assert (await archive.made("a-1.5")) > 0


def _drafts(directory: Path) -> list[Path]:
    return list(directory.glob("out/.*.part"))


def _child() -> int:
    """The process that makes recordings."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    (found,) = (
        int(c) for c in children if b"recordings.make" in Path(f"/proc/{c}/cmdline").read_bytes()
    )
    return found


async def test_full_disk_leaves_no_part_and_the_raw_file(archive: Archive, tmp_path: Path) -> None:
    """Files of the process that makes them may have 8 kB, as on a disk that has no more."""
    raw = tmp_path / "a.raw"
    raw.write_bytes(TALK)
    code = (
        "import resource, signal, sys\n"
        "from callctl.features.recordings.make import Job, make_recording\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n"
        "try:\n"
        f"    make_recording(Job({str(raw)!r}, {str(tmp_path / 'out')!r}, 'a', sys.argv[1:]))\n"
        "except OSError as error:\n"
        "    print('refused', error.errno)\n"
    )
    for formats in (["wav"], ["opus", "wav"]):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, *formats), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert out.startswith(b"refused"), formats
        assert list((tmp_path / "out").iterdir()) == []
    assert raw.read_bytes() == TALK


async def test_failure_is_tried_again_later_and_at_last_without_opus(archive: Archive) -> None:
    id_ = await archive.add("a-1.5", raw=None)
    raw = archive.places.spool / "a-1.5-1.raw"
    raw.mkdir()
    for failures in range(1, WAV_AFTER_FAILURES + 1):
        assert await archive.service().finish_pending() == 0
        row = await archive.db.fetchrow(
            "select failures, retry_at > now() as later from recordings"
        )
        assert (row["failures"], row["later"]) == (failures, True)
        assert await archive.service().finish_pending() == 0, "not yet"
        await archive.db.execute("update recordings set retry_at = null")
    raw.rmdir()
    raw.write_bytes(TALK)
    assert await archive.service().finish_pending() == 1
    assert await archive.state(id_) == "available"
    assert archive.files() == ["a-1.5-1.wav"]


def test_link_in_the_place_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "out/.a.wav.part").symlink_to(tmp_path / "secret")
    (tmp_path / "a.raw").write_bytes(TALK)
    with pytest.raises(OSError, match="symbolic links"):
        make_recording(Job(str(tmp_path / "a.raw"), str(tmp_path / "out"), "a", ["wav"]))
    assert (tmp_path / "secret").read_bytes() == b"secret"


@pytest.mark.parametrize("raw", [b"", b"\x01", array.array("h", [1, 2] * 7).tobytes()])
def test_recording_of_next_to_nothing_is_one(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.raw").write_bytes(raw)
    job = Job(str(tmp_path / "a.raw"), str(tmp_path), "a", ["opus", "wav"], MASTER.secret)
    made = make_recording(job)
    assert made.seconds == len(raw) // 4 / 8000
    for file in made.files:
        reader = open_sealed(tmp_path / file.name, MASTER.secret)
        assert reader.size == file.bytes
        reader.close()


async def test_several_at_a_time_make_each_recording_once(archive: Archive) -> None:
    ids = [await archive.add(f"a-1.{n}") for n in range(5)]
    await archive.add("b-1.1", raw=b"")
    service = RecordingService(archive.db, archive.places, archive.keys, workers=3)
    assert await service.finish_pending() == 6
    assert {await archive.state(id_) for id_ in ids} == {"available"}
    assert len(archive.files()) == 6
    assert await archive.db.fetchval("select count(*) from outbox") == 6
