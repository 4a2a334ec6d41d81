"""Crowds at the daemon's doors: calls are still decided by the daemon, by real SIP calls."""

import asyncio
import json
import statistics
import sys
from pathlib import Path

import pytest

from callctl.demo.sip import Answer, Phone
from callctl.demo.sip_log import build_calls
from tests.doors.house import NET, House, counted
from tests.faults.traffic import Stream, StreamParty

pytestmark = pytest.mark.asterisk

HERE = Path(__file__).parent
CALLS = 12
SECONDS = 5.0
STREAM = Stream("crowd", "inbound", "+3617000101", ("101",), True, 4.0, 0.3)


class Crowd:
    """`crowd.py` at one of the daemon's doors; `told` is what it said at its end."""

    def __init__(self, kind: str, host: str, port: int, count: int) -> None:
        self._words = (kind, host, str(port), str(count), str(SECONDS))
        self.told: dict[str, int] = {}

    async def __aenter__(self) -> "Crowd":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, str(HERE / "crowd.py"), *self._words, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            assert await self._process.stdout.readline() == b"full\n"
        return self

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(3 * SECONDS):
            out, _ = await self._process.communicate()
        self.told = json.loads(out)


@pytest.mark.parametrize(
    ("door", "kind", "count"),
    [
        ("agi", "silent", 3000),
        ("agi", "dribble", 3000),
        ("agi", "churn", 5000),
        ("http", "silent", 3000),
        ("http", "churn", 5000),
    ],
)
async def test_calls_are_decided_by_the_daemon_while_a_crowd_is_at_a_door(
    house: House, tmp_path: Path, door: str, kind: str, count: int
) -> None:
    settings = house.stack.settings
    port = settings.agi_port if door == "agi" else settings.http_port
    before = len(house.rows())
    phone = Phone("101", f"{NET}.101", house.address, tmp_path, behaviour=Answer())
    caller = StreamParty(STREAM, f"{NET}.21", house.address, tmp_path)
    await phone.listen()
    crowd = Crowd(kind, house.address, port, count)
    try:
        async with crowd:
            lines = [f"+3620{door == 'agi':d}{n:06d};{STREAM.to};" for n in range(CALLS)]
            await caller.place(lines)
            await caller.wait()
        await house.idle()
        assert counted(house.rows()[before:]) == {"plan": CALLS}
        assert sum(call.answered_at is not None for call in phone.calls) == CALLS
        _report(door, kind, crowd.told, caller)
    finally:
        await caller.stop()
        await phone.stop()
    assert crowd.told["opened"] > count, "the crowd was not as large as it should be"


def _report(door: str, kind: str, told: dict[str, int], caller: StreamParty) -> None:
    """Figures for people (pytest -s): they judge nothing."""
    calls = build_calls(caller.name, caller.messages)
    waits = [c.answered_at - c.invited_at for c in calls if c.answered_at is not None]
    print(
        f"\n{door} {kind}: {told}; INVITE to 200 of {len(waits)} calls: "
        f"median {statistics.median(waits) * 1000:.0f} ms, most {max(waits) * 1000:.0f} ms"
    )
