"""SIPp as the outside world: phones that answer, a carrier that brings calls."""

import contextlib
import csv
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.routing import did_number, extension_number, extension_secret

SCENARIOS = Path(__file__).with_name("scenarios")
CARRIER = "127.0.11.21"
PHONES = "127.0.11.31"
SPARE_SECONDS = 40.0
"""How long calls may take beyond their plan before the load counts as stuck."""


class LoadError(RuntimeError):
    """SIPp could not run at all; refused or lost calls are a result, no error."""


@dataclass(frozen=True, slots=True)
class Load:
    """What the carrier saw.

    Milliseconds: `ringing_ms` from INVITE to 180, by SIPp's own clock, which ticks every few;
    `exact_ms` the same by its trace of messages (microseconds), for loads that ask for it.
    """

    wanted: int
    succeeded: int
    failed: int
    retransmissions: int
    seconds: float
    ringing_ms: Sequence[float]
    exact_ms: Sequence[float]

    @property
    def per_second(self) -> float:
        return self.succeeded / self.seconds

    @property
    def clean(self) -> bool:
        """Every call went through."""
        return self.failed == 0 and self.succeeded == self.wanted


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


@dataclass(slots=True)
class Sipp:
    """Starts `sipp` on `cores` in `directory`, where its files stay."""

    directory: Path
    cores: frozenset[int]

    @contextlib.contextmanager
    def phones(self, ring_ms: int = 1) -> Iterator[None]:
        """All phones, at one address."""
        scenario = self._scenario("phones", {"ring_ms": str(ring_ms)}, self.directory)
        command = [*_command(scenario, PHONES), "-p", "5060", "-deadcall_wait", "0"]
        process = self._start(command)
        try:
            time.sleep(0.3)
            if process.poll() is not None:
                raise LoadError(f"the phones ended at once\n{self._said()}")
            yield
        finally:
            process.kill()
            process.wait()

    def register(self, server: str, extensions: int) -> None:
        """Every extension is at the phones' address for an hour. To be done before they listen:
        Asterisk takes the address that a registration comes from."""
        rows = [
            f"{extension_number(i)};[authentication username={extension_number(i)} "
            f"password={extension_secret(i)}]"
            for i in range(extensions)
        ]
        load = self._run(
            "register", server, PHONES, rows, extensions, ["-p", "5060", "-r", "200", "-l", "50"],
            {}, extensions / 200,
        )  # fmt: skip
        if not load.clean:
            raise LoadError(f"{load.succeeded} of {extensions} phones registered\n{self._said()}")

    def steady(
        self, server: str, dids: int, rate: float, calls: int, talk_ms: int, *, exact: bool = False
    ) -> Load:
        """`calls` at `rate` a second, whatever becomes of the earlier ones."""
        # SIPp takes whole numbers: so many calls per 10 s.
        options = ["-r", str(round(rate * 10)), "-rp", "10000", "-l", "3000"]
        if exact:
            options.append("-trace_shortmsg")
        return self._calls(server, dids, calls, talk_ms, options, calls / rate)

    def saturating(self, server: str, dids: int, users: int, calls: int, talk_ms: int) -> Load:
        """`calls`, always `users` of them at a time: as many a second as the server bears."""
        # The bound supposes no server so slow that it bears less than 20 calls a second.
        options = ["-users", str(users)]
        return self._calls(server, dids, calls, talk_ms, options, calls / 20)

    def _calls(
        self, server: str, dids: int, calls: int, talk_ms: int, options: list[str], seconds: float
    ) -> Load:
        rows = [f"{did_number(i)};{i:07}" for i in range(dids)]
        values = {"talk_ms": str(talk_ms)}
        # The last call begins after `seconds`, and talks.
        seconds += talk_ms / 1000
        return self._run("caller", server, CARRIER, rows, calls, options, values, seconds)

    def _run(
        self,
        name: str,
        server: str,
        address: str,
        rows: Sequence[str],
        calls: int,
        options: Sequence[str],
        values: Mapping[str, str],
        seconds: float,
    ) -> Load:
        with tempfile.TemporaryDirectory(dir=self.directory) as made:
            place = Path(made)
            data, stat = place / "rows.csv", place / "stat.csv"
            data.write_text("\n".join(["SEQUENTIAL", *rows]) + "\n")
            # SIPp writes its list of response times beside its scenario.
            scenario = self._scenario(name, values, place)
            command = [*_command(scenario, address), *options]
            command += ["-m", str(calls), "-inf", str(data)]
            command += [
                "-trace_stat",
                "-stf",
                str(stat),
                "-fd",
                "1",
                "-trace_rtt",
                "-rtt_freq",
                "1",
            ]
            limit = seconds + SPARE_SECONDS
            # SIPp's own limit ends calls that nobody answers any more, and then it reports.
            command += ["-timeout", f"{limit:.0f}s", "-recv_timeout", "10000", server]
            process = self._start(command, place)
            try:
                process.wait(limit + 20)
            except subprocess.TimeoutExpired:
                raise LoadError(f"sipp did not end in {limit + 20:.0f} s") from None
            finally:
                process.kill()
                process.wait()
            # 0: all calls went well; 1: some failed; 97: the time was up.
            if process.returncode not in (0, 1, 97) or not stat.exists():
                raise LoadError(f"sipp ended with {process.returncode}\n{self._said()}")
            return read_load(calls, stat, place)

    def _scenario(self, name: str, values: Mapping[str, str], place: Path) -> Path:
        text = (SCENARIOS / f"{name}.xml").read_text(encoding="utf-8")
        for word, value in values.items():
            text = text.replace("{{" + word + "}}", value)
        path = place / f"{name}.xml"
        path.write_text(text, encoding="utf-8")
        return path

    def _start(
        self, command: Sequence[str], place: Path | None = None
    ) -> "subprocess.Popen[bytes]":
        with (self.directory / "sipp.out").open("wb") as out:
            return subprocess.Popen(
                command,
                cwd=place or self.directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cores),
            )

    def _said(self) -> str:
        return (self.directory / "sipp.out").read_text(errors="replace")[-2000:]


