"""CPU per FastAGI request of several servers, measured side by side in one run.

``python -m bench.fastagi.run [requests per turn]``. Only the ratios mean something: machines
differ, and one machine differs from minute to minute. The environment's lines are written one by
one, as Asterisk does. What is counted is the server process's time on the CPU, all threads.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ADDRESS = "127.0.0.1"
ROUNDS = 5
CLIENTS = 4
ENVIRONMENT = {
    "agi_network": "yes",
    "agi_network_script": "route",
    "agi_request": "agi://127.0.0.1:4573/route",
    "agi_channel": "PJSIP/trunk-a-0000001f",
    "agi_language": "en",
    "agi_type": "PJSIP",
    "agi_uniqueid": "callctl-1795359121.7",
    "agi_version": "22.10.1",
    "agi_callerid": "+36301234567",
    "agi_calleridname": "Someone",
    "agi_callingpres": "0",
    "agi_callingani2": "0",
    "agi_callington": "0",
    "agi_callingtns": "0",
    "agi_dnid": "+3612345678",
    "agi_rdnis": "unknown",
    "agi_context": "callctl-ask",
    "agi_extension": "s",
    "agi_priority": "4",
    "agi_enhanced": "0.0",
    "agi_accountcode": "",
    "agi_threadid": "140245061002944",
    "agi_arg_1": "+3612345678",
}
LINES = [f"{name}: {value}\n".encode() for name, value in ENVIRONMENT.items()] + [b"\n"]


def ask(port: int) -> None:
    with socket.create_connection((ADDRESS, port), 5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for line in LINES:
            connection.sendall(line)
        answer = connection.recv(9000)
        if not answer.startswith(b"SET VARIABLE CALLCTL_PLAN "):
            raise RuntimeError(f"the server answered {answer!r}")
        connection.sendall(b"200 result=1\n")
        if connection.recv(100):
            raise RuntimeError("the server did not close")


def cpu_seconds(pid: int) -> float:
    """Time on the CPU of all threads (Linux, schedstat: nanoseconds)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wait_until_up(port: int) -> None:
    for _ in range(500):
        try:
            ask(port)
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError("the server did not come up")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


def build_epoll_server(directory: Path) -> list[str]:
    program = directory / "epoll_server"
    source = str(HERE / "epoll_server.c")
    subprocess.run(["cc", "-O2", "-o", str(program), source], check=True)
    return [str(program)]


def measure(port: int, pid: int, requests: int) -> float:
    before = cpu_seconds(pid)
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(ask, [port] * requests))
    return (cpu_seconds(pid) - before) / requests * 1e6


def main(arguments: Sequence[str]) -> int:
    requests = int(arguments[0]) if arguments else 3000
    python = [sys.executable, "-m", "bench.fastagi.servers"]
    with tempfile.TemporaryDirectory() as directory:
        commands = {
            "C, epoll": build_epoll_server(Path(directory)),
            "bare, uvloop": [*python, "bare", "uvloop"],
            "ours, uvloop": [*python, "ours", "uvloop"],
            "ours, asyncio": [*python, "ours", "asyncio"],
            "streams, uvloop": [*python, "streams", "uvloop"],
            "panoramisk, uvloop": [*python, "panoramisk", "uvloop"],
            "panoramisk, asyncio": [*python, "panoramisk", "asyncio"],
        }
        running: dict[str, tuple[int, subprocess.Popen[bytes]]] = {}
        results: dict[str, list[float]] = {name: [] for name in commands}
        try:
            for name, command in commands.items():
                port = free_port()
                running[name] = (port, subprocess.Popen([*command, ADDRESS, str(port)]))
                wait_until_up(port)
            for _ in range(ROUNDS):
                for name, (port, process) in running.items():
                    results[name].append(measure(port, process.pid, requests))
        finally:
            for _, process in running.values():
                process.terminate()
                process.wait()
    base = statistics.median(results["C, epoll"])
    for name, values in results.items():
        middle = statistics.median(values)
        print(f"{name:20} {middle:6.0f} µs/request  {middle / base:5.2f} x C")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
