"""What the benches measure with: SIPp's files, /proc, the curve, the C server's wire."""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from bench.__main__ import read_runs, run_bench
from bench.calls.curve import Point, draw_curve, knee
from bench.calls.load import exact_times, percentile, read_load
from bench.fastagi.__main__ import build_epoll_server, server
from bench.fastagi.client import ask, environment
from bench.fastagi.servers import TableInMemory
from bench.processes import cpu_seconds, memory_mb, scheduled_seconds, split_cores, tree
from bench.report import Ratio
from bench.routing import did_number
from callctl.asterisk.fastagi import parse_call, parse_environment

STAT = """\
StartTime;LastResetTime;CurrentTime;SuccessfulCall(C);FailedCall(C);Retransmissions(C);
2026-11-22\t18:00:00.000000\t1000.000000;x;2026-11-22\t18:00:01.000000\t1001.000000;1;0;0;
2026-11-22\t18:00:00.000000\t1000.000000;x;2026-11-22\t18:00:02.500000\t1002.500000;3;1;4;
"""
MESSAGES = """\
2026-11-22\t18:00:00\t10.000100\tS\t1-7@h\tCSeq:1 INVITE\tINVITE sip:1@h SIP/2.0
2026-11-22\t18:00:00\t10.000300\tR\t1-7@h\tCSeq:1 INVITE\tSIP/2.0 100 Trying
2026-11-22\t18:00:00\t10.500000\tS\t1-7@h\tCSeq:1 INVITE\tINVITE sip:1@h SIP/2.0
2026-11-22\t18:00:00\t10.502600\tR\t1-7@h\tCSeq:1 INVITE\tSIP/2.0 180 Ringing
2026-11-22\t18:00:00\t10.900000\tR\t1-7@h\tCSeq:1 INVITE\tSIP/2.0 180 Ringing
"""


def test_a_load_is_read_from_the_last_line_of_its_statistics(tmp_path: Path) -> None:
    (tmp_path / "stat.csv").write_text(STAT)
    (tmp_path / "caller_1_rtt.csv").write_text("Date_ms;response_time_ms;rtd_no\n1;8.0;1\n2;4;2\n")
    load = read_load(5, tmp_path / "stat.csv", tmp_path)
    assert (load.succeeded, load.failed, load.retransmissions, load.seconds) == (3, 1, 4, 2.5)
    assert list(load.ringing_ms) == [8.0]
    assert not load.clean
    assert load.per_second == pytest.approx(1.2)


def test_the_delay_counts_from_the_first_invite_to_the_first_ringing(tmp_path: Path) -> None:
    log = tmp_path / "caller_1_shortmessages.log"
    log.write_text(MESSAGES)
    assert exact_times(log) == [pytest.approx(502.5)]


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.5) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([7.0], 0.99) == 7


def test_the_knee_is_the_last_step_before_the_first_failure() -> None:
    good, bad = Point(10, 10, 1.0, 0, 4, 8), Point(20, 20, 1.0, 3, 40, 900)
    assert knee([good, bad, Point(30, 30, 1.0, 0, 4, 8)]) == 10
    assert knee([bad]) == 0
    table = draw_curve([good, bad], [good])
    assert "| 20 | callctl | 100.0% | 3 | 40 ms | 900 ms |" in table


def test_time_on_the_cpu_of_a_tree_is_counted() -> None:
    before = cpu_seconds(os.getpid()), scheduled_seconds(os.getpid())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert cpu_seconds(os.getpid()) - before[0] >= 0.05
    assert scheduled_seconds(os.getpid()) - before[1] >= 0.05
    assert os.getpid() in list(tree(os.getppid()))
    assert memory_mb(os.getpid()) > 5
    measured, load = split_cores()
    assert measured
    assert load


def test_the_tables_numbers_are_routed() -> None:
    snapshot = asyncio.run(TableInMemory(3, 5).get_snapshot())
    assert [d.number for d in snapshot.accounts[0].document.dids][-1] == did_number(4)
    assert len(snapshot.credentials) == 3


def test_the_client_asks_as_asterisk_does_and_the_yardstick_answers(tmp_path: Path) -> None:
    call = parse_call(parse_environment(b"".join(environment(7))[:-2]))
    assert (call.verb, call.endpoint, call.dialled) == ("route", "carrier", did_number(7))
    with server(build_epoll_server(tmp_path), frozenset(os.sched_getaffinity(0))) as (port, _):
        assert ask("127.0.11.1", port, 1) > 0


def test_a_bench_that_cannot_run_leaves_the_last_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Ratio("fastagi", "n", 1, 2, "ms", 0.5, "", None, [0.5])
    head = '{"date": "d", "commit": "c"}'
    line = '{"kind": "ratio", "bench": "fastagi", "name": "n", "ours": 1, "theirs": 2, '
    line += '"unit": "ms", "ratio": 0.5, "target": "", "met": null, "rounds": [0.5], "note": ""}'
    (tmp_path / "fastagi.jsonl").write_text(f"{head}\n{line}\n")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert run_bench("fastagi", tmp_path, quick=True) is False
    (run,) = read_runs(tmp_path)
    assert list(run.results) == [kept]
