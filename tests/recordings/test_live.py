"""Recording paused while card numbers are said: by whom, for which call, and what is on record."""

import pytest

from callctl.asterisk.ami import AmiClient
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.recordings.live import EndpointOwner, LiveRecordings
from callctl.http.endpoint import Actor
from tests.http.conftest import Api
from tests.recordings.conftest import Archive
from tests.recordings.switchboard import Switchboard

World = tuple[Api, Archive]
PATH = "/api/v1/calls/live"


@pytest.fixture
def talking(api: World, switchboard: Switchboard) -> Switchboard:
    """101 talks to somebody outside and is recorded; 102 talks to 103 and is not."""
    account = api[1].account_id
    switchboard.channels = {
        "PJSIP/carrier-0000000a": ("a-1.1", "a-1.1"),
        "PJSIP/101-0000000b": ("a-1.2", "a-1.1"),
        "PJSIP/102-0000000c": ("a-1.3", "a-1.3"),
        "PJSIP/103-0000000d": ("a-1.4", "a-1.3"),
    }
    switchboard.recorded = {"PJSIP/101-0000000b"}
    switchboard.owners = {n: EndpointOwner(account, n) for n in ("101", "102", "103")}
    switchboard.owners["carrier"] = EndpointOwner(account, None)
    return switchboard


async def pauses(archive: Archive) -> list[tuple[str, str | None]]:
    rows = await archive.db.fetch("select * from recording_pauses order by id")
    return [(row["linkedid"], row["resumed_by"]) for row in rows]


@pytest.mark.parametrize("uniqueid", ["a-1.1", "a-1.2"])
async def test_pause_is_of_the_recorded_channel_whichever_is_named(
    api: World, talking: Switchboard, uniqueid: str
) -> None:
    http, archive = api
    status, body, _ = await http.ask("POST", f"{PATH}/{uniqueid}/recording/pause")
    assert (status, body["paused"], body["channels"]) == (200, True, 1)
    await http.ask("POST", f"{PATH}/{uniqueid}/recording/pause")
    assert await pauses(archive) == [("a-1.1", None)], "one pause, asked for twice"
    status, body, _ = await http.ask("POST", f"{PATH}/{uniqueid}/recording/resume")
    assert (status, body["paused"]) == (200, False)
    channel = "PJSIP/101-0000000b"
    assert talking.muted == [(channel, "1"), (channel, "1"), (channel, "0")]
    ((linkedid, by),) = await pauses(archive)
    assert (linkedid, by is not None) == ("a-1.1", True)
    lines = await archive.db.fetch("select action, subject from audit order by id")
    assert [tuple(line) for line in lines] == [
        ("recording.paused", "live_call:a-1.1"), ("recording.resumed", "live_call:a-1.1"),
    ]  # fmt: skip


async def test_pause_is_with_the_calls_record(api: World, talking: Switchboard) -> None:
    http, archive = api
    await http.ask("POST", f"{PATH}/a-1.2/recording/pause")
    await http.ask("POST", f"{PATH}/a-1.2/recording/resume")
    id_ = await archive.made("a-1.1")
    (pause,) = (await archive.library.get_recording(archive.actor, id_)).pauses
    assert pause.resumed_at is not None
    assert pause.paused_at <= pause.resumed_at


async def test_call_that_is_not_recorded_or_not_there_is_refused(
    api: World, talking: Switchboard
) -> None:
    http, archive = api
    for uniqueid, code in (("a-1.3", "conflict"), ("a-9.9", "not_found"), ("%0d", "not_found")):
        _, body, _ = await http.ask("POST", f"{PATH}/{uniqueid}/recording/pause")
        assert body["error"]["code"] == code, uniqueid
    assert await pauses(archive) == []
    reader = await http.access.issue_token("reader", [Scope.RECORDINGS_READ])
    status, _, _ = await http.ask("POST", f"{PATH}/a-1.2/recording/pause", token=reader)
    assert status == 403


async def test_refusal_of_asterisk_leaves_nothing_on_record(
    api: World, talking: Switchboard
) -> None:
    http, archive = api
    talking.refuses = True
    status, body, _ = await http.ask("POST", f"{PATH}/a-1.2/recording/pause")
    assert (status, body["error"]["code"]) == (502, "call_failed")
    assert await pauses(archive) == []


async def test_agent_pauses_own_calls_only(
    api: World, talking: Switchboard, ami: AmiClient
) -> None:
    _, archive = api
    live = LiveRecordings(ami, archive.db, talking.owner_of)

    def agent(extension: str, account: int = archive.account_id) -> Actor:
        return Actor(account, "agent", frozenset(), extensions=(extension,))

    await live.set_paused(agent("101"), "a-1.2", paused=True)
    strangers = (agent("102"), agent("101", archive.account_id + 1))
    for stranger in (*strangers, Actor(archive.account_id + 1, "other", frozenset())):
        with pytest.raises(CallctlError, match="not_found"):
            await live.set_paused(stranger, "a-1.2", paused=False)
    assert [state for _, state in talking.muted] == ["1"]


async def test_without_asterisk_it_says_so(api: World, ami: AmiClient) -> None:
    http, _ = api
    await ami.stop()
    status, body, _ = await http.ask("POST", f"{PATH}/a-1.2/recording/pause")
    assert (status, body["error"]["code"]) == (503, "asterisk_unavailable")
