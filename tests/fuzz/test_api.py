"""The whole API with real data behind it: no 5xx, and no answer that its document does not declare.

Requests are made up from the OpenAPI document, as it allows and as it forbids, with a token, with
one of too few scopes, and without.
"""

import asyncio
import copy
import re
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import schemathesis
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from callctl.app import openapi_document
from tests.fuzz.conftest import World
from tests.fuzz.rounds import SCALE, SEED, SETTINGS, fuzz

# The daemon's own thread asks for chance (AMI's back-off) while requests are being made up.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the .random. module inside strategies")


def no_mistake_of_the_server(ctx: Any, response: Any, case: Case[Any]) -> bool | None:
    """There is no Asterisk behind this daemon: what asks for a call is told so."""
    if response.status_code == 503 and response.json()["error"]["code"] == "asterisk_unavailable":
        return None
    return not_a_server_error(ctx, response, case)


CHECKS = [
    no_mistake_of_the_server,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
EXAMPLES = 2
WALKS = 3
EVENTS = "/api/v1/events"


def document() -> dict[str, Any]:
    """All but the ways in, which hash passwords (tests/http and tests/people have those), and the
    events, which have no end and are asked for below."""
    whole = copy.deepcopy(openapi_document())
    for path in ("/api/v1/sessions", "/api/v1/invitations/accept", EVENTS):
        whole["paths"].pop(path)
    # Else most of what is forbidden would be a made-up token, and answered 401.
    whole.pop("security", None)
    whole.get("components", {}).pop("securitySchemes", None)
    for item in whole["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    return whole


def send_all(world: World, token: str | None, mode: GenerationMode) -> dict[int, int]:
    """Blocking: run it in a thread. How many answers had which status."""
    answered: dict[int, int] = {}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for result in schemathesis.openapi.from_dict(document()).get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue  # Any text is a name in a path: there is nothing that it forbids.
        named = re.fullmatch(r"/api/v1/(?:routing/)?(\w+)/\{(\w+)\}.*", operation.path)
        cases = operation.as_strategy(generation_mode=mode)
        if named:
            names = st.sampled_from([*world.names.get(named[1], []), None])
            cases = st.builds(_of_one_that_is_there, cases, st.just(named[2]), names)

        @seed(SEED)
        @settings(max_examples=max(1, round(EXAMPLES * SCALE)), **SETTINGS)
        @given(cases)
        def send(case: Case[Any]) -> None:
            response = case.call_and_validate(
                base_url=world.url, headers=headers, checks=CHECKS, timeout=20
            )
            answered[response.status_code] = answered.get(response.status_code, 0) + 1

        # Of some operations nothing can be asked that they forbid.
        with suppress(Unsatisfiable):
            send()
    return answered


def _of_one_that_is_there(case: Case[Any], parameter: str, name: str | None) -> Case[Any]:
    if name is not None:
        case.path_parameters[parameter] = name
    return case


@pytest.mark.parametrize("mode", GenerationMode)
async def test_made_up_requests_with_a_token_find_no_mistake(
    world: World, mode: GenerationMode
) -> None:
    answered = await asyncio.to_thread(send_all, world, world.token, mode)
    assert 401 not in answered
    if mode is GenerationMode.POSITIVE:
        assert answered[200] > 10
    else:
        assert sum(answered.get(status, 0) for status in (400, 404, 422)) > 10


async def test_made_up_requests_without_a_token_learn_nothing(world: World) -> None:
    """Whatever is asked, and whether it exists or not, the answer is the same 401.

    403 is for a payment provider's message that is not signed: such have no token.
    """
    answered = await asyncio.to_thread(send_all, world, None, GenerationMode.POSITIVE)
    public = sum(answered.get(status, 0) for status in (200, 403, 503))
    assert set(answered) <= {200, 401, 403, 503}
    assert answered[401] > 10 * public


async def test_made_up_requests_with_too_few_scopes_are_refused(world: World) -> None:
    answered = await asyncio.to_thread(send_all, world, world.reader, GenerationMode.POSITIVE)
    assert answered[403] > answered[200] > 0


def walk(world: World) -> dict[str, int]:
    """Blocking: run it in a thread. Requests one after the other, made of what came before: an
    object that was made is read, changed and taken away. How many answers each operation gave."""
    answered: dict[str, int] = {}
    mistakes: list[Exception] = []
    schema = schemathesis.openapi.from_dict(document())

    class Walker(schema.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
            headers = {"Authorization": f"Bearer {world.token}"}
            return {"headers": headers, "base_url": world.url, "timeout": 20}

        def validate_response(self, response: Any, case: Case[Any], **_: Any) -> None:
            try:
                case.validate_response(response, checks=CHECKS)
            except Exception as error:
                mistakes.append(error)
                raise
            label = f"{case.operation.label} {response.status_code}"
            answered[label] = answered.get(label, 0) + 1

    more = {**SETTINGS, "phases": [Phase.generate]}
    for number in range(WALKS):
        # What comes next depends on what is there by then. So the same beginning may go on in
        # another way, which ends the walk; a mistake of the server is kept apart from that.
        with suppress(FlakyStrategyDefinition):
            seed(SEED + number)(Walker).run(
                settings=settings(max_examples=round(5 * SCALE), stateful_step_count=6, **more)
            )
    if mistakes:
        raise mistakes[0]
    return answered


async def test_made_up_sequences_of_requests_find_no_mistake(world: World) -> None:
    answered = await asyncio.to_thread(walk, world)
    assert sum(answered.values()) > 30


# -- what people's programs send ------------------------------------------------------------------

ranges = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
    st.from_regex(r"bytes=-?[0-9]{0,25}-?[0-9]{0,25}(,[0-9]{0,3}-[0-9]{0,3})?", fullmatch=True),
    st.from_regex(r"(bytes|items) ?= ?[0-9 -]{0,9}", fullmatch=True),
)


async def _get(world: World, path: str, headers: dict[str, str], **query: str) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {world.token}", **headers}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(world.url + path, params=query) as response,
    ):
        return response.status, await response.read()


async def test_any_range_of_a_recording_is_a_part_of_it_or_refused(world: World) -> None:
    path = f"/api/v1/recordings/{world.recording}"
    _, whole = await _get(world, path, {})
    assert len(whole) == world.recording_bytes
    loop = asyncio.get_running_loop()

    @fuzz(100)
    @given(ranges)
    def ask(text: str) -> None:
        asked = _get(world, path, {"Range": text})
        status, body = asyncio.run_coroutine_threadsafe(asked, loop).result(20)
        assert status in (200, 206, 416)
        if status == 200:
            assert body == whole
        elif status == 206:
            assert body
            assert body in whole

    await asyncio.to_thread(ask)


async def test_any_cursor_and_filter_is_taken_or_refused(world: World) -> None:
    loop = asyncio.get_running_loop()
    status, _ = await _get(world, "/api/v1/calls", {}, cursor=world.cursor)
    assert status == 200

    @fuzz(100)
    @given(
        st.one_of(
            st.text(max_size=40),
            st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
            st.sampled_from(
                [
                    *("9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00:00+23:59", "24:00"),
                    *("23:59:59.999999", "00:00", "2026-03-29T02:30:00+02:00", "1e400", "\0"),
                ]
            ),
            st.tuples(st.integers(0, len(world.cursor)), st.text("AZaz09-_=+/", max_size=3)).map(
                lambda cut: world.cursor[: cut[0]] + cut[1] + world.cursor[cut[0] + 1 :]
            ),
        ),
        st.sampled_from(
            [
                "cursor",
                "since",
                "until",
                "number",
                "time_since",
                "time_until",
                "changed_since",
                "sort",
            ]
        ),
    )
    def ask(text: str, field: str) -> None:
        asked = _get(world, "/api/v1/calls", {}, **{field: text})
        status, body = asyncio.run_coroutine_threadsafe(asked, loop).result(20)
        assert status in (200, 422), body

    await asyncio.to_thread(ask)


async def test_any_place_in_the_events_is_taken_or_refused(world: World) -> None:
    loop = asyncio.get_running_loop()
    texts = st.one_of(
        st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=45),
        st.from_regex(r"[0-9]{1,19}(-[0-9]{1,19})?", fullmatch=True),
    )

    async def status_of(place: str, header: bool, kind: str) -> int:
        query = {"kind": kind} if header else {"kind": kind, "last_event_id": place}
        headers = {"Last-Event-ID": place} if header else {}
        headers["Authorization"] = f"Bearer {world.token}"
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(world.url + EVENTS, params=query) as response,
        ):
            return response.status

    @fuzz(50)
    @given(texts, st.booleans(), st.sampled_from(["call.answered", "", "*", "call.ended\0"]))
    def ask(place: str, header: bool, kind: str) -> None:
        asked = status_of(place, header, kind)
        assert asyncio.run_coroutine_threadsafe(asked, loop).result(20) in (200, 422)

    await asyncio.to_thread(ask)


async def test_any_filter_of_the_console_is_a_page(world: World) -> None:
    loop = asyncio.get_running_loop()
    fields = ["first_day", "last_day", "direction", "outcome", "extension", "number", "cursor", "x"]
    values = st.one_of(
        st.text(max_size=30),
        st.dates().map(str),
        st.sampled_from(["9999-12-31", "0001-01-01", "MISSED", "inbound", "%", "_", "\0"]),
    )

    @fuzz(100)
    @given(
        st.sampled_from(["/calls", "/calls", "/calls/1", "/sign-in", "/alarms", "/static/x"]),
        st.dictionaries(st.sampled_from(fields), values, max_size=3),
    )
    def ask(path: str, query: dict[str, str]) -> None:
        asked = _get(world, path, {"Accept": "text/html"}, **query)
        status, body = asyncio.run_coroutine_threadsafe(asked, loop).result(20)
        assert status in (200, 404, 422)
        assert b"Traceback" not in body

    await asyncio.to_thread(ask)
