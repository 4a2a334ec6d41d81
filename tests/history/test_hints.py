"""How calls look: defaults, the account's own rules, and the console's style sheet."""

import random
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import callctl.console
from callctl.console import words
from callctl.core.author import Author
from callctl.core.errors import CallctlError
from callctl.core.scope import CallScope
from callctl.features.calls import store
from callctl.features.calls.hints import (
    DEFAULTS,
    ColourName,
    DisplayHints,
    HintRule,
    HintService,
    IconName,
    find_hint,
)
from callctl.features.calls.model import CallFilters, CallSummary, NewNote

from .conftest import Desk
from .made_calls import as_stored, make_record

CSS = (Path(callctl.console.__file__).parent / "static/css/tokens.css").read_text()
BOSS = Author("boss")


@pytest.fixture
async def calls(desk: Desk) -> list[CallSummary]:
    chance = random.Random(3)
    made = [as_stored(make_record(chance), desk.account_id) for _ in range(150)]
    async with desk.db.transaction() as connection:
        await store.insert_calls(connection, made)
    page = await desk.service.list_calls(CallScope(desk.account_id), CallFilters(limit=500))
    return page.items


async def test_only_lost_incoming_calls_are_red_by_themselves(calls: list[CallSummary]) -> None:
    for call in calls:
        hint = find_hint(call, [])
        assert (hint.colour == "red") == (call.missed and call.disposition != "UNKNOWN")
    assert {find_hint(call, []).colour for call in calls} == {
        "red", "green", "amber", "purple", "grey",
    }  # fmt: skip


async def test_what_is_not_known_is_shown_as_unknown_and_never_as_missed(
    calls: list[CallSummary],
) -> None:
    unknown = [call for call in calls if call.disposition == "UNKNOWN"]
    assert any(call.direction == "inbound" for call in unknown)
    for call in unknown:
        (badge,) = words.outcome_badges(call, find_hint(call, []))
        assert (badge.text, badge.icon) == ("Unknown", "circle-help")


async def test_the_first_rule_that_fits_decides(calls: list[CallSummary]) -> None:
    rules = [
        HintRule("blue", "star", "inbound", "ANSWERED"),
        HintRule("purple", "flag", outcome="ANSWERED"),
        HintRule("grey", "phone", "outbound"),
    ]
    for call in calls:
        hint = find_hint(call, rules)
        if call.disposition == "ANSWERED":
            expected = "star" if call.direction == "inbound" else "flag"
        else:
            expected = "phone" if call.direction == "outbound" else find_hint(call, []).icon
        assert hint.icon == expected


async def test_rules_are_the_accounts_and_a_change_leaves_a_line(desk: Desk) -> None:
    hints = HintService(desk.db)
    assert (await hints.get(desk.account_id)).rules == []
    rule = HintRule("blue", "star", outcome="ANSWERED")
    saved = await hints.save(desk.account_id, DisplayHints([rule]), BOSS)
    assert saved == await hints.get(desk.account_id)
    assert (saved.rules, saved.defaults) == ([rule], list(DEFAULTS))
    await hints.save(desk.account_id, DisplayHints([rule]), BOSS)
    assert (await hints.get(desk.account_id + 1)).rules == []
    (row,) = await desk.db.fetch("select author, action, before, after from audit")
    assert (row["author"], row["action"]) == ("boss", "display_hints.changed")
    assert row["before"] == {"rules": []}
    assert row["after"]["rules"] == [msgspec.to_builtins(rule)]


async def test_a_rule_that_fits_nothing_is_refused(desk: Desk) -> None:
    rules = DisplayHints([HintRule("red", "alert", "outbound", "MISSED")])
    with pytest.raises(CallctlError) as refused:
        await HintService(desk.db).save(desk.account_id, rules, BOSS)
    assert refused.value.field == "body.rules[0].direction"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"rules": [{"colour": "#f00", "icon": "alert"}]}, DisplayHints)


async def test_a_row_has_its_latest_note_and_no_cost_yet(
    desk: Desk, calls: list[CallSummary]
) -> None:
    scope = CallScope(desk.account_id)
    one = calls[0].id
    for problem in ("first", "second"):
        await desk.service.add_note(
            scope, one, NewNote(problem, f"{problem} solved"), Author("anna")
        )
    page = await desk.service.list_calls(scope, CallFilters(limit=500))
    notes = {call.id: (call.problem, call.solution) for call in page.items}
    assert notes.pop(one) == ("second", "second solved")
    assert set(notes.values()) == {(None, None)}
    assert {(call.cost, call.currency) for call in page.items} == {(None, None)}
    assert (await desk.service.get_call(scope, one)).call.problem == "second"


def test_the_console_has_every_icon_and_every_colour() -> None:
    assert set(words.ICONS) == set(get_args(IconName))
    assert len(set(words.ICONS.values())) == len(words.ICONS)
    for colour in get_args(ColourName):
        assert f"\n.{colour} " in CSS


LIGHT, DARK, DARK_BY_SYSTEM = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", block))
    for block in re.findall(r':root(?:\[data-theme="(?:dark|auto)"\])? \{(.*?)\}', CSS, re.DOTALL)
)


def test_dark_is_the_same_whoever_asks_for_it() -> None:
    assert DARK == DARK_BY_SYSTEM != LIGHT


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    text = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    channels = [int(text[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    dark, light = sorted((_luminance(a), _luminance(b)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("colour", get_args(ColourName))
def test_rows_and_badges_of_each_colour_can_be_read(theme: dict[str, str], colour: str) -> None:
    """4.5 to 1, WCAG's AA for text of this size."""
    rule = re.search(rf"\n\.{colour} \{{(.*?)\}}", CSS)
    assert rule is not None
    tone = dict(re.findall(r"--([a-z-]+): var\(--([a-z-]+)\);", rule[1]))
    pairs = [(tone["tone"], tone["tone-ground"])]
    pairs += [(ink, tone["tone-row"]) for ink in ("ink", "dim", "accent")]
    for ink, ground in pairs:
        assert _contrast(theme[ink], theme[ground]) >= 4.5, (ink, ground)