def _command(scenario: Path, address: str) -> list[str]:
    command = ["sipp", "-sf", str(scenario), "-i", address, "-bind_local", "-mi", address]
    return [*command, "-ci", address, "-timer_resol", "1", "-nostdin", "-f", "3600"]


def read_load(wanted: int, stat: Path, place: Path) -> Load:
    """From SIPp's statistics (the last line counts) and its lists of times and messages."""
    with stat.open(newline="") as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    ringing: list[float] = []
    for path in place.glob("*_rtt.csv"):
        with path.open(newline="") as file:
            rows = (row for row in csv.reader(file, delimiter=";") if len(row) == 3)
            ringing += [float(row[1]) for row in rows if row[2].strip() == "1"]
    exact = [ms for path in place.glob("*_shortmessages.log") for ms in exact_times(path)]
    return Load(
        wanted=wanted,
        succeeded=int(last["SuccessfulCall(C)"]),
        failed=int(last["FailedCall(C)"]),
        retransmissions=int(last["Retransmissions(C)"]),
        seconds=_epoch(last["CurrentTime"]) - _epoch(last["StartTime"]),
        ringing_ms=ringing,
        exact_ms=exact,
    )


def exact_times(log: Path) -> list[float]:
    """Milliseconds from each call's first INVITE to its 180, from SIPp's short trace."""
    invited: dict[str, float] = {}
    times: dict[str, float] = {}
    for line in log.read_text(errors="replace").splitlines():
        # Date, time, epoch, S or R, Call-ID, CSeq, first line.
        fields = line.split("\t")
        if len(fields) < 7:
            continue
        epoch, way, call, first = float(fields[2]), fields[3], fields[4], fields[6]
        if way == "S" and first.startswith("INVITE "):
            invited.setdefault(call, epoch)
        elif way == "R" and " 180 " in first and call in invited:
            times.setdefault(call, (epoch - invited[call]) * 1000)
    return list(times.values())


def _epoch(text: str) -> float:
    """``2026-01-31<tab>12:00:00.123456<tab>1769860800.123456``."""
    return float(text.split("\t")[-1])
