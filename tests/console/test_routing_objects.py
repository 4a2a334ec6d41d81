"""Objects of the routing as the pages carry them."""

from typing import Any

import pytest

from callctl.console.routing_objects import KINDS, made_upon


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
