"""Values of the routing as people read them."""

from typing import Any

import msgspec
import pytest

from callctl.console.routing_words import (
    FIELDS,
    RECORD_POLICIES,
    STRATEGIES,
    field_in_words,
    in_words,
    kind_in_words,
    refusal_in_words,
)
from callctl.core.routing.model import RecordPolicy, RingStrategy
from callctl.features.routing.objects import KINDS, Kind


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("members", ["101", "102", "106"], "101 → 102 → 106"),
        ("members", ["101", {"extension": "102", "paused": True}], "101 → 102 (paused)"),
        (
            "patterns",
            ["+44X", {"match": "0X", "strip": 1, "prepend": ""}],
            "+44X, 0X (digits cut off 1)",
        ),
        ("to", ["hunt_group:sales", "hangup:busy"], "hunt group sales → hang up: busy"),
        ("to", "extension:101", "extension 101"),
        ("callers", [{"match": "+44", "to": ["extension:1"]}], "+44 (goes to extension 1)"),
        (
            "holidays",
            [{"day": "2026-12-25", "name": "Christmas", "yearly": True}],
            "2026-12-25 (Christmas, every year)",
        ),
        ("strategy", "round_robin", "one after the other, starting with the next"),
        ("weekly", ["mon-fri 08:00-17:00"], "mon-fri 08:00-17:00"),
        ("reason", "number:5 is a nuisance", "number:5 is a nuisance"),
        ("forward_busy", ["number:+36301234567"], "number +36301234567"),
        ("dnd", True, "yes"),
        ("enabled", False, "no"),
        ("ring_seconds", 0, "0"),
        ("schedule", None, "–"),
        ("then", [], "–"),
    ],
)
def test_a_value_is_said_in_words(field: str, value: Any, said: str) -> None:
    assert in_words(field, value) == said


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (None, "refused"),
        ("rejected", "refused"),
        ("busy", "refused: busy"),
        ("unallocated", "refused: no such number"),
        ("34", "refused: 34"),
    ],
)
def test_a_rule_says_what_becomes_of_its_caller(cause: str | None, said: str) -> None:
    assert refusal_in_words(cause) == said


def test_kinds_and_strategies_have_their_words() -> None:
    assert kind_in_words("hunt_groups") == "hunt group"
    assert kind_in_words("of_a_newer_version") == "of a newer version"
    assert set(STRATEGIES) == set(RingStrategy)
    assert set(RECORD_POLICIES) == set(RecordPolicy)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.field for kind in KINDS])
def test_every_field_of_an_object_has_its_word(kind: Kind) -> None:
    fields = {field.encode_name for field in msgspec.structs.fields(kind.struct)}
    assert fields - set(FIELDS) == set()
    assert field_in_words("of_a_newer_version") == "of a newer version"
