"""The embedded PostgreSQL: owners, guests, and a server whose owner was killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from callctl.db.embedded import EmbeddedPostgres, EmbeddedPostgresError


async def _answers(url: str) -> bool:
    try:
        connection = await asyncpg.connect(url, timeout=5)
    except OSError:
        return False
    await connection.close()
    return True


async def test_data_survives_a_restart(state_dir: Path) -> None:
    server = EmbeddedPostgres.start(state_dir, durable=False)
    connection = await asyncpg.connect(server.url)
    await connection.execute("create table kept as select 7 as value")
    await connection.close()
    server.stop()
    assert not await _answers(server.url)

    server = EmbeddedPostgres.start(state_dir, durable=False)
    connection = await asyncpg.connect(server.url)
    assert await connection.fetchval("select value from kept") == 7
    await connection.close()
    server.stop()


async def test_a_guest_does_not_stop_the_owners_server(state_dir: Path) -> None:
    owner = EmbeddedPostgres.start(state_dir, durable=False)
    guest = EmbeddedPostgres.start(state_dir)
    guest.stop()
    assert await _answers(owner.url)
    owner.stop()
    assert not await _answers(owner.url)


async def test_a_server_whose_owner_was_killed_is_taken_over(state_dir: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path;"
        "from callctl.db.embedded import EmbeddedPostgres;"
        "EmbeddedPostgres.start(Path(sys.argv[1]), durable=False);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(state_dir))
    assert await killed.wait() == -signal.SIGKILL
    pid = int((state_dir / "postgres/postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, 0)

    server = EmbeddedPostgres.start(state_dir)
    assert int((state_dir / "postgres/postmaster.pid").read_text().splitlines()[0]) == pid
    assert await _answers(server.url)
    server.stop()
    assert not await _answers(server.url)


async def test_a_server_that_was_killed_is_followed_once_all_of_it_has_ended(
    state_dir: Path,
) -> None:
    killed = EmbeddedPostgres.start(state_dir, durable=False)
    connection = await asyncpg.connect(killed.url)
    backend = await connection.fetchval("select pg_backend_pid()")
    os.kill(backend, signal.SIGSTOP)
    os.kill(int((state_dir / "postgres/postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    killed.stop()

    start = asyncio.create_task(asyncio.to_thread(EmbeddedPostgres.start, state_dir, durable=False))
    async with asyncio.timeout(30):
        while b"still in use" not in (state_dir / "postgres.log").read_bytes():
            await asyncio.sleep(0.05)
    assert not start.done()
    os.kill(backend, signal.SIGCONT)
    server = await start
    assert await _answers(server.url)
    server.stop()
    connection.terminate()


async def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    server = EmbeddedPostgres.start(tmp_path / ("x" * 120), durable=False)
    assert await _answers(server.url)
    server.stop()


def test_only_this_user_reaches_the_directory(postgres: EmbeddedPostgres) -> None:
    assert postgres._directory.stat().st_mode & 0o77 == 0


def test_data_of_another_major_version_is_refused(state_dir: Path) -> None:
    (state_dir / "postgres").mkdir()
    (state_dir / "postgres/PG_VERSION").write_text("16\n")
    with pytest.raises(EmbeddedPostgresError, match="made by version 16"):
        EmbeddedPostgres.start(state_dir)
