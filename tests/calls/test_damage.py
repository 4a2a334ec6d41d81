"""What a damaged journal may and may not do to records: real calls, every way of damage."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from callctl.asterisk.journal import Poison
from callctl.core.calls.build import build_call
from callctl.core.calls.events import CelEvent
from callctl.core.calls.grouping import CallGroups
from callctl.core.calls.inventory import Inventory
from callctl.core.calls.record import CallRecord, Completeness
from callctl.features.calls.offline import load_inventory, read_events

HERE = Path(__file__).parent
NAMES = sorted(p.name.removesuffix(".truth.json") for p in HERE.glob("*.truth.json"))
WHOLE = [n for n in NAMES if not n.startswith(("killed", "cut", "hostile"))]

TOLD_BY_ITS_FELLOWS = {
    *("CHAN_START", "CHAN_END", "HANGUP", "BRIDGE_ENTER", "BRIDGE_EXIT"),
    *("CALLCTL_TRY", "CALLCTL_ATTEMPT"),
}
"""Rows of which Asterisk and the dialplan never write the one without the other."""


def rows_of(name: str) -> list[CelEvent]:
    return [e for e in read_events(HERE / f"{name}.csv") if not isinstance(e, Poison)]


def inventory_of(name: str) -> Inventory:
    return load_inventory(HERE / f"{name}.inventory.json")


def records(rows: list[CelEvent], inventory: Inventory) -> list[CallRecord]:
    """As the file would be read if it held `rows` in this order."""
    groups = CallGroups()
    for position, event in enumerate(rows):
        groups.add(event._replace(position=position))
    built = [build_call(groups.events(root), inventory) for root in groups.roots()]
    return sorted((r for r in built if r is not None), key=lambda r: r.call_id)


def facts(found: list[CallRecord]) -> list[CallRecord]:
    """Records without what damage may change: how complete they are, the order of equal times."""
    return [
        replace(r, completeness=Completeness.COMPLETE, legs=tuple(sorted(r.legs, key=str)))
        for r in found
    ]


@pytest.mark.parametrize("name", WHOLE)
def test_shuffled_rows_give_the_same_calls(name: str) -> None:
    rows, inventory = rows_of(name), inventory_of(name)
    whole = records(rows, inventory)
    chance = random.Random(name)
    for _ in range(10):
        mixed = list(rows)
        chance.shuffle(mixed)
        found = records(mixed, inventory)
        assert facts(found) == facts(whole)


@pytest.mark.parametrize("name", WHOLE)
def test_doubled_rows_give_the_same_calls_and_say_so(name: str) -> None:
    rows, inventory = rows_of(name), inventory_of(name)
    found = records(rows + rows, inventory)
    assert facts(found) == facts(records(rows, inventory))
    assert {r.completeness for r in found} == {Completeness.REPAIRED}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_cut_anywhere_gives_as_many_calls_and_none_is_called_complete(name: str) -> None:
    rows, inventory = rows_of(name), inventory_of(name)
    whole = {r.call_id: r for r in records(rows, inventory)}
    for length in range(1, len(rows)):
        for record in records(rows[:length], inventory):
            if record.completeness is Completeness.COMPLETE:
                # All its rows are there: it may be another part of the call only before a merge.
                assert record.ended_us <= max(e.time_us for e in rows[:length])
                if record.call_id in whole and record.legs == whole[record.call_id].legs:
                    assert facts([record]) == facts([whole[record.call_id]])


@pytest.mark.parametrize("name", WHOLE)
def test_one_lost_row_never_loses_a_call_nor_makes_up_one(name: str) -> None:
    rows, inventory = rows_of(name), inventory_of(name)
    whole = records(rows, inventory)
    for lost in range(len(rows)):
        found = records(rows[:lost] + rows[lost + 1 :], inventory)
        joins = rows[lost].type in ("BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "BRIDGE_ENTER")
        assert len(found) == len(whole) or joins
        if rows[lost].type in TOLD_BY_ITS_FELLOWS:
            assert any(r.completeness is not Completeness.COMPLETE for r in found)


def test_a_dial_that_stands_before_its_try_is_the_same_attempt() -> None:
    rows, inventory = rows_of("internal"), inventory_of("internal")
    at = next(i for i, e in enumerate(rows) if e.type == "APP_START")
    dial = rows[at]
    extra = f"step=1;kind=ring;target=202;number=;endpoints={inventory.endpoint('202')[6:]}"
    tried = dial._replace(
        type="CALLCTL_TRY", time_us=dial.time_us - 100, extra=extra, app_name="CELGenUserEvent"
    )
    orderly = records([*rows[:at], tried, *rows[at:]], inventory)
    (record,) = records([*rows[: at + 1], tried, *rows[at + 1 :]], inventory)
    assert len(record.attempts) == 1
    assert facts([record]) == facts(orderly)
    assert record.completeness is Completeness.REPAIRED
