"""``callctl journal``: a contract, so tried as the program it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from callctl.cli.journal import mask_rows

CALLS = Path(__file__).parent.parent / "calls"


def callctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callctl", *map(str, arguments)]
    # No settings, no state directory, no database: journal build needs none of them.
    return subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": ""})


def test_build_prints_one_object_per_call_in_order_of_start() -> None:
    done = callctl(
        "journal", "build", CALLS / "two_at_once.csv",
        "--inventory", CALLS / "two_at_once.inventory.json",
    )  # fmt: skip
    calls = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert len(calls) == 2
    assert [c["started_at"] for c in calls] == sorted(c["started_at"] for c in calls)
    assert {"call_id", "linkedids", "direction", "attempts", "legs", "completeness"} <= set(
        calls[0]
    )


def test_times_have_microseconds() -> None:
    done = callctl("journal", "build", CALLS / "answered.csv")
    call = json.loads(done.stdout)
    assert f"{call['started_at']:.6f}" in (CALLS / "answered.csv").read_text()
    waited = call["answered_at"] - call["started_at"]
    assert call["wait_seconds"] == pytest.approx(waited, abs=1e-6)


def test_damage_is_told_with_its_place_and_the_exit_code(tmp_path: Path) -> None:
    rows = (CALLS / "answered.csv").read_bytes().splitlines(keepends=True)
    file = tmp_path / "journal.csv"
    file.write_bytes(rows[0] + rows[1][:150] + b"\n" + b"".join(rows[2:]))
    done = callctl("journal", "build", file)
    assert done.returncode == 1
    assert f"byte {len(rows[0])}" in done.stderr
    assert json.loads(done.stdout)["completeness"] == "repaired"


def test_an_empty_journal_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "journal.csv"
    file.touch()
    done = callctl("journal", "build", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"trunk": []}', "unknown field"),
        ('{"trunks": "a"}', "Expected `array`"),
        ("nonsense", "invalid"),
    ],
)
def test_a_wrong_inventory_is_one_line_that_says_what(
    tmp_path: Path, text: str, words: str
) -> None:
    inventory = tmp_path / "inv.json"
    inventory.write_text(text)
    done = callctl("journal", "build", CALLS / "answered.csv", "--inventory", inventory)
    assert done.returncode == 2
    assert words in done.stderr
    assert "inv.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    done = callctl("journal", "build", tmp_path / "none.csv")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_capture_keeps_the_call_and_hides_the_people(tmp_path: Path) -> None:
    first = json.loads(
        callctl("journal", "build", CALLS / "two_at_once.csv").stdout.splitlines()[0]
    )
    done = callctl(
        "journal", "capture", CALLS / "two_at_once.csv", first["call_id"],
        "--name", "mine", "--to", tmp_path,
        "--inventory", CALLS / "two_at_once.inventory.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "mine.csv").read_text()
    assert first["from_number"] not in text
    again = json.loads(callctl("journal", "build", tmp_path / "mine.csv").stdout)
    assert again["call_id"] == first["call_id"]
    assert [a["result"] for a in again["attempts"]] == [a["result"] for a in first["attempts"]]


def test_masking_keeps_equal_numbers_equal() -> None:
    row = b'1,"A","1700000000.000001","Bob","+36201234567","+36201234567","06301112222","x"\n'
    masked = mask_rows([row]).split(b'","')
    assert masked[3] == masked[4] != b"+36201234567"
    assert masked[2] == b"Caller"
    assert len(masked[5]) == len(b"06301112222")
