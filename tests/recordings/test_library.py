"""Recordings over HTTP: the list and its filters, the audio in parts, the log, favourites."""

from typing import Any
from urllib.parse import quote

import pytest

from callctl.core.author import COMMAND_LINE
from callctl.core.errors import CallctlError
from callctl.core.permissions import Scope
from callctl.features.clients.model import NewClient, NumberInput
from callctl.features.clients.service import ClientService
from callctl.features.recordings.model import RecordingFilters
from callctl.features.recordings.retention import RetentionService
from callctl.features.recordings.transcripts import Spoken, Word, save_transcript
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


async def test_group_client_and_time_of_day_are_the_call_s(api: World) -> None:
    http, archive = api
    db, account = archive.db, archive.account_id
    one = await archive.made("a-1.1", extension="101", number="+36201110001")
    two = await archive.made("a-1.2", extension="102", number="+36201110002")
    group = await db.fetchval(
        "insert into groups (account_id, name) values ($1, 'g') returning id", account
    )
    await db.execute(
        "insert into users (account_id, login, name, role, password_hash, extension, group_id)"
        " values ($1, 'anna', 'Anna', 'manager', '-', '102', $2)", account, group,
    )  # fmt: skip
    actor = Actor(account, "x", frozenset())
    client = await ClientService(db).create_client(
        actor, NewClient("Ann", numbers=[NumberInput("+36201110001")])
    )
    await db.execute("update accounts set timezone = 'Asia/Tokyo' where id = $1", account)
    for id_, at in ((one, "2026-03-01 14:30Z"), (two, "2026-03-01 23:30Z")):
        await db.execute(
            "update calls set started_at = $2::text::timestamptz"
            " where id = (select call from recordings where id = $1)", id_, at,
        )  # fmt: skip
    # In Tokyo it is 23:30 and 8:30.
    for query, found in {
        f"group={group}": [two],
        f"client={client.id}": [one],
        "group=999": [],
        "client=999": [],
        "time_since=22:00:00": [one],
        "time_until=22:00:00": [two],
        "time_since=08:00:00&time_until=09:00:00": [two],
        "time_since=23:00:00&time_until=08:00:00": [one],
        "time_since=23:00:00&time_until=08:31:00": [two, one],
        "time_since=08:30:00&time_until=08:30:00": [],
    }.items():
        assert await ids(http, query) == found, query


async def test_words_find_their_recording_and_leave_with_it(api: World) -> None:
    http, archive = api
    db, account = archive.db, archive.account_id
    one, two = await archive.made("a-1.1"), await archive.made("a-1.2")
    said = [Spoken("called", 1.5, 3.0, [Word("Ordër", 1.6, 2.0), Word("LATE\n", 2.1, 2.5)])]
    await save_transcript(db, account, one, "test", said, COMMAND_LINE)
    assert await ids(http, "text=late ordër") == [one]
    for query in ("late missing", "or", "' | !!", "a:b & *", "%", "\u2028"):
        assert await ids(http, f"text={quote(query)}") == []
    _, body, _ = await http.ask("GET", f"{PATH}/{one}/details")
    assert body["transcript"]["engine"] == "test"
    (spoken,) = body["transcript"]["spoken"]
    assert spoken == {"side": "called", "begin": 1.5, "end": 3.0, "text": "Ordër LATE"}
    with pytest.raises(CallctlError, match="conflict"):
        await save_transcript(db, account + 1, two, "test", said, COMMAND_LINE)

    await archive.settings(recording_days=1)
    await db.execute("update recordings set started_at = now() - interval '2 days'")
    assert await archive.retention.delete_due() == 2
    assert await db.fetchval("select count(*) from transcripts") == 0


async def test_words_of_an_encrypted_recording_are_not_kept(archive: Archive) -> None:
    await archive.settings(encrypt=True)
    id_ = await archive.made("a-1.1")
    with pytest.raises(CallctlError, match="conflict"):
        await save_transcript(archive.db, archive.account_id, id_, "test", [], COMMAND_LINE)
    assert (await archive.library.get_recording(archive.actor, id_)).transcript is None


async def test_the_log_of_accesses_goes_by_its_age_but_for_held_calls(archive: Archive) -> None:
    held, free = await archive.made("a-1.1"), await archive.made("a-1.2")
    await archive.retention.hold_recording(archive.scope, held, "court", COMMAND_LINE)
    for id_ in (held, free):
        for days in (1, 40):
            await archive.db.execute(
                "insert into recording_accesses (account_id, recording, call, file, kind, actor,"
                " address, format, first_byte, last_byte, at) select account_id, id, call, file,"
                " 'listened', 'x', '', 'wav', 0, 1, now() - make_interval(days => $2)"
                " from recordings where id = $1", id_, days,
            )  # fmt: skip
    assert await archive.retention.delete_due_accesses() == 0
    monthly = RetentionService(archive.db, archive.places.root, access_days=30)
    assert await monthly.delete_due_accesses() == 1
    rows = await archive.db.fetch("select recording from recording_accesses order by id")
    assert [row[0] for row in rows] == [held, held, free]


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
