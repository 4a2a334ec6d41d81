"""Secrets are made, not given, and stand nowhere but where they belong."""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from callctl.asterisk.runtime import descendants
from callctl.config import Settings
from callctl.demo.sip import Answer, Caller, Phone
from tests.doors.house import NET, House, command, counted

pytestmark = pytest.mark.asterisk

BROWSER = {"Accept": "text/html"}
NOT_ASKED = ("/api/v1/sessions", "/api/v1/events")


class Heard:
    """Everything that could tell a secret, by where it was heard."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def add(self, place: str, text: str | bytes) -> None:
        self.texts[place] = text if isinstance(text, str) else text.decode("utf-8", "replace")

    def telling(self, secrets: dict[str, str]) -> list[str]:
        return [
            f"{place} tells the secret of {name}"
            for place, text in self.texts.items()
            for name, secret in secrets.items()
            if secret in text
        ]


async def _everything_that_is_served(house: House, heard: Heard, session: str) -> None:
    """Each GET of the API with a token and without, the console with the session."""
    document = await house.get("/api/v1/openapi.json")
    call = (await house.calls(1))[0]["id"]
    headers = {"Authorization": f"Bearer {house.token}"}
    cookies = {"Cookie": f"callctl_session={session}"}
    async with aiohttp.ClientSession(house.stack.url) as client:
        for path, item in document["paths"].items():
            if "get" not in item or path in NOT_ASKED:
                continue
            place = path.replace("{id}", str(call)).replace("{name}", "101")
            for given in ({}, headers, {"Authorization": "Bearer wrong"}, cookies):
                async with client.get(place, headers=given) as response:
                    heard.add(f"GET {place} {sorted(given)}", await response.read())
        for path in ("/calls", f"/calls/{call}", "/sign-in", "/nothing", "/alarms"):
            async with client.get(path, headers=cookies | BROWSER) as response:
                heard.add(f"page {path}", await response.read())


async def _mistakes(house: House, heard: Heard) -> None:
    """Errors that speak of what was sent, with secrets in it."""
    headers = {"Authorization": f"Bearer {house.token}"}
    secret = house.secrets["SIP 101"]
    bodies = (
        {"number": "101", "secret": secret + " "},
        {"number": "101", "secret": [secret]},
        {"number": "101", "secret": secret, "ring_seconds": "soon"},
        {"number": "nonsense", "secret": secret},
    )
    async with aiohttp.ClientSession(house.stack.url, headers=headers) as client:
        for body in bodies:
            for path in ("/api/v1/routing/extensions", "/api/v1/routing"):
                async with client.request(
                    "POST" if "ext" in path else "PUT", path, json=body
                ) as response:
                    assert response.status >= 400
                    heard.add(f"refused {path} {sorted(body)}", await response.read())


def _command_lines(house: House) -> Iterator[tuple[str, bytes]]:
    """Of the daemon, of Asterisk, and of all that they started."""
    daemon = house.daemon._process
    assert daemon is not None
    for root in (daemon.pid, os.getpid()):
        for pid in descendants(root):
            with contextlib.suppress(OSError):
                yield f"command line of {pid}", Path(f"/proc/{pid}/cmdline").read_bytes()


async def _sign_in(house: House, heard: Heard) -> str:
    """By the API and by the page, rightly and wrongly; the session's secret."""
    session = ""
    good = {"login": "admin", "password": house.secrets["admin"]}
    origin = {"Origin": house.stack.url}
    async with aiohttp.ClientSession(
        house.stack.url, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:
        for credentials in (good, good | {"login": "nobody"}, {"login": house.secrets["admin"]}):
            async with client.post("/api/v1/sessions", json=credentials) as response:
                heard.add(f"session {credentials.keys()}", await response.read())
                if response.status == 201:
                    session = response.cookies["callctl_session"].value
            async with client.post(
                "/sign-in", data=credentials, headers=origin, allow_redirects=False
            ) as response:
                heard.add(f"sign-in {credentials.keys()}", await response.read())
    assert session
    return session


async def _call(house: House, directory: Path) -> None:
    """One from outside, one from inside, recorded."""
    secret = house.secrets["SIP 101"]
    phone = Phone("103", f"{NET}.103", house.address, directory, behaviour=Answer())
    await phone.listen()
    try:
        for name, address, key, to in (
            ("+36201119999", f"{NET}.21", None, "+3617000103"),
            ("101", f"{NET}.101", secret, "103"),
        ):
            caller = Caller(name, address, house.address, directory, to=to, secret=key, talk=0.3)
            async with caller:
                await caller.ended()
            await caller.stop()
    finally:
        await phone.stop()
    await house.idle()


async def test_no_secret_is_told_by_anything_that_speaks(house: House, tmp_path: Path) -> None:
    heard = Heard()
    before = len(house.rows())
    await _call(house, tmp_path)
    assert counted(house.rows()[before:]) == {"plan": 2}
    session = await _sign_in(house, heard)
    await _mistakes(house, heard)
    await _everything_that_is_served(house, heard, session)
    for place, line in _command_lines(house):
        heard.add(place, line)
    for words in (("routing", "export"), ("check-config",), ("journal", "status")):
        heard.add(" ".join(words), await command(house.stack, *words))
    asterisk = house.stack.asterisk
    for file in asterisk.values.log_dir.rglob("*"):
        if file.is_file():
            heard.add(f"Asterisk's {file.name}", file.read_bytes())
    heard.add("the daemon's log", house.log.read_bytes())
    assert '"sign_in_refused"' in heard.texts["the daemon's log"]
    assert len(heard.texts) > 100
    secrets = house.secrets | {"the session": session}
    assert all(len(secret) >= 16 for secret in secrets.values())
    assert heard.telling(secrets) == []


def test_files_that_hold_a_secret_are_not_for_everybody(house: House) -> None:
    found = []
    for file in house.stack.state_dir.rglob("*"):
        if not file.is_file() or file.is_symlink() or "sip" in file.parts:
            continue  # The simulated phones' own files are no part of an installation.
        mode = file.stat().st_mode
        assert not mode & 0o002, f"{file} is for everybody to write"
        if any(secret.encode() in file.read_bytes() for secret in house.secrets.values()):
            found.append(file.name)
            assert not mode & 0o007, f"{file} is for everybody to read"
    assert {"pjsip.conf", "manager.conf", "ami.secret"} <= set(found)


async def test_recordings_and_generated_files_are_for_owner_and_group(house: House) -> None:
    root = house.stack.settings.recordings_dir
    async with asyncio.timeout(20):
        while not (made := list(root.rglob("*.opus"))):
            await asyncio.sleep(0.1)
    for path in (*made, *made[0].parents[:3], *house.stack.asterisk.generated_dir.iterdir()):
        assert not path.stat().st_mode & 0o007, path


def test_secrets_have_no_default(house: House) -> None:
    """No two installations have a secret in common, so none can be known beforehand."""
    assert Settings().ami_secret == ""
    assert Settings().database_url is None
    made = [house.secrets[name] for name in ("SIP 101", "SIP 102", "SIP 103", "manager", "admin")]
    assert len(set(made)) == len(made)
    for secret in made:
        assert len(set(secret)) >= 8
        assert not re.search(r"secret|password|callctl|admin|101|123", secret)
    template = (Path(__file__).parents[2] / "asterisk-conf/manager.conf").read_text()
    assert "secret = {{ami_secret}}" in template
