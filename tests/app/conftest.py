"""The daemon in this process, without an Asterisk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callctl.app import Daemon
from callctl.asterisk.runtime import free_port
from callctl.config import load_settings
from callctl.db.pool import Database


@pytest.fixture
async def running(db: Database, database_url: str, state_dir: Path) -> AsyncIterator[Daemon]:
    settings = load_settings(
        {
            "CALLCTL_STATE_DIR": str(state_dir),
            "CALLCTL_HTTP_PORT": "0",
            "CALLCTL_AGI_PORT": "0",
            "CALLCTL_AMI_PORT": str(free_port("127.0.0.1")),
            "CALLCTL_JOURNAL_PATH": str(state_dir / "journal.csv"),
            "CALLCTL_RECORDINGS_SPOOL": str(state_dir / "spool"),
            "CALLCTL_ASTERISK_GENERATED_DIR": str(state_dir / "generated"),
        }
    )
    async with Daemon(settings, db, database_url) as daemon:
        async with asyncio.timeout(20):
            await daemon.ready.wait()
        yield daemon
