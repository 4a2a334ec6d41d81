"""Plays the demo's calls on the stage, shows each as it happens, and holds its record against
what the phones saw."""

import asyncio
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from callctl.demo.script import DemoCall
from callctl.demo.sip import Answer
from callctl.demo.sip_log import PhoneSaw, placed_since
from callctl.demo.stage import Stage
from callctl.demo.tone import tone_hz
from callctl.demo.verify import Seen, differences, sides_of, strongest_tone

CALL_SECONDS = 40.0
RECORD_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Played:
    """A call of the demo as it went. `problems` is empty when its record is right."""

    call: DemoCall
    seen: Seen
    record: dict[str, Any] | None
    problems: list[str]


class Api:
    """The API at `url`, asked as any program would ask it."""

    def __init__(self, url: str, token: str, session: aiohttp.ClientSession) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session = session

    async def get(self, path: str, **query: str) -> Any:
        async with self.request("GET", path, params=query) as response:
            response.raise_for_status()
            return await response.json()

    async def get_bytes(self, path: str) -> bytes:
        async with self.request("GET", path) as response:
            response.raise_for_status()
            body: bytes = await response.read()
            return body

    async def send(
        self, method: str, path: str, body: Any = None, *, data: bytes | None = None
    ) -> Any:
        """A change; `data` is CSV. Raises RuntimeError with the API's own words when it refuses."""
        headers = {"Idempotency-Key": secrets.token_hex(8)}
        if data is not None:
            headers["Content-Type"] = "text/csv"
        async with self.request(method, path, json=body, data=data, headers=headers) as response:
            if response.status >= 400:
                raise RuntimeError(f"{method} {path}: {await response.text()}")
            return await response.json()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: bytes | None = None,
    ) -> Any:
        """One request, as a context manager that gives the response, whatever its status."""
        return self._session.request(
            method,
            f"{self._url}{path}",
            params=params,
            json=json,
            data=data,
            headers={**self._headers, **(headers or {})},
        )


async def play(stage: Stage, api: Api, call: DemoCall) -> Played:
    """Place `call`, wait for its end and for its record, compare."""
    for name in stage.phones.keys() | stage.carriers.keys():
        party = stage.party(name)
        behaviour = call.behaviours.get(name, Answer())
        if party is not None and party.behaviour != behaviour:
            await party.behave(behaviour)
    caller = stage.caller(call.from_, call.to, via=call.via, talk=call.talk)
    async with caller:
        caller_saw = await caller.ended(seconds=CALL_SECONDS)
    seen = Seen(caller_saw, tuple((n, _saw(stage, n, caller_saw)) for n in call.tried))
    problems = _strays(stage, call, caller_saw) + _unlike_script(call, seen)
    record = await _record(api, caller_saw)
    if record is None:
        return Played(call, seen, None, [*problems, f"no record after {RECORD_SECONDS:.0f} s"])
    problems += differences(record, seen)
    problems += await _recording_problems(api, call, record, caller_saw)
    return Played(call, seen, record, problems)


def _saw(stage: Stage, name: str, caller: PhoneSaw) -> PhoneSaw | None:
    """What `name` saw of the call that `caller` placed: calls of the demo come one by one."""
    party = stage.party(name)
    calls = placed_since(party.calls, caller) if party else []
    return calls[-1] if calls else None


def _strays(stage: Stage, call: DemoCall, caller: PhoneSaw) -> list[str]:
    others = (stage.phones.keys() | stage.carriers.keys()) - set(call.tried)
    return [f"{n} rang and should not have" for n in sorted(others) if _saw(stage, n, caller)]


def _unlike_script(call: DemoCall, seen: Seen) -> list[str]:
    """Whether the phones did what the demo is about."""
    rang = [saw for _, saw in seen.tried if saw is not None]
    in_order = sorted(rang, key=lambda s: s.invited_at)
    answered = [name for name, saw in seen.tried if saw and saw.answered_at]
    problems = [] if rang == in_order else ["the phones rang in another order than planned"]
    if answered != ([call.answers] if call.answers else []):
        problems.append(f"answered by {answered}, planned {call.answers}")
    return problems


async def _record(api: Api, caller: PhoneSaw) -> dict[str, Any] | None:
    """The call's record, once it stands in the history."""
    since = datetime.fromtimestamp(caller.invited_at - 0.5).astimezone().isoformat()
    try:
        async with asyncio.timeout(RECORD_SECONDS):
            while True:
                page = await api.get("/api/v1/calls", since=since)
                if page["items"]:
                    if len(page["items"]) > 1:
                        return None
                    record: dict[str, Any] = await api.get(
                        f"/api/v1/calls/{page['items'][0]['id']}"
                    )
                    if not any(r["state"] == "pending" for r in record["recordings"]):
                        return record
                await asyncio.sleep(0.1)
    except TimeoutError:
        return None


async def _recording_problems(
    api: Api, call: DemoCall, record: dict[str, Any], caller: PhoneSaw
) -> list[str]:
    """One file with the caller's tone on the left and the other's on the right, or none."""
    recordings = record["recordings"]
    if not call.recorded:
        return [f"{len(recordings)} recordings, planned none"] if recordings else []
    if len(recordings) != 1 or recordings[0]["state"] != "available":
        return [f"recordings: {recordings}"]
    wav = await api.get_bytes(f"/api/v1/recordings/{recordings[0]['id']}")
    left, right, seconds = sides_of(wav)
    tones = [tone_hz(call.from_), tone_hz(call.answers or "")]
    heard = [strongest_tone(side[-8000:], tones) for side in (left, right)]
    problems = [] if heard == tones else [f"recorded tones {heard} Hz, spoken {tones} Hz"]
    if not math.isclose(seconds, caller.talk_seconds or 0.0, abs_tol=0.5):
        problems.append(f"recorded {seconds:.1f} s, spoken {caller.talk_seconds:.1f} s")
    return problems
