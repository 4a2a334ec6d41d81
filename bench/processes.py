"""CPU time and memory of processes and of all below them (Linux, /proc)."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> Iterator[int]:
    """`pid` and every process below it. One that ends meanwhile is left out."""
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [c for t in tasks for c in (t / "children").read_text().split()]
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def cpu_seconds(*roots: int) -> float:
    """User and system time of these trees, with that of their children that have ended."""
    return sum(_cpu_ticks(pid) for root in roots for pid in tree(root)) / _TICKS


def _cpu_ticks(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The name in parentheses may hold blanks; utime, stime, cutime, cstime are fields 14 to 17.
    fields = text.rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def memory_mb(pid: int, kind: str = "Rss") -> float:
    """Resident memory in MB (10^6 bytes): ``Rss``, or ``Pss``, which counts shared pages by
    their share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == kind:
            return int(rest.split()[0]) * 1024 / 1e6
    raise ValueError(f"no {kind} of process {pid}")


def scheduled_seconds(pid: int) -> float:
    """Time on the CPU of one process's living threads, to the nanosecond (schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def split_cores() -> tuple[frozenset[int], frozenset[int]]:
    """(for what is measured, for the load): halves of the cores; the same one if there is one."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        return frozenset(cores), frozenset(cores)
    middle = len(cores) // 2
    return frozenset(cores[:middle]), frozenset(cores[middle:])


def allow_cores(cores: frozenset[int], *roots: int) -> None:
    """All threads of these trees may run on `cores`, and those that they will start."""
    for pid in (pid for root in roots for pid in tree(root)):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), cores)
