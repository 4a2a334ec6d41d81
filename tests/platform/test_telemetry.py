"""Logs hold no person's number; metrics are declared once."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.telemetry.log import configure_logging, get_logger, mask_number, mask_numbers
from callctl.telemetry.memory import release_memory
from callctl.telemetry.metrics import REGISTRY, render_metrics


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is written to standard error, as JSON lines."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    configure_logging("info", "json")
    yield stream
    root.handlers[:], root.level = before


def test_numbers_are_masked_wherever_they_stand(lines: io.StringIO) -> None:
    get_logger("t").info(
        "call_stored",
        from_number="+36123456789",
        to="0612345678",
        extension="101",
        note="asked for +36123456789",
        parties=[{"number": "0612345678"}],
    )
    line = json.loads(lines.getvalue())
    assert line["event"] == "call_stored"
    assert line["from_number"] == "+36****89"
    assert line["to"] == "061****78"
    assert line["extension"] == "101"
    assert line["note"] == "asked for +36****89"
    assert line["parties"] == [{"number": "061****78"}]


def test_a_callers_name_cannot_forge_a_line() -> None:
    event = mask_numbers(None, "info", {"event": "call", "name": "Bob\n2026 [info] paid\x1b[2J"})
    assert event["name"] == r"Bob\n2026 [info] paid\x1b[2J"


def test_libraries_log_in_the_same_form(lines: io.StringIO) -> None:
    logging.getLogger("somebody").warning("dialled %s", "+36123456789")
    line = json.loads(lines.getvalue())
    assert (line["event"], line["level"]) == ("dialled +36****89", "warning")


def test_an_exception_is_logged_without_the_values_of_variables(lines: io.StringIO) -> None:
    def fail(password: str) -> None:
        raise RuntimeError("broken")

    secret = "".join(("hun", "ter2"))
    try:
        fail(secret)
    except RuntimeError:
        get_logger("t").exception("failed")
    line = json.loads(lines.getvalue())
    assert "RuntimeError: broken" in line["exception"]
    assert "hunter2" not in line["exception"]


@given(st.from_regex(r"\+[1-9][0-9]{7,14}", fullmatch=True))
def test_no_middle_of_a_number_survives(number: str) -> None:
    event = mask_numbers(None, "info", {"event": f"x {number} y", "caller": number})
    assert number not in str(event)
    assert mask_number(number).count("*") == 4


def test_every_metric_is_ours_and_explained() -> None:
    for family in REGISTRY.collect():
        assert family.name.startswith("callctl_")
        assert family.documentation
    assert render_metrics()


def test_memory_that_was_freed_goes_back_to_the_system() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    large = [bytes(1000) for _ in range(100_000)]
    # Something in use at the heap's end keeps the allocator from giving it back by itself.
    keep = bytes(1000)
    before = resident()
    del large
    release_memory()
    assert (before - resident()) * 4096 > 50_000_000
    assert keep
