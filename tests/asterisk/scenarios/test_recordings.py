"""Recordings: who is heard on which side, which calls leave none, and how they are served."""

from itertools import groupby
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


async def _until_recorded(office: Office, files: int, seconds: float = 0.75) -> None:
    """Until so many files hold so many seconds."""
    spool = office.stack.asterisk.recordings_spool
    enough = seconds * 32_000
    await office.until(lambda: sum(f.stat().st_size > enough for f in spool.iterdir()) >= files)


def _runs(samples: list[int]) -> list[tuple[bool, int]]:
    """Whether it is loud, and for how many tenths of a second, from the first sound on."""
    parts = (samples[n : n + 800] for n in range(0, len(samples) - 1600, 800))
    loud = [sum(s * s for s in part) / 800 > 10_000 for part in parts]
    return [(is_loud, len(list(run))) for is_loud, run in groupby(loud[loud.index(True) :])]


async def test_paused_recording_is_silent_for_so_long_and_says_when(
    office: Office, api: Api
) -> None:
    await office.phone("101", Answer(after=0.1))
    caller = await office.outside("+3617000403")
    await office.talking("carrier-a", "101")
    await _until_recorded(office, 1, 1.0)
    channels = await office.stack.asterisk.cli("core show channels concise")
    uniqueid = channels.splitlines()[0].split("!")[-1]
    path = f"/api/v1/calls/live/{uniqueid}/recording"
    for verb, until in (("pause", 2.5), ("resume", 4.0)):
        async with api.request("POST", f"{path}/{verb}") as answer:
            assert answer.status == 200, await answer.text()
            told = await answer.json()
            assert (told["paused"], told["channels"]) == (verb == "pause", 1)
        await _until_recorded(office, 1, until)
    await caller.hang_up()
    record = await office.verified(caller, ("101",))
    (recording,) = record["recordings"]
    left, right, _ = sides_of(await api.get_bytes(f"/api/v1/recordings/{recording['id']}"))
    for side in map(_runs, (left, right)):
        assert [is_loud for is_loud, _ in side] == [True, False, True]
        assert all(tenths >= 5 for _, tenths in side), side
    (pause,) = record["recording_pauses"]
    assert pause["resumed_at"] > pause["paused_at"]
    async with api.request("POST", f"{path}/pause") as answer:
        assert answer.status == 404, "the call is over"


async def test_both_hear_that_they_are_recorded_before_they_are(office: Office, api: Api) -> None:
    """The announcement is over when the recording begins: it is not in it, nor is time lost."""
    document = await api.get("/api/v1/routing")
    document["account"]["record_announce"] = "beep"
    await _apply(api, document)
    try:
        await office.phone("101", Answer(after=0.1))
        caller = await office.outside("+3617000403", talk=2.5)
        (recording,) = (await office.verified(caller, ("101",)))["recordings"]
        assert await _tones(api, recording, ALICE, "101") == (tone_hz(ALICE), tone_hz("101"))
    finally:
        del document["account"]["record_announce"]
        await _apply(api, document)
    assert 0.5 < recording["seconds"] < caller.calls[-1].talk_seconds - 0.15


async def _apply(api: Api, document: dict[str, Any]) -> None:
    async with api.request("PUT", "/api/v1/routing", json=document) as answer:
        assert answer.status == 200, await answer.text()


async def test_parts_of_a_recording_are_served(office: Office, api: Api) -> None:
    await office.phone("101", Answer(after=0.1))
    caller = await office.outside("+3617000403", talk=0.5)
    (recording,) = (await office.verified(caller, ("101",)))["recordings"]
    path = f"/api/v1/recordings/{recording['id']}"
    whole = await api.get_bytes(path)
    assert (len(whole), recording["format"]) == (recording["bytes"], "opus")
    async with api.request("GET", path, headers={"Range": "bytes=4-47"}) as part:
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes 4-47/{len(whole)}"
        assert await part.read() == whole[4:48]
    async with api.request("GET", path, headers={"Range": f"bytes={len(whole)}-"}) as beyond:
        assert beyond.status == 416
    async with api.request("GET", path, headers={"Authorization": "Bearer wrong"}) as stranger:
        assert stranger.status == 401
