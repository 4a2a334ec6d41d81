"""Real calls of this Asterisk: the record must say what the phones saw."""

import json
from pathlib import Path
from typing import Any

import pytest

from callctl.core.calls.render import record_as_json
from callctl.features.calls.offline import build_journal, load_inventory

HERE = Path(__file__).parent
NAMES = sorted(p.name.removesuffix(".truth.json") for p in HERE.glob("*.truth.json"))
ROUGH_SECONDS = 0.4
"""How far a phone's clock readings and Asterisk's may lie apart."""


@pytest.mark.parametrize("name", NAMES)
def test_the_record_says_what_the_phones_saw(name: str) -> None:
    truth = json.loads((HERE / f"{name}.truth.json").read_text())
    inventory = load_inventory(HERE / f"{name}.inventory.json")
    read = build_journal(HERE / f"{name}.csv", inventory)
    records = [record_as_json(r) for r in read.records]
    assert len(records) == len(truth["calls"]), [r["call_id"] for r in records]
    for record, expected in zip(records, truth["calls"], strict=True):
        assert_agrees(record, dict(expected))


def assert_agrees(record: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.pop("rough", {}).items():
        assert record[key] == pytest.approx(value, abs=ROUGH_SECONDS), key
    attempts = expected.pop("attempts", None)
    if attempts is not None:
        claimed = [{k: a[k] for k in e} for a, e in zip(record["attempts"], attempts, strict=False)]
        assert claimed == attempts
        assert len(record["attempts"]) == len(attempts), record["attempts"]
    assert {k: record[k] for k in expected} == expected


def test_there_are_fixtures() -> None:
    assert len(NAMES) >= 20
