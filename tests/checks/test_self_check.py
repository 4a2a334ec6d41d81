"""The self-check against a real Asterisk: what it must see, and what it must not take for it."""

import re
import time

import pytest

from callctl.asterisk.ami_protocol import AmiEvent
from callctl.demo.play import Api
from callctl.telemetry.metrics import REGISTRY
from tests.checks.conftest import Disk, Room, until

pytestmark = pytest.mark.asterisk


async def _calls(api: Api) -> int:
    return len((await api.get("/api/v1/calls", limit="500"))["items"])


async def _raised(api: Api) -> dict[str, str]:
    page = await api.get("/api/v1/system/alarms")
    return {alarm["code"]: alarm["detail"] for alarm in page["items"]}


def _open_channels(room: Room) -> int:
    reader = room.stack.daemon.reader
    return 0 if reader is None else len(reader.open_channels())


async def _told(api: Api, code: str, state: str = "raised") -> float:
    """Waits until the API lists such an alarm; how many seconds it took."""

    async def listed() -> bool:
        page = await api.get("/api/v1/system/alarms", state=state)
        return code in {alarm["code"] for alarm in page["items"]}

    return await until(listed, f"{code} is {state}")


async def test_a_full_disk_under_the_journal_is_told_within_a_minute_and_so_is_its_end(
    room: Room, api: Api, journal_disk: Disk
) -> None:
    """Asterisk itself writes no word of it: the call is answered, and nothing is in the journal."""
    await room.call()
    await room.stored()
    before = await _calls(api)
    journal_disk.fill()
    await until(lambda: "disk_full" in room.raised(), "the disk is full")
    await room.call()
    took = await _told(api, "journal_lost")
    # One second of patience and fractions between checks; with the defaults 15 and 15.
    assert took < 10
    log = room.stack.asterisk.messages_log.read_text()
    assert "No space" not in log

    async def both_legs() -> bool:
        return (await _raised(api))["journal_lost"].startswith("2 ")

    await until(both_legs, "both of the call's channels are missed")
    detail = (await _raised(api))["journal_lost"]
    assert re.fullmatch(r"2 channels since 2\d{3}-.*Z: callctl-\d+\.\d+, callctl-.*", detail)
    async with api.request("GET", "/readyz") as response:
        assert response.status == 200
        alarms = (await response.json())["checks"]["alarms"]
        assert "journal_lost" in alarms["message"]
    assert REGISTRY.get_sample_value("callctl_alarms_raised", {"code": "journal_lost"}) == 1
    assert await _calls(api) == before
    journal_disk.clear()
    await until(lambda: "disk_full" not in room.raised(), "there is room again")
    # A loss is over when calls that begin a while later (four patiences) are there again.
    await until(room.well, "calls are recorded again")
    await _told(api, "disk_full", "cleared")
    await _told(api, "journal_lost", "cleared")


async def test_a_call_whose_end_was_lost_is_closed_as_truncated(
    room: Room, api: Api, journal_disk: Disk
) -> None:
    entered = room.rows("BRIDGE_ENTER")
    async with room.caller(talk=None) as caller:
        await caller.answered()
        reader = room.stack.daemon.reader
        assert reader is not None
        await until(lambda: room.rows("BRIDGE_ENTER") == entered + 2, "both are in the journal")
        await until(lambda: len(reader.open_channels()) == 2, "both channels are open")
        before = await _calls(api)
        journal_disk.fill()
        await caller.hang_up()
        await caller.ended()
    await room.idle()
    journal_disk.clear()

    async def closed() -> bool:
        return await _calls(api) == before + 1

    await until(closed, "the call is stored")
    newest = (await api.get("/api/v1/calls", limit="1"))["items"][0]
    assert newest["completeness"] == "truncated"
    assert newest["answered_by"] == "101"
    await _told(api, "journal_end_lost")
    assert "2 channels" in (await _raised(api))["journal_end_lost"]
    assert "journal_lost" not in room.raised()
    await until(lambda: not room.raised(), "the alarm clears by itself")


async def test_a_call_that_goes_on_is_never_closed_whatever_an_event_says(
    room: Room, api: Api
) -> None:
    async with room.caller(talk=None) as caller:
        await caller.answered()
        reader = room.stack.daemon.reader
        assert reader is not None
        await until(lambda: len(reader.open_channels()) == 2, "both channels are open")
        before = await _calls(api)
        # A caller may forge events. Several patiences, in which every round asks for the channels.
        for uniqueid in reader.open_channels():
            forged = AmiEvent("Hangup", {"uniqueid": uniqueid}, {})
            room.stack.daemon.channel_watch._heard(forged)
        looked = _Counted(room)
        await until(lambda: looked.lists >= 15, "fifteen lists of channels were asked for")
        assert len(reader.open_channels()) == 2
        assert await _calls(api) == before
        await caller.hang_up()
        await caller.ended()

    async def stored() -> bool:
        return await _calls(api) == before + 1

    await until(stored, "the call is stored")
    newest = (await api.get("/api/v1/calls", limit="1"))["items"][0]
    assert newest["completeness"] == "complete"
    assert room.raised() == set()


class _Counted:
    """How many lists of channels the daemon asked for."""

    def __init__(self, room: Room) -> None:
        self.lists = 0
        ami = room.stack.daemon.ami
        action = ami.action

        async def counted(name: str, **fields: object) -> object:
            self.lists += name == "CoreShowChannels"
            return await action(name, **fields)  # type: ignore[arg-type]

        ami.action = counted  # type: ignore[method-assign, assignment]


async def test_neither_a_lost_connection_nor_a_restart_is_taken_for_a_loss(
    room: Room, api: Api
) -> None:
    """AMI kicked during calls, Asterisk killed during a call, the daemon restarted."""
    stack = room.stack
    before = await _calls(api)
    async with room.caller(talk=None) as caller:
        await caller.answered()
        session = stack.daemon.ami._session
        assert session is not None
        session.drop("kicked by the test")
        await stack.daemon.ami.wait_for_state(False, 10)
        await caller.hang_up()
        await caller.ended()
    await stack.daemon.ami.wait_for_state(True, 40)
    await room.call()
    await room.stored()
    async with room.caller(talk=None) as caller:
        await caller.answered()
        await until(lambda: _open_channels(room) == 2, "the journal has the call")
        await stack.asterisk.kill()
        await stack.asterisk.start()
    await stack.daemon.ami.wait_for_state(True, 40)
    await room.phone.stop()
    await room.phone.register()
    await room.phone.listen()

    async def cut() -> bool:
        return await _calls(api) == before + 3

    await until(cut, "the call that was cut is closed")
    await room.call()
    await stack.stop_daemon()
    async with room.caller() as caller:
        await caller.ended()
    await stack.start_daemon()
    await stack.daemon.ami.wait_for_state(True, 40)
    await room.call()

    async def stored() -> bool:
        return await _calls(api) == before + 6

    await until(stored, "every call is stored")
    reader = stack.daemon.reader
    assert reader is not None
    assert reader.open_channels() == frozenset()
    page = await api.get("/api/v1/system/alarms", state="all", limit="1")
    newest = page["items"][0]["id"] if page["items"] else 0
    watch = stack.daemon.channel_watch
    await until(lambda: watch.check_beginnings() == [], "the journal is well")
    page = await api.get("/api/v1/system/alarms", state="all", limit="1")
    assert (page["items"][0]["id"] if page["items"] else 0) == newest


async def test_a_reader_that_stands_still_is_no_loss(room: Room, api: Api) -> None:
    """As when PostgreSQL is away: what is written meanwhile is judged when it was read."""
    await room.call()
    await room.stored()
    watch = room.stack.daemon.channel_watch
    reader = room.stack.daemon.reader
    assert reader is not None
    await until(lambda: watch.check_beginnings() == [], "the journal is well")
    db = room.stack.daemon.db
    before = await _calls(api)
    async with db.transaction() as connection:
        await connection.execute("lock table calls in access exclusive mode")
        await room.call()
        await until(lambda: time.monotonic() - (reader.read_until or 0) > 1, "the reader stands")
        await room.call()
        stood = reader.read_until
        await until(lambda: watch.unread >= 2, "channels wait for the reader")
        over = time.monotonic() + 2
        await until(lambda: time.monotonic() > over, "two patiences are over")
        assert reader.read_until == stood
        assert watch.check_beginnings() == []

    async def stored() -> bool:
        return await _calls(api) == before + 2

    await until(stored, "both calls are stored")
    await until(lambda: watch.unread == 0, "every channel was found")
    assert room.raised() == set()


async def test_a_forged_channel_raises_an_alarm_but_harms_no_call(room: Room, api: Api) -> None:
    watch = room.stack.daemon.channel_watch
    forged = AmiEvent("Newchannel", {"uniqueid": "callctl-1700000000.999"}, {})
    watch._heard(forged)
    await until(lambda: "journal_lost" in room.raised(), "the forged channel is missed")
    watch.channels_read(["callctl-1700000000.999"])
    await until(lambda: not room.raised(), "and forgotten")
