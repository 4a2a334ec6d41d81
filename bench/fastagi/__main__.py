"""CPU and latency of one FastAGI request, beside the least that a server can do (in C).

Target 4: CPU per request ≤ 2.0 × C with the full routing table, p50 at 500/s ≤ 1.5 × C. The
servers take turns within each round; the server has a core of its own, and the client another.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.fastagi.client import ask
from bench.fastagi.servers import DIDS, EXTENSIONS
from bench.processes import scheduled_seconds, split_cores
from bench.report import open_report

HERE = Path(__file__).resolve().parent
ADDRESS = "127.0.11.1"
RATE = 500
START_SECONDS = 120.0


@contextlib.contextmanager
def server(command: Sequence[str], cores: frozenset[int]) -> Iterator[tuple[int, int]]:
    """(its port, its process id) once it answers."""
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen(
        [*command, ADDRESS, str(port)], preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    try:
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                ask(ADDRESS, port, 0)
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"{command}: the server did not come up") from None
                time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def build_epoll_server(directory: Path) -> list[str]:
    program = directory / "epoll_server"
    subprocess.run(
        ["cc", "-O2", "-o", str(program), str(HERE / "epoll_server.c")], check=True, timeout=120
    )
    return [str(program)]


def load(port: int, rate: float, requests: int, cores: frozenset[int]) -> list[float]:
    """Times of the answers in microseconds."""
    client = [sys.executable, "-m", "bench.fastagi.client"]
    done = subprocess.run(
        [*client, ADDRESS, str(port), str(rate), str(requests)],
        check=True,
        capture_output=True,
        timeout=300,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    times: list[float] = json.loads(done.stdout)
    return times


def main() -> int:
    report = open_report("fastagi")
    rounds, requests = (2, 500) if report.options.quick else (7, 4000)
    ours_cores, client_cores = split_cores()
    python = [sys.executable, "-m", "bench.fastagi.servers"]
    cpu: dict[str, list[float]] = {"ours": [], "bare": [], "C": []}
    p50: dict[str, list[float]] = {"ours": [], "bare": [], "C": []}
    with contextlib.ExitStack() as life:
        directory = Path(life.enter_context(tempfile.TemporaryDirectory()))
        commands = {
            "ours": [*python, "ours"],
            "bare": [*python, "bare"],
            "C": build_epoll_server(directory),
        }
        running = {n: life.enter_context(server(c, ours_cores)) for n, c in commands.items()}
        for _ in range(rounds):
            for name, (port, pid) in running.items():
                before = scheduled_seconds(pid)
                load(port, 0, requests, client_cores)
                cpu[name].append((scheduled_seconds(pid) - before) / requests * 1e6)
            for name, (port, _) in running.items():
                p50[name].append(statistics.median(load(port, RATE, requests // 2, client_cores)))
    table = f"{DIDS:,} DIDs, {EXTENSIONS:,} extensions"
    report.compare(
        f"CPU per request, {table}", cpu["ours"], cpu["C"], "µs", at_most=2.0,
        note="Header lines come one by one; the C server checks nothing and decides nothing.",
    )  # fmt: skip
    report.compare(
        f"Time to the answer at {RATE}/s, p50", p50["ours"], p50["C"], "µs", at_most=1.5,
        note="From the environment's last line to the plan.",
    )  # fmt: skip
    report.compare(
        "CPU per request of the bare Protocol on uvloop, Python's floor",
        cpu["bare"], cpu["C"], "µs", note="No check, no limit, no plan: for comparison only.",
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
