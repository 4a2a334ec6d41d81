"""docs/api.md: its examples are run, one after the other, against a daemon with calls."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callctl.app import Daemon
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.db.pool import Database
from tests.events.conftest import eventually, rows_now

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCKS = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 90.0


@pytest.fixture
async def daemon(db: Database, database_url: str, state_dir: Path) -> AsyncIterator[Daemon]:
    settings = load_settings(
        {
            "CALLCTL_STATE_DIR": str(state_dir),
            "CALLCTL_HTTP_PORT": "0",
            "CALLCTL_AGI_PORT": "0",
            "CALLCTL_AMI_PORT": str(free_port("127.0.0.1")),
            "CALLCTL_JOURNAL_PATH": str(state_dir / "journal.csv"),
            "CALLCTL_RECORDINGS_SPOOL": str(state_dir / "spool"),
            "CALLCTL_ASTERISK_GENERATED_DIR": str(state_dir / "generated"),
            "CALLCTL_JOURNAL_GRACE_SECONDS": "0",
        }
    )
    async with Daemon(settings, db, database_url) as daemon:
        async with asyncio.timeout(20):
            await daemon.ready.wait()
        for name, ago in (("answered", 600), ("missed_by_all", 300)):
            with (state_dir / "journal.csv").open("ab") as journal:
                journal.write(b"".join(rows_now(name, seconds_ago=ago)))

        async def stored() -> bool:
            return await db.fetchval("select count(*) from outbox where kind = 'call.ended'") == 2

        await eventually(stored, "the calls are stored")
        await record(daemon, db)
        yield daemon


async def record(daemon: Daemon, db: Database) -> None:
    """A recording of the answered call, as if Asterisk had made one."""
    path = daemon.settings.recordings_dir / "made.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"RIFF")
    await db.execute(
        """
        with c as (update calls set has_recording = true where disposition = 'ANSWERED'
                   returning id, account_id, started_at)
        insert into recordings (call, account_id, file, started_at, state, format, path, seconds,
            bytes)
        select id, account_id, 'made.wav', started_at, 'available', 'wav', 'made.wav', 1, 4 from c
        """
    )


async def test_the_examples_of_the_guide_work(
    daemon: Daemon, database_url: str, tmp_path: Path
) -> None:
    blocks = BLOCKS.findall(GUIDE.read_text())
    assert len(blocks) > 8
    script = ["set -euo pipefail"]
    for number, (language, text) in enumerate(blocks):
        if language == "python":
            (tmp_path / f"example_{number}.py").write_text(text)
            script.append(f"export TOKEN; python example_{number}.py")
        else:
            script.append(text)
    bin_dir = Path(sys.executable).parent
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")} | {
        "PATH": f"{bin_dir}:{os.environ['PATH']}",
        "URL": f"http://127.0.0.1:{daemon.http_port}",
        "SECRET": "whsec_x",
        "CALLCTL_STATE_DIR": str(daemon.settings.state_dir),
        "CALLCTL_DATABASE_URL": database_url,
        "PYTHONWARNINGS": "error",
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", "\n".join(script), cwd=tmp_path, env=env,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    said = output.decode()
    assert process.returncode == 0, said
    assert saved(tmp_path) == [b"RIFF"]
    assert "event: call.ended" in said
    assert '"problem":"No dial tone"' in said
    assert '"events":3' in said


def saved(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.glob("*.wav")]
