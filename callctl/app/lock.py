"""One daemon per Asterisk."""

import fcntl
import os
from pathlib import Path
from typing import IO


class AlreadyRunning(Exception):
    """Another daemon serves the same Asterisk."""


def take_lock(state_dir: Path, systemname: str) -> IO[str]:
    """One daemon per Asterisk. Raises AlreadyRunning with the other's process id."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / f"{systemname}.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "?"
        lock.close()
        raise AlreadyRunning(
            f"a callctl for {systemname!r} runs already (process {owner})"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock
