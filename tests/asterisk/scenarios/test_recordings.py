"""Recordings: who is heard on which side, which calls leave none, and how they are served."""

from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import Answer, RingOut
from callctl.demo.tone import tone_hz
from callctl.demo.verify import sides_of, strongest_tone
from tests.asterisk.scenarios.office import ALICE, Office

pytestmark = pytest.mark.asterisk


async def _tones(api: Api, recording: dict[str, Any], *parties: str) -> tuple[int, int]:
    """The loudest tone, of those of `parties`, on the left and on the right."""
    assert recording["state"] == "available"
    left, right, _ = sides_of(await api.get_bytes(f"/api/v1/recordings/{recording['id']}"))
    tones = [tone_hz(party) for party in parties]
    return strongest_tone(left[-4000:], tones), strongest_tone(right[-4000:], tones)


async def test_caller_is_left_and_who_answered_is_right(office: Office, api: Api) -> None:
    """Also when the second phone answers; the first one's ringing leaves no file."""
    await office.phones({"149": RingOut(), "101": Answer(after=0.2)})
    caller = await office.outside("+3617000401", talk=1.2)
    record = await office.verified(caller, ("149", "101"))
    (recording,) = record["recordings"]
    assert await _tones(api, recording, ALICE, "101", "149") == (tone_hz(ALICE), tone_hz("101"))
    assert recording["file"] == f"{record['call']['call_id']}-2.raw"
    assert recording["seconds"] == pytest.approx(caller.calls[-1].talk_seconds, abs=0.5)
    assert record["call"]["has_recording"]


async def test_recording_of_a_common_ring_has_the_winner(office: Office, api: Api) -> None:
    await office.phones({"102": RingOut(), "103": Answer(after=0.2), "105": RingOut()})
    caller = await office.outside("+3617000404", talk=1.0)
    (recording,) = (await office.verified(caller, ("102", "103", "105")))["recordings"]
    assert await _tones(api, recording, ALICE, "102", "103", "105") == (
        tone_hz(ALICE),
        tone_hz("103"),
    )


async def test_unanswered_call_leaves_no_recording(office: Office) -> None:
    await office.phone("149", RingOut())
    caller = await office.outside("+3617000402")
    record = await office.verified(caller, ("149",))
    assert record["recordings"] == []
    assert not record["call"]["has_recording"]
    assert list(office.stack.asterisk.recordings_spool.iterdir()) == []


async def test_call_that_is_transferred_has_a_recording_of_each_talk(
    office: Office, api: Api
) -> None:
    first, second = await office.phones({"101": Answer(after=0.1), "107": Answer(after=0.1)})
    caller = await office.outside("+3617000403")
    talking = await first.answered()
    await office.talking("carrier-a", "101")
    await _until_recorded(office, 1)
    assert await first.transfer("107", talking) == 202
    await second.answered()
    await office.talking("carrier-a", "107")
    await _until_recorded(office, 2)
    await caller.hang_up()
    await caller.ended()
    record = await office.only_record()
    assert len(record["recordings"]) == 2
    heard = [await _tones(api, r, ALICE, "101", "107") for r in record["recordings"]]
    assert heard == [
        (tone_hz(ALICE), tone_hz("101")),
        (tone_hz(ALICE), tone_hz("107")),
    ]


async def _until_recorded(office: Office, files: int) -> None:
    """Until so many files hold three quarters of a second."""
    spool = office.stack.asterisk.recordings_spool
    await office.until(lambda: sum(f.stat().st_size > 24_000 for f in spool.iterdir()) >= files)


async def test_parts_of_a_recording_are_served(office: Office, api: Api) -> None:
    await office.phone("101", Answer(after=0.1))
    caller = await office.outside("+3617000403", talk=0.5)
    (recording,) = (await office.verified(caller, ("101",)))["recordings"]
    path = f"/api/v1/recordings/{recording['id']}"
    whole = await api.get_bytes(path)
    assert len(whole) == recording["bytes"]
    async with api.request("GET", path, headers={"Range": "bytes=4-47"}) as part:
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes 4-47/{len(whole)}"
        assert await part.read() == whole[4:48]
    async with api.request("GET", path, headers={"Range": f"bytes={len(whole)}-"}) as beyond:
        assert beyond.status == 416
    async with api.request("GET", path, headers={"Authorization": "Bearer wrong"}) as stranger:
        assert stranger.status == 401
