"""The arithmetic of the benches' reports, and the page that is made of them."""

from pathlib import Path
from typing import Any

import pytest

from bench.page import Run, render_page
from bench.report import (
    Figure,
    Ratio,
    compared,
    from_json,
    limited,
    number,
    open_report,
    read_results,
    to_json,
    verdict,
)

MACHINE = {"Processor": "a good one, 2 cores"}


def test_the_ratio_is_the_median_of_the_rounds_not_the_ratio_of_the_medians() -> None:
    ratio = compared("b", "n", [2, 9, 30], [1, 3, 20], "ms")
    assert ratio.rounds == [2, 3, 1.5]
    assert ratio.ratio == 2
    assert (ratio.ours, ratio.theirs) == (9, 3)
    assert ratio.met is None


@pytest.mark.parametrize(
    ("bounds", "met", "said"),
    [
        ({"at_most": 2.0}, True, "met"),
        ({"at_most": 1.6}, False, "**missed** by 25%"),
        ({"at_least": 2.0}, True, "met"),
        ({"at_least": 4.0}, False, "**missed** by 50%"),
    ],
)
def test_a_bound_is_judged_and_a_miss_says_by_how_much(
    bounds: dict[str, Any], met: bool, said: str
) -> None:
    ratio = compared("b", "n", [2], [1], "ms", **bounds)
    assert ratio.met is met
    assert verdict(ratio) == said


def test_a_limit_is_judged_by_the_value_itself() -> None:
    assert limited("b", "n", [90, 150, 100], "MB", at_most=120).met is True
    missed = limited("b", "n", [150.0], "MB", at_most=120)
    assert (missed.met, missed.ratio) == (False, 1.25)
    assert verdict(missed) == "**missed** by 25%"
    assert verdict(limited("b", "n", [1500.0], "calls/s", at_least=3000)) == "**missed** by 50%"


def test_rounds_that_do_not_pair_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rounds of ours, 1 of theirs"):
        compared("b", "n", [1, 2], [1], "ms")
    with pytest.raises(ValueError, match="one bound"):
        limited("b", "n", [1], "MB")


def test_results_survive_their_json() -> None:
    said: list[Ratio | Figure] = [
        compared("b", "n", [1.5], [3], "µs", at_most=2.0, note="why"),
        Figure("b", "t", "x\ny"),
    ]
    assert read_results(to_json(s) + "\n" for s in said) == said
    with pytest.raises(ValueError, match="no result of kind"):
        from_json('{"kind": "other"}')


def test_a_bench_appends_what_it_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "b.jsonl"
    report = open_report("b", ["--quick", "--json", str(file)])
    assert report.options.quick
    report.compare("first", [1], [2], "ms", at_most=1.0)
    report.limit("second", [5], "MB", at_most=4.0)
    report.figure("third", "text")
    results = read_results(file.read_text().splitlines())
    assert results == report.said
    assert "second: 5.00 MB, target ≤ 4 MB: missed by 25%" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (0.01234, "0.0123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1,234")],
)
def test_three_digits_count(value: float, text: str) -> None:
    assert number(value) == text


def test_the_page_names_what_is_missed_and_what_was_not_measured() -> None:
    slow = Ratio("one", "slow", 3, 1, "ms", 3, "≤ 2", False, [3], "because")
    run = Run("one", "2026-01-01 10:00 UTC", "abc", [slow, Figure("one", "Curve", "| a |")])
    page = render_page(MACHINE, {"one": "First", "two": "Second"}, [run])
    assert "0 of 1 targets are met." in page
    assert "- slow: 3.00, target ≤ 2, **missed** by 50%. because" in page
    assert "### Curve" in page
    assert "Not measured: `bench/two` has no result yet." in page
