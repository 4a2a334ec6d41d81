"""All benches, one after the other, and the page made of what they say: ``make bench``.

Each bench is a process of its own. The exit code is 1 when one could not run, and 0 when all ran,
whatever they measured: a missed target stands in the table, with its reason.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bench.machine import ROOT, describe_machine, describe_run
from bench.page import Run, render_page
from bench.report import read_results

TITLES = {
    "calls": "Calls: throughput, CPU per call, post-dial delay",
    "fastagi": "FastAGI: the one question per call",
    "memory": "Memory",
    "journal": "The journal: building and reading it",
    "store": "The store: lists and searches over millions of calls",
    "growth": "The store: four times as many calls",
    "console": "The console: pages over millions of calls",
}
RESULTS = ROOT / ".callctl" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
LIMIT_SECONDS = 3 * 3600


def run_bench(bench: str, directory: Path, quick: bool) -> bool:
    """Whether it ran to its end; then its results are in `directory`."""
    print(f"\n== {TITLES[bench]} (bench/{bench})", flush=True)
    draft = directory / f"{bench}.jsonl.new"
    draft.write_text(json.dumps(describe_run()) + "\n")
    command = [sys.executable, "-m", f"bench.{bench}", "--json", str(draft)]
    try:
        done = subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            cwd=ROOT,
            timeout=LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print(f"bench/{bench} did not end in {LIMIT_SECONDS} s", file=sys.stderr)
        return False
    if done.returncode != 0:
        print(f"bench/{bench} could not run (exit {done.returncode})", file=sys.stderr)
        return False
    draft.replace(directory / f"{bench}.jsonl")
    return True


def read_runs(directory: Path) -> list[Run]:
    """The last run of each bench, whenever that was."""
    runs = []
    for bench in TITLES:
        path = directory / f"{bench}.jsonl"
        if path.is_file():
            head, *lines = path.read_text(encoding="utf-8").splitlines()
            runs.append(Run(bench, **json.loads(head), results=read_results(lines)))
    return runs


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; the page stays as it is")
    parser.add_argument("--only", nargs="+", choices=tuple(TITLES), default=list(TITLES))
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    directory = RESULTS / "quick" if options.quick else RESULTS
    directory.mkdir(parents=True, exist_ok=True)
    benches = [] if options.page_only else options.only
    failed = [b for b in benches if not run_bench(b, directory, options.quick)]
    page = directory / "benchmarks.md" if options.quick else PAGE
    page.write_text(render_page(describe_machine(), TITLES, read_runs(directory)), encoding="utf-8")
    print(f"\n{page.relative_to(ROOT)} is written")
    if failed:
        print(f"could not run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
