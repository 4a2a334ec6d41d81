"""What the figures were measured on."""

import os
import platform
import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from callctl.asterisk.program import find_asterisk
from callctl.db.embedded import find_programs

ROOT = Path(__file__).resolve().parent.parent


def describe_machine() -> dict[str, str]:
    """Processor, memory, kernel and the versions of what was measured."""
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": f"{_memory_gib():.0f} GiB",
        "System": f"{_system()}, Linux {platform.release()}",
        "Asterisk": _or_none(lambda: find_asterisk(os.environ).version),
        "PostgreSQL": _or_none(_postgresql),
        "SIPp": _or_none(_sipp),
        "Python": platform.python_version(),
    }


def describe_run() -> dict[str, str]:
    """When, and of which state of the code."""
    return {"date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "commit": _or_none(_commit)}


def _or_none(read: Callable[[], str]) -> str:
    """A version that cannot be found out must not cost an hour's measurements."""
    try:
        return read()
    except Exception as error:
        return f"unknown ({type(error).__name__})"


def _processor() -> str:
    text = Path("/proc/cpuinfo").read_text()
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")


def _postgresql() -> str:
    return _first_number([str(find_programs() / "postgres"), "--version"])


def _sipp() -> str:
    return _first_number(["sipp", "-v"])


def _first_number(command: list[str]) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r"v?(\d+\.\d+[\w.]*)", answer.stdout + answer.stderr)
    return found[1] if found else "unknown"


def _commit() -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(ROOT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
