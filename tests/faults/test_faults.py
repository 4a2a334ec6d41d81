"""The short form of `make faults`: whatever strikes, each call placed has its one true record."""

from collections.abc import AsyncIterator

import pytest

from tests.faults.faults import FAULTS, SHORT_SECONDS, Fault
from tests.faults.tape import Tape
from tests.faults.world import World, open_world

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with open_world(tmp_path_factory.mktemp("faults")) as world:
        yield world


@pytest.fixture(scope="module")
async def tape(world: World) -> Tape:
    return await Tape.record(world, SHORT_SECONDS)


@pytest.mark.parametrize(
    "fault", [pytest.param(f, id=f"{f.group}: {f.name}") for f in FAULTS if f.short]
)
async def test_each_call_placed_has_its_one_true_record(
    world: World, tape: Tape, fault: Fault
) -> None:
    why_not = fault.why_not(world)
    if why_not is not None:
        pytest.skip(why_not)
    verdict = await fault.run(world, tape, SHORT_SECONDS)
    assert verdict.placed
    assert verdict.differences == []
