"""Recordings over HTTP: the list and its filters, the audio in parts, the log, favourites."""

from typing import Any

import pytest

from callctl.core.permissions import Scope
from callctl.features.recordings.model import RecordingFilters
from callctl.http.endpoint import Actor
from tests.http.conftest import Api
from tests.recordings.conftest import TALK, Archive, raw_of, tone

World = tuple[Api, Archive]
PATH = "/api/v1/recordings"


async def ids(api: Api, query: str = "") -> list[int]:
    status, body, _ = await api.ask("GET", f"{PATH}?{query}")
    assert status == 200, body
    return [item["id"] for item in body["items"]]


async def test_filters_find_what_they_say(api: World) -> None:
    http, archive = api
    quiet = raw_of(tone(0.5) + [0] * 44_000, [0] * 40_000 + tone(1))
    old = await archive.made("a-1.1", days_ago=3, raw=quiet, extension="102")
    out = await archive.made("a-1.2", direction="outbound", number="+441632960000")
    await archive.add("a-1.3")  # not made yet
    assert await ids(http) == [out, old]
    for query, found in {
        "direction=outbound": [out],
        "extension=102": [old],
        "number=1632 96": [out],
        "min_seconds=3": [old],
        "max_seconds=3": [out],
        "downloaded=true": [],
        "downloaded=false&held=false&analysed=true": [out, old],
        "favourite=true": [],
        "min_silence_share=0.6": [old],
        "max_silence_share=0.6": [out],
        "min_first_word=3": [old],
        "max_first_word=3": [out],
        "min_monologue=0.9&max_seconds=3": [out],
        "min_interruptions=1": [],
        "until=2020-01-01T00:00:00Z": [],
        "since=2020-01-01T00:00:00Z": [out, old],
    }.items():
        assert await ids(http, query) == found, query


async def test_pages_have_every_recording_once(api: World) -> None:
    http, archive = api
    made = [await archive.made(f"a-1.{n}", days_ago=n % 2) for n in range(5)]
    seen: list[int] = []
    cursor = ""
    while True:
        _, body, _ = await http.ask("GET", f"{PATH}?limit=2&cursor={cursor}")
        seen += [item["id"] for item in body["items"]]
        if body["next"] is None:
            break
        cursor = body["next"]
    assert sorted(seen) == sorted(made)
    status, _, _ = await http.ask("GET", f"{PATH}?cursor=nonsense")
    assert status == 422


async def test_who_may_see_some_extensions_sees_only_their_recordings(archive: Archive) -> None:
    own = await archive.made("a-1.1", extension="101")
    other = await archive.made("a-1.2", extension="102")
    agent = Actor(archive.account_id, "agent", frozenset(), extensions=("101",))
    listed = await archive.library.list_recordings(agent, RecordingFilters())
    assert [item.id for item in listed.items] == [own]
    stranger = Actor(archive.account_id + 1, "stranger", frozenset())
    assert (await archive.library.list_recordings(stranger, RecordingFilters())).items == []
    for who, id_ in ((agent, other), (stranger, own)):
        for ask in (
            archive.library.open_audio(who.calls, id_),
            archive.library.get_recording(who, id_),
            archive.retention.hold_recording(who.calls, id_, "court", who.author),
        ):
            with pytest.raises(Exception, match="not_found"):
                await ask


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("format_", ["wav", "opus"])
async def test_any_part_is_served_with_its_type(api: World, format_: str, encrypt: bool) -> None:
    http, archive = api
    await archive.settings(format=format_, encrypt=encrypt)
    id_ = await archive.made("a-1.1")
    whole, response = await fetch(http, id_)
    assert response.status == 200
    assert response.headers["Content-Type"] == {"wav": "audio/wav", "opus": "audio/ogg"}[format_]
    assert whole.startswith({"wav": b"RIFF", "opus": b"OggS"}[format_])
    size = len(whole)
    for header, part in {
        "bytes=4-47": slice(4, 48),
        "bytes=100-": slice(100, None),
        "bytes=-7": slice(-7, None),
        f"bytes=0-{size + 5}": slice(0, None),
    }.items():
        data, response = await fetch(http, id_, Range=header)
        assert (response.status, data) == (206, whole[part]), header
        assert response.headers["Content-Range"].endswith(f"/{size}")
    _, response = await fetch(http, id_, Range=f"bytes={size}-")
    assert response.status == 416


async def fetch(http: Api, id_: int, query: str = "", **headers: str) -> tuple[bytes, Any]:
    async with http.client.get(
        f"http://127.0.0.1:{http.port}{PATH}/{id_}{query}",
        headers={"Authorization": f"Bearer {http.bootstrap.token}", **headers},
    ) as response:
        return await response.read(), response


async def test_every_access_is_on_record_with_its_part(api: World) -> None:
    http, archive = api
    id_ = await archive.made("a-1.1")
    await fetch(http, id_, Range="bytes=4-47")
    await fetch(http, id_, "?download=1")
    await fetch(http, id_, Range="bytes=99999999-")
    _, body, _ = await http.ask("GET", "/api/v1/recording-accesses")
    size = len(TALK) + 44
    assert [(a["kind"], a["first_byte"], a["last_byte"]) for a in body["items"]] == [
        ("downloaded", 0, size - 1),
        ("listened", 4, 47),
    ]
    assert {a["address"] for a in body["items"]} == {"127.0.0.1"}
    assert {a["recording"] for a in body["items"]} == {id_}
    listener = await http.access.issue_token("listener", [Scope.RECORDINGS_READ])
    status, _, _ = await http.ask("GET", "/api/v1/recording-accesses", token=listener)
    assert status == 403


async def test_download_is_ticked_once_and_the_call_changes(api: World) -> None:
    http, archive = api
    id_ = await archive.made("a-1.1")
    before = await archive.db.fetchval("select changed_at from calls")
    await fetch(http, id_)
    assert await archive.db.fetchval("select changed_at from calls") == before
    data, response = await fetch(http, id_, "?download=1")
    assert response.headers["Content-Disposition"] == 'attachment; filename="a-1.1-1.wav"'
    assert len(data) == len(TALK) + 44
    _, body, _ = await http.ask("GET", f"{PATH}/{id_}/details")
    first = body["downloaded_at"]
    assert first is not None
    assert await archive.db.fetchval("select changed_at from calls") > before
    await fetch(http, id_, "?download=1")
    _, body, _ = await http.ask("GET", f"{PATH}/{id_}/details")
    assert body["downloaded_at"] == first
    assert await ids(http, "downloaded=true") == [id_]


async def test_favourites_are_a_persons_own_and_give_no_right(api: World) -> None:
    http, archive = api
    id_ = await archive.made("a-1.1", extension="101")
    status, body, _ = await http.ask("PUT", f"{PATH}/{id_}/favourite")
    assert (status, body["error"]["code"]) == (409, "conflict"), "a token is no person"
    user = await archive.db.fetchval("select id from users limit 1")
    anna = Actor(archive.account_id, "anna", frozenset(), user_id=user, extensions=("101",))
    await archive.library.set_favourite(anna, id_, wanted=True)
    await archive.library.set_favourite(anna, id_, wanted=True)
    wanted = RecordingFilters(favourite=True)
    assert [i.id for i in (await archive.library.list_recordings(anna, wanted)).items] == [id_]
    moved = Actor(archive.account_id, "anna", frozenset(), user_id=user, extensions=("102",))
    assert (await archive.library.list_recordings(moved, wanted)).items == []
    with pytest.raises(Exception, match="not_found"):
        await archive.library.open_audio(moved.calls, id_)
    with pytest.raises(Exception, match="not_found"):
        await archive.library.set_favourite(moved, id_, wanted=True)
    await archive.library.set_favourite(anna, id_, wanted=False)
    assert (await archive.library.list_recordings(anna, wanted)).items == []


async def test_damaged_file_is_an_error_and_no_sound(api: World) -> None:
    http, archive = api
    await archive.settings(format="wav", encrypt=True)
    id_ = await archive.made("a-1.1")
    (path,) = (p for p in archive.places.root.rglob("*.sealed"))
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    body, response = await fetch(http, id_)
    assert (response.status, b"recording_damaged" in body) == (500, True)
    path.write_bytes(data)
    assert (await fetch(http, id_))[1].status == 200


async def test_format_that_is_not_there_is_not_found(api: World) -> None:
    http, archive = api
    id_ = await archive.made("a-1.1", "opus")
    assert (await fetch(http, id_, "?format=wav"))[1].status == 404
    assert (await fetch(http, id_, "?format=opus"))[1].status == 200


async def test_settings_are_kept_and_encryption_needs_a_key(api: World) -> None:
    http, _ = api
    wanted = {"format": "both", "encrypt": True, "recording_days": 90, "call_days": 365}
    _, body, _ = await http.ask("GET", "/api/v1/recording-settings")
    assert body["recording_days"] == 0
    status, body, _ = await http.ask("PUT", "/api/v1/recording-settings", json=wanted)
    assert status == 200
    assert {name: body[name] for name in wanted} == wanted
    status, body, _ = await http.ask("GET", "/api/v1/recording-settings")
    assert {name: body[name] for name in wanted} == wanted
    for wrong in ({"recording_days": -1}, {"format": "mp3"}, {"call_days": 10**9}):
        status, _, _ = await http.ask("PUT", "/api/v1/recording-settings", json=wrong)
        assert status == 422
