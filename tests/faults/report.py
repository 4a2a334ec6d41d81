"""The table of a run, as the page docs/faults.md."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.faults.faults import FAULTS, SECONDS, Fault
from tests.faults.judge import Verdict

PAGE_HEAD = """\
# Faults

What happens to calls and their records when something breaks: `make faults` places steady real SIP
traffic (5 calls a second: answered at once, no answer then the next phone, busy then the next,
nobody answers, inside the house, out by a carrier whose first choice is dead), strikes, and then
holds every call that was placed against the records. The truth is what the simulated phones' wires
showed. `make test` has a short form of it.

* **placed**: calls that a caller placed. **not let in**: those that Asterisk never made a channel
  of, because it was down or going down; nobody but the caller can know of them.
* **routed**: calls that rang the right phones in the right order, the first of them within 3 s
  (1 s where the daemon is alive), of those that were not on their way while Asterisk itself was
  struck or did not know yet which carrier is dead. **first ring**: from the INVITE to the first
  phone's, the median and the worst.
* **taped**: the journal of the first row's calls is damaged, and read by a daemon with a fresh
  database; no call is placed for it.
* **records**: how many there are afterwards, and what they say of themselves. A call that is
  `repaired` or `truncated` says so; `GET /api/v1/calls?completeness=truncated` finds it.
* **differences**: calls without a record, with two, or with one that says something else than the
  wires (who was tried, in what order, how each ended, who answered, how long it took, what was
  recorded), and whatever else was promised and did not hold.
"""

PAGE_TAIL = """\
## What is not promised

* Asterisk writes its journal from memory, a few milliseconds behind. What it had not written yet
  when it was killed is lost: the last row of a call, or a call that was not yet a moment old.
* A journal that is truncated without a copy loses what was not read yet, a tenth of a second as a
  rule; the calls concerned are `repaired` or `truncated`.
* Whoever keeps a FastAGI connection open and says half a line to it, keeps Asterisk's own AGI code
  busy until the connection closes; its two-second limit does not come to its turn. The daemon
  writes a line whole or not at all, and a dead process' connections are closed by the system.
* Asterisk tells ring times by the wall clock: a call that rings while the clock is put back rings
  on until its caller leaves.
* For seconds after its start Asterisk does not know which carriers are dead, and rings the first
  one in vain for the route's `ring_seconds`.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one fault; `skipped` says why it was not tried."""

    fault: Fault
    verdict: Verdict | None
    seconds: float = 0.0
    skipped: str = ""


def render_page(rows: Sequence[Row], run: Mapping[str, str], machine: Mapping[str, str]) -> str:
    """The whole page."""
    about = [
        f"Run of {run['date']}, commit {run['commit']}, {SECONDS:g} s of traffic each, on:",
        "",
    ]
    about += [f"* {name}: {value}" for name, value in machine.items()]
    return (
        "\n".join(
            [
                PAGE_HEAD,
                f"## {_head(rows)}",
                "",
                *_table(rows),
                "",
                *about,
                "",
                *_list_differences(rows),
                PAGE_TAIL,
            ]
        ).rstrip()
        + "\n"
    )


def _head(rows: Sequence[Row]) -> str:
    """The result in one line."""
    done = [row.verdict for row in rows if row.verdict is not None]
    live = [row.verdict for row in rows if row.verdict is not None and not row.fault.taped]
    calls, records = sum(v.placed for v in live), sum(v.records for v in done)
    routed, routable = sum(v.routed for v in live), sum(v.routable for v in live)
    wrong = sum(len(v.differences) for v in done)
    text = (
        f"{len(done)} rows, {calls} calls placed, {records} records judged: {wrong} differences, "
        f"{routed} of {routable} routed right"
    )
    skipped = len(rows) - len(done)
    return text + (f"; {skipped} faults not tried" if skipped else "")


def _table(rows: Sequence[Row]) -> list[str]:
    columns = (
        *("what strikes", "placed", "not let in", "routed", "first ring"),
        *("records", "differences", "remarks"),
    )
    lines = [_line(columns), _line(["---"] * len(columns))]
    group = ""
    for row in rows:
        name = row.fault.name
        if row.fault.group != group:
            group = row.fault.group
            name = f"**{group}**: {name}"
        lines.append(_line((name, *_cells(row))))
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    verdict = row.verdict
    if verdict is None:
        return ("–", "–", "–", "–", "–", "–", f"not tried: {row.skipped}")
    if row.fault.taped:
        way = ("taped", "–", "–", "–")
    else:
        way = (
            str(verdict.placed),
            str(verdict.placed - verdict.let_in),
            f"{verdict.routed} of {verdict.routable}",
            _first_ring(verdict.ring_seconds),
        )
    return (
        *way,
        f"{verdict.records}: {_completeness(verdict)}",
        str(len(verdict.differences)),
        _remarks(verdict),
    )


def _remarks(verdict: Verdict) -> str:
    lost = f"{verdict.unwritten} younger than 0.1 s had no row yet" if verdict.unwritten else ""
    return "; ".join(text for text in (verdict.note, lost) if text)


def _first_ring(seconds: Sequence[float]) -> str:
    if not seconds:
        return "–"
    return f"{1000 * statistics.median(seconds):.0f}, {1000 * max(seconds):.0f} ms"


def _completeness(verdict: Verdict) -> str:
    return ", ".join(f"{n} {word}" for word, n in sorted(verdict.completeness.items()))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list_differences(rows: Sequence[Row]) -> list[str]:
    lines = [
        f"* {row.fault.group}, {row.fault.name}: {text}"
        for row in rows
        if row.verdict is not None
        for text in row.verdict.differences
    ]
    return ["## Differences", "", *lines, ""] if lines else []


def wanted(names: Sequence[str]) -> list[Fault]:
    """Faults whose group and name hold one of `names`; all without any."""
    return [
        fault
        for fault in FAULTS
        if not names or any(n.lower() in f"{fault.group}: {fault.name}".lower() for n in names)
    ]
