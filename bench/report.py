"""What a bench says: ratios, measured side by side, as lines of JSON; and the page made of them.

A bench is a package ``bench/<name>`` run by ``python -m bench.<name> [--quick] [--json FILE]``. It
measures ours and theirs in turns within one run (A B A B …), prints lines for people, and appends
`Ratio` and `Figure` to FILE. ``python -m bench`` runs all of them and writes docs/benchmarks.md.

Machines differ, and one machine differs from minute to minute: a ratio of two things measured in
the same minute is what lasts. So the ratio is taken round by round, and the median of the rounds
counts.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Ratio:
    """One line of the table.

    `ours` and `theirs` are medians over the rounds, in `unit`; `ratio` is the median of `rounds`,
    each of which is one round's ratio (of an absolute limit: of one round's value to the limit, and
    `theirs` is None). `target` is in words (``<= 2.0``), `met` None where there is none.
    """

    bench: str
    name: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float
    target: str
    met: bool | None
    rounds: list[float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """What a table of ratios cannot show (a curve, a growth): Markdown beneath its own title."""

    bench: str
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Options:
    """A bench's command line. `quick`: small sizes, for trying it out."""

    quick: bool
    json: Path | None


@dataclass(slots=True)
class Report:
    """Says each result to people at once, and writes it to the file of JSON lines."""

    bench: str
    options: Options
    said: list[Ratio | Figure] = field(default_factory=list)

    def compare(
        self,
        name: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> Ratio:
        """Ours ÷ theirs, round by round: both hold one value per round, in the same order."""
        ratio = compared(
            self.bench, name, ours, theirs, unit, at_most=at_most, at_least=at_least, note=note
        )
        self._say(ratio)
        return ratio

    def limit(
        self,
        name: str,
        ours: Sequence[float],
        unit: str,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
        note: str = "",
    ) -> Ratio:
        """A value against an absolute bound."""
        ratio = limited(self.bench, name, ours, unit, at_most=at_most, at_least=at_least, note=note)
        self._say(ratio)
        return ratio

    def value(self, name: str, ours: Sequence[float], unit: str, note: str = "") -> Ratio:
        """A value without a bound or a yardstick, to be known."""
        middle = statistics.median(ours)
        ratio = Ratio(self.bench, name, middle, None, unit, 1.0, "", None, list(ours), note)
        self._say(ratio)
        return ratio

    def figure(self, title: str, body: str) -> None:
        self._say(Figure(self.bench, title, body))

    def _say(self, said: Ratio | Figure) -> None:
        self.said.append(said)
        print(spoken(said), flush=True)
        if self.options.json is not None:
            with self.options.json.open("a", encoding="utf-8") as file:
                file.write(to_json(said) + "\n")


def open_report(bench: str, arguments: Sequence[str] | None = None) -> Report:
    """The report that a bench's command line asks for."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{bench}")
    parser.add_argument("--quick", action="store_true", help="small sizes, to try the bench out")
    parser.add_argument("--json", type=Path, help="append the results to this file")
    parsed = parser.parse_args(arguments)
    return Report(bench, Options(parsed.quick, parsed.json))


def compared(
    bench: str,
    name: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Ratio:
    """Raises ValueError when the rounds do not pair, or there is none."""
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{name}: {len(ours)} rounds of ours, {len(theirs)} of theirs")
    rounds = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(rounds)
    target, met = _judged(ratio, at_most, at_least)
    middle = (statistics.median(ours), statistics.median(theirs))
    return Ratio(bench, name, *middle, unit, ratio, target, met, rounds, note)


def limited(
    bench: str,
    name: str,
    ours: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Ratio:
    """Raises ValueError without a round, or without exactly one bound."""
    bound = at_least if at_most is None else at_most
    if not ours or bound is None or None not in (at_most, at_least):
        raise ValueError(f"{name}: needs a round and one bound")
    middle = statistics.median(ours)
    target, met = _judged(middle, at_most, at_least, unit)
    rounds = [value / bound for value in ours]
    return Ratio(bench, name, middle, None, unit, middle / bound, target, met, rounds, note)


def _judged(
    value: float, at_most: float | None, at_least: float | None, unit: str = ""
) -> tuple[str, bool | None]:
    suffix = f" {unit}" if unit else ""
    if at_most is not None:
        return f"≤ {at_most:g}{suffix}", value <= at_most
    if at_least is not None:
        return f"≥ {at_least:g}{suffix}", value >= at_least
    return "", None


# Lines of JSON


def to_json(said: Ratio | Figure) -> str:
    return json.dumps({"kind": type(said).__name__.lower(), **asdict(said)}, ensure_ascii=False)


def from_json(line: str) -> Ratio | Figure:
    """Raises ValueError, TypeError for a line that `to_json` did not write."""
    fields: dict[str, Any] = json.loads(line)
    kind = fields.pop("kind", "ratio")
    if kind == "ratio":
        return Ratio(**fields)
    if kind == "figure":
        return Figure(**fields)
    raise ValueError(f"no result of kind {kind!r}")


def read_results(lines: Iterable[str]) -> list[Ratio | Figure]:
    return [from_json(line) for line in lines if line.strip()]


# Words


def number(value: float) -> str:
    """Three digits that count: ``0.0123``, ``1.23``, ``12.3``, ``1,230``."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 1 or not size else f"{value:.3g}"


def spread(rounds: Sequence[float]) -> str:
    """The least and the greatest round."""
    return f"{number(min(rounds))} to {number(max(rounds))}"


def verdict(ratio: Ratio) -> str:
    """``met``, or by how much it is not; empty without a target."""
    if ratio.met is None:
        return ""
    if ratio.met:
        return "met"
    bound = float(ratio.target.split()[1].replace(",", ""))
    value = ratio.ours if ratio.theirs is None else ratio.ratio
    return f"**missed** by {abs(value / bound - 1):.0%}"


def spoken(said: Ratio | Figure) -> str:
    """A result in lines for a terminal."""
    if isinstance(said, Figure):
        return f"\n{said.bench}: {said.title}\n{said.body}\n"
    ours = f"{number(said.ours)} {said.unit}"
    if said.theirs is None:
        line = f"{said.bench}: {said.name}: {ours}"
    else:
        line = f"{said.bench}: {said.name}: {number(said.ratio)} = {ours} ÷ {number(said.theirs)}"
        line += f" ({spread(said.rounds)})"
    if said.target:
        line += f", target {said.target}: {verdict(said).replace('*', '')}"
    return f"{line}\n    {said.note}" if said.note else line
