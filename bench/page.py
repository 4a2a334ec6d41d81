"""docs/benchmarks.md from the results: nothing in it is written by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.report import Figure, Ratio, number, spread, verdict


@dataclass(frozen=True, slots=True)
class Run:
    """One bench's run: when, of what state of the code, and what it said."""

    bench: str
    date: str
    commit: str
    results: Sequence[Ratio | Figure]

    @property
    def ratios(self) -> list[Ratio]:
        return [r for r in self.results if isinstance(r, Ratio)]


def render_page(machine: Mapping[str, str], titles: Mapping[str, str], runs: Sequence[Run]) -> str:
    """The page. `titles` by bench, in the order of the page; a bench without a run is named."""
    by_bench = {run.bench: run for run in runs}
    lines = [
        "# Benchmarks",
        "",
        "<!-- Made by `make bench`; change bench/, not this page. -->",
        "",
        "Ours against a yardstick, measured in turns within one run, each by its script in",
        "`bench/`. A ratio is the median of the rounds' ratios; in brackets the least and the",
        "greatest round. Absolute numbers are this machine's and this hour's; only ratios travel.",
        "`make bench BENCH_ARGS=--quick` tries all of it in small sizes,",
        "`make bench BENCH_ARGS='--only calls'` measures one bench anew.",
        "",
        "| Machine | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in machine.items()),
        "",
        *_heads(by_bench, titles),
    ]
    for bench, title in titles.items():
        lines += ["", f"## {title}", ""]
        run = by_bench.get(bench)
        if run is None:
            lines.append(f"Not measured: `bench/{bench}` has no result yet.")
        else:
            lines += _section(run)
    return "\n".join(lines) + "\n"


def _heads(runs: Mapping[str, Run], titles: Mapping[str, str]) -> list[str]:
    judged = [r for bench in titles if bench in runs for r in runs[bench].ratios if r.target]
    met = sum(bool(r.met) for r in judged)
    lines = [f"{met} of {len(judged)} targets are met."]
    missed = [r for r in judged if not r.met]
    if missed:
        lines += ["", "Missed:", ""]
        lines += [
            f"- {r.name}: {_value(r)}, target {r.target}, {verdict(r)}. {r.note}".rstrip()
            for r in missed
        ]
    return lines


def _section(run: Run) -> list[str]:
    lines = [
        f"`python -m bench.{run.bench}`, {run.date}, commit {run.commit}.",
        "",
        "| What | Ours | Yardstick | Ratio | Target | |",
        "|---|---:|---:|---:|---|---|",
    ]
    for ratio in run.ratios:
        theirs = "" if ratio.theirs is None else f"{number(ratio.theirs)} {ratio.unit}"
        factor = "" if ratio.theirs is None else f"**{number(ratio.ratio)}**"
        if factor and len(ratio.rounds) > 1:
            factor += f" ({spread(ratio.rounds)})"
        ours = f"{number(ratio.ours)} {ratio.unit}"
        lines.append(
            f"| {ratio.name} | {ours} | {theirs} | {factor} | {ratio.target} | {verdict(ratio)} |"
        )
    notes = [r for r in run.ratios if r.note]
    if notes:
        lines += ["", *(f"- {r.name}: {r.note}" for r in notes)]
    for figure in (r for r in run.results if isinstance(r, Figure)):
        lines += ["", f"### {figure.title}", "", figure.body.rstrip()]
    return lines


def _value(ratio: Ratio) -> str:
    return f"{number(ratio.ours)} {ratio.unit}" if ratio.theirs is None else number(ratio.ratio)
