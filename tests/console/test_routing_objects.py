"""Objects of the routing as the pages carry them."""

from typing import Any

import pytest

from callctl.console.forms import Form
from callctl.console.routing_objects import KINDS, made_upon, object_of
from callctl.core.errors import CallctlError


@pytest.mark.parametrize(
    ("field", "base", "ours", "present", "made"),
    [
        (
            "extensions",
            {"number": "1", "name": "Ada"},
            {"number": "1", "name": "Bea", "ring_seconds": 25},
            {"number": "1", "name": "Ada", "dnd": True},
            {"number": "1", "name": "Bea", "dnd": True},
        ),
        (
            "expectations",
            {"name": "e", "from": "101", "to": "102", "then": ["ring 102"]},
            {"name": "e", "from": "103", "to": "102", "then": ["ring 102"]},
            {"name": "e", "from": "101", "to": "102", "then": ["ring 102"], "at": "now"},
            {"name": "e", "from": "103", "to": "102", "then": ["ring 102"], "at": "now"},
        ),
    ],
    ids=["what a form fills in is no change", "a field that is no name in Python"],
)
def test_what_we_changed_goes_upon_what_somebody_else_changed(
    field: str, base: Any, ours: Any, present: Any, made: Any
) -> None:
    assert made_upon(KINDS[field], ours, base, present) == made


def bomb(levels: int) -> str:
    """A few hundred characters that stand for 10 ** `levels` values."""
    lines = ["name: x", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (bomb(7), "line"),
        ("a: " + "[" * 20_000, "line"),
        ("name: [", "not YAML"),
        ("day: 2026-13-01", "month"),
        ("port: " + "9" * 5_000, "digits"),
        ("x" * 100_001, "100000 at most"),
    ],
    ids=["aliases", "depth", "open bracket", "no date", "no number", "too long"],
)
def test_an_object_as_text_that_cannot_be_read_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(CallctlError, match=said) as refused:
        object_of(KINDS["trunks"], Form([("text", text)]), {})
    assert refused.value.code == "invalid_field"
