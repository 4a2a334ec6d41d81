"""``callctl recordings``: the master key, made and changed; words of a recording."""

import asyncio
import json
from pathlib import Path

import pytest

from callctl.core.errors import CallctlError
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.recordings.keys import Keyring, read_master_key
from callctl.features.recordings.library import RecordingLibrary
from tests.cli.test_commands import callctl
from tests.recordings.conftest import TALK, Archive


class Installation:
    """A state directory with a database, and recordings of its first account."""

    def __init__(self, url: str, state: Path) -> None:
        self.url = url
        self.state = state
        self.key_file = state / "recordings.key"

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        done = await asyncio.to_thread(
            callctl,
            *("recordings", *arguments),
            CALLCTL_DATABASE_URL=self.url,
            CALLCTL_STATE_DIR=str(self.state),
        )
        assert "Traceback" not in done.stderr
        return done.returncode, done.stdout, done.stderr

    async def archive(self, db: Database) -> Archive:
        """With the keys that are there now."""
        account_id = (await AccessService(AccessStore(db)).bootstrap()).account_id
        archive = Archive(db, account_id, self.state)
        archive.keys = Keyring(db, lambda: read_master_key("", self.key_file))
        archive.library = RecordingLibrary(db, archive.places.root, archive.keys)
        return archive


@pytest.fixture
def installation(database_url: str, tmp_path: Path) -> Installation:
    return Installation(database_url, tmp_path)


async def test_key_is_made_used_and_changed_and_the_recording_is_heard_all_along(
    installation: Installation, db: Database
) -> None:
    code, out, _ = await installation.run("make-key")
    assert code == 0
    secret = installation.key_file.read_text().strip()
    assert secret not in out
    code, _, err = await installation.run("make-key")
    assert (code, "is there already" in err) == (2, True)

    archive = await installation.archive(db)
    await archive.settings(encrypt=True)
    id_ = await archive.made("a-1.1", "opus")
    assert archive.files() == ["a-1.1-1.opus.sealed"]

    code, out, err = await installation.run("rotate-key")
    assert code == 0, err
    assert installation.key_file.read_text().strip() != secret
    assert installation.key_file.with_name("recordings.key.old").read_text().strip() == secret
    archive = await installation.archive(db)
    audio = await archive.library.open_audio(archive.scope, id_)
    assert audio.sealed is not None
    assert b"".join(audio.sealed.read(0, 3)) == b"OggS"
    audio.sealed.close()

    installation.key_file.unlink()
    archive = await installation.archive(db)
    with pytest.raises(CallctlError, match="recording_key_unavailable"):
        await archive.library.open_audio(archive.scope, id_)
    code, _, err = await installation.run("rotate-key")
    assert (code, "there is no master key" in err) == (3, True)


async def test_words_are_printed_and_the_access_is_on_record(
    installation: Installation, db: Database
) -> None:
    archive = await installation.archive(db)
    id_ = await archive.made("a-1.1", raw=TALK)
    code, out, err = await installation.run("transcribe", str(id_), "--json")
    assert code == 0, err
    assert isinstance(json.loads(out), list)
    detail = await archive.library.get_recording(archive.actor, id_)
    assert detail.transcript is not None
    assert detail.transcript.engine == "pocketsphinx en-us"
    assert await db.fetchval("select action from audit") == "recording.transcribed"
    rows = await db.fetch("select actor, recording from recording_accesses")
    assert [(r["actor"], r["recording"]) for r in rows] == [("command line", id_)]
    code, _, err = await installation.run("transcribe", "999")
    assert (code, "there is no recording 999" in err) == (2, True)
