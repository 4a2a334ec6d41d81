"""The master key and what it wraps: made by chance, changed without touching a recording."""

import base64
import os
from pathlib import Path

import pytest

from callctl.core.author import COMMAND_LINE
from callctl.core.errors import CallctlError
from callctl.core.master_key import MasterKey
from callctl.features.recordings.keys import make_master_key, read_master_key, rewrap_keys
from callctl.features.recordings.model import RecordingSettings
from tests.recordings.conftest import MASTER, Archive

OTHER = MasterKey(b"o" * 32)


async def _hear(archive: Archive, id_: int) -> bytes:
    audio = await archive.library.open_audio(archive.scope, id_)
    assert audio.sealed is not None
    try:
        return b"".join(audio.sealed.read(0, audio.size - 1))
    finally:
        audio.sealed.close()


async def test_new_master_key_opens_what_the_old_one_did(archive: Archive) -> None:
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.1")
    before = await _hear(archive, id_)
    assert await rewrap_keys(archive.db, MASTER, OTHER, COMMAND_LINE) == 1
    archive.restart(OTHER)
    assert await _hear(archive, id_) == before
    await archive.made("a-1.2")
    archive.restart(MASTER)
    with pytest.raises(CallctlError, match="recording_key_unavailable") as refused:
        await _hear(archive, id_)
    assert OTHER.name in refused.value.message
    assert MASTER.name in refused.value.message


async def test_interrupted_change_of_keys_is_done_again(archive: Archive) -> None:
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.1")
    await rewrap_keys(archive.db, MASTER, OTHER, COMMAND_LINE)
    assert await rewrap_keys(archive.db, MASTER, OTHER, COMMAND_LINE) == 1
    (line,) = await archive.db.fetch("select author, action, before, after from audit")
    assert tuple(line) == (
        "command line", "recording_key.rewrapped", {"master": MASTER.name}, {"master": OTHER.name},
    )  # fmt: skip
    archive.restart(OTHER)
    await _hear(archive, id_)


async def test_wrong_old_key_changes_nothing(archive: Archive) -> None:
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.1")
    with pytest.raises(CallctlError, match="recording_key_unavailable"):
        await rewrap_keys(archive.db, OTHER, MasterKey(b"n" * 32), COMMAND_LINE)
    archive.restart(MASTER)
    await _hear(archive, id_)


async def test_wrapped_key_of_another_account_or_a_changed_one_opens_nothing(
    archive: Archive,
) -> None:
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.1")
    await archive.db.execute("update recording_keys set wrapped = set_byte(wrapped, 20, 0)")
    archive.restart(MASTER)
    with pytest.raises(CallctlError, match="damaged"):
        await _hear(archive, id_)


async def test_nothing_is_encrypted_without_a_master_key(archive: Archive) -> None:
    archive.restart(None)
    with pytest.raises(CallctlError, match="conflict"):
        await archive.library.save_settings(archive.actor, RecordingSettings(encrypt=True))
    assert await archive.db.fetchval("select count(*) from recording_settings") == 0


def test_key_file_is_made_once_by_chance_and_for_its_owner(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        first = make_master_key(tmp_path / "a")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert read_master_key("", tmp_path / "a") == first
    assert make_master_key(tmp_path / "b") != first
    with pytest.raises(FileExistsError):
        make_master_key(tmp_path / "a")
    assert read_master_key("", tmp_path / "a") == first
    text = base64.b64encode(first.secret).decode()
    assert read_master_key(text, tmp_path / "nowhere") == first
    assert text not in repr(first)


@pytest.mark.parametrize("text", ["", "x", "AAAA", "=" * 44, "ä" * 44])
def test_what_is_no_key_is_refused_without_being_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text, encoding="utf-8")
    with pytest.raises(CallctlError, match="recording_key_unavailable") as refused:
        read_master_key("", tmp_path / "key")
    assert "bytes in base64" in refused.value.message or "codec" in refused.value.message
    with pytest.raises(CallctlError, match="not there"):
        read_master_key("", tmp_path / "none")
