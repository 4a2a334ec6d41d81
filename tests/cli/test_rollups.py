"""``callctl journal rollups``: the sums of reports, held against a recount."""

import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg


def rollups(database_url: str, state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callctl", "journal", "rollups", *arguments]
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")}
    env |= {"CALLCTL_DATABASE_URL": database_url, "CALLCTL_STATE_DIR": str(state)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


async def test_a_wrong_sum_is_named_and_made_right(database_url: str, tmp_path: Path) -> None:
    assert rollups(database_url, tmp_path, "verify").returncode == 0
    connection = await asyncpg.connect(database_url)
    account = await connection.fetchval(
        "insert into accounts (code, name, kind) values ('lab', 'Lab', 'operator') returning id"
    )
    await connection.execute(
        "insert into rollup_days values ($1, '2026-03-29', 'inbound', "
        "1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        account,
    )
    await connection.close()
    told = rollups(database_url, tmp_path, "verify")
    assert told.returncode == 1
    assert f"rollup_days ({account}, 2026-03-29, inbound): 1 kept, 0 counted" in told.stdout
    as_json = json.loads(rollups(database_url, tmp_path, "verify", "--json").stdout)
    assert [d["table"] for d in as_json] == ["rollup_days"]
    assert rollups(database_url, tmp_path, "rebuild").returncode == 0
    assert rollups(database_url, tmp_path, "verify").returncode == 0
