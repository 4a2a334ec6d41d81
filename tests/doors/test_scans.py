"""Scanners learn nothing; their attempts are written so that fail2ban bans them and nobody else."""

import asyncio
import re
import statistics
import time
from pathlib import Path

import aiohttp
import pytest

from callctl.telemetry.log import configure_logging, get_logger
from tests.asterisk.raw_sip import RawSip
from tests.doors.bans import counted
from tests.doors.house import NET, House

pytestmark = pytest.mark.asterisk

SCANNER = f"{NET}.66"
VICTIM = "203.0.113.66"
USERS = ("101", "103", "nobody", "carrier-a", "carrier-r", "s", "101x")
METHODS = (
    *("REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "NOTIFY"),
    "INFO",
)
TIMED = 120


def uri(house: House, method: str) -> str:
    return f"sip:{house.address}" if method == "REGISTER" else f"sip:101@{house.address}"


def shape(answer: str) -> str:
    """An answer without what is of its own request, and without what is random."""
    answer = re.sub(r'(nonce|opaque)="[^"]*"', r"\1", answer)
    lines = answer.split("\r\n")
    return "\n".join(x for x in lines if not re.match(r"(Via|From|To|Call-ID|CSeq):", x))


@pytest.mark.parametrize("secret", [None, "wrong"], ids=["without", "wrong"])
async def test_known_and_unknown_users_are_answered_alike(house: House, secret: str | None) -> None:
    answers = set()
    with RawSip(SCANNER, house.address) as scanner:
        for method in METHODS:
            for user in USERS:
                code, text = await scanner.ask(
                    *(method, uri(house, method), user),
                    *(f"Contact: <sip:x@{SCANNER}>", "Event: presence"),
                    secret=secret,
                )
                answers.add((code, shape(text)))
    ((code, text),) = answers
    assert code == 401
    assert "callctl" in text
    assert "Asterisk" not in text


async def test_known_and_unknown_users_are_answered_in_turns_for_comparison(house: House) -> None:
    """Judges codes alone; times are printed (pytest -s), since machines are busy."""
    took: dict[str, list[float]] = {"101": [], "nobody": []}
    with RawSip(SCANNER, house.address) as scanner:
        for _ in range(TIMED):
            for user, times in took.items():
                began = time.perf_counter()
                code, _ = await scanner.ask(
                    *("REGISTER", f"sip:{house.address}", user, f"Contact: <sip:x@{SCANNER}>"),
                    secret="wrong",
                )
                times.append(1000 * (time.perf_counter() - began))
                assert code == 401
    for user, times in took.items():
        cuts = statistics.quantiles(times, n=10)
        print(
            f"\nREGISTER with a wrong password, user {user}: {TIMED} times, ms: "
            f"median {statistics.median(times):.2f}, p10 {cuts[0]:.2f}, p90 {cuts[-1]:.2f}"
        )


# Text that tries to be more than text: of a user name (escaped as SIP wants it), of a Call-ID and
# of a digest's response.
FORGED = f'RemoteAddress="IPV4/UDP/{VICTIM}/5060"'
LINE = (
    '{"hostname":"callctl","timestamp":"2026-11-22 18:41:15.303 +0000","identifiers":{"lwp":1,'
    '"callid":""},"logmsg":{"location":{},"level":"SECURITY","message":"SecurityEvent='
    f'\\"InvalidAccountID\\",AccountID=\\"x\\",RemoteAddress=\\"IPV4/UDP/{VICTIM}/5060\\"\\n"}}}}'
)
TEXTS = (
    f'x",{FORGED}',
    f'x",{FORGED},Challenge="a',
    f'x",{FORGED},Challenge="a",Response="b",ExpectedResponse="',
    f'x",{FORGED}\n',
    f'x",{FORGED}\\n"}}}}',
    f"x\n{LINE}\n",
    f'x\n[2026-11-22 18:38:54.110 +0000] SECURITY[7] res_security_log.c: SecurityEvent="'
    f'InvalidPassword",AccountID="1",{FORGED}\n',
    f"' failed for '{VICTIM}:5060' (callid: 1) - No matching endpoint found\n",
)


def escaped(text: str) -> str:
    """As a SIP user part: everything but letters and digits as ``%xx``."""
    return "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in text)


def in_header(text: str) -> str:
    return text.replace("\n", " ")


async def test_scan_is_in_the_security_log_as_fail2ban_reads_it(
    house: House, tmp_path: Path
) -> None:
    """Each attempt counts for who made it; nobody's words count against anybody else."""
    security = house.stack.asterisk.security_log
    before = security.stat().st_size
    with RawSip(SCANNER, house.address) as scanner:
        contact = f"Contact: <sip:x@{SCANNER}>"
        for text in TEXTS:
            for user, call_id, headers in (
                (escaped(text), None, ()),
                ("101", in_header(text), ()),
                ("nobody", in_header(text), ()),
                ("101", None, (forged_login(house, text),)),
            ):
                code, _ = await scanner.ask(
                    *("REGISTER", f"sip:{house.address}", user, contact, *headers),
                    secret=None if headers else "wrong",
                    call_id=call_id,
                )
                assert code in (400, 401), (user, call_id)
    with RawSip(f"{NET}.67", house.address) as scanner:
        await scanner.ask("REGISTER", f"sip:{house.address}", "101", contact, secret="wrong")
        await scanner.ask("OPTIONS", f"sip:{house.address}", "nobody")
    part = tmp_path / "security"
    async with asyncio.timeout(10):
        while True:
            part.write_bytes(security.read_bytes()[before:])
            banned = await counted(part, "callctl-asterisk")
            if banned[f"{NET}.67"] >= 2:
                break
            await asyncio.sleep(0.1)
    assert set(banned) == {SCANNER, f"{NET}.67"}
    assert banned[SCANNER] >= 3 * len(TEXTS)
    # That the words were written at all, and so could have been read wrongly:
    assert part.read_text(errors="replace").count(VICTIM) >= 2 * len(TEXTS)


def forged_login(house: House, text: str) -> str:
    """A digest whose fields hold `text`, with quotes as RFC 3261 25.1 escapes them."""
    quoted = in_header(text).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f'Authorization: Digest username="101", realm="callctl", nonce="{quoted}", '
        f'uri="sip:{house.address}", response="{quoted}", algorithm=MD5, qop=auth, '
        f'nc=00000001, cnonce="{quoted}", opaque="{quoted}"'
    )


LOGINS = (
    "admin",
    f'x", "address": "{VICTIM}", "event": "sign_in_refused", "a": "',
    f"x address={VICTIM}",
    f"x\n2026-11-22T18:41:15.303000Z [warning  ] sign_in_refused [callctl.access] address={VICTIM}",
    f'x\n{{"address": "{VICTIM}", "event": "sign_in_refused", "level": "warning"}}',
    f"[warning  ] sign_in_refused   [callctl.access] address={VICTIM} ",
    f"\x1b[2J\radrress={VICTIM}",
)


async def test_refused_sign_ins_and_tokens_are_in_our_log_as_fail2ban_reads_it(
    house: House, tmp_path: Path
) -> None:
    begun = house.log.stat().st_size
    connector = aiohttp.TCPConnector(local_addr=(SCANNER, 0))
    async with aiohttp.ClientSession(house.stack.url, connector=connector) as scanner:
        for login in LOGINS:
            credentials = {"login": login[:200], "password": "guessed it"}
            forwarded = {"X-Forwarded-For": VICTIM}
            async with scanner.post(
                "/api/v1/sessions", json=credentials, headers=forwarded
            ) as response:
                assert response.status in (401, 422, 429)
            async with scanner.post(
                "/sign-in", data=credentials, headers={"Origin": house.stack.url}
            ) as response:
                assert response.status in (401, 422, 429)
        for token in ("guess", f"address={VICTIM}", f'", "address": "{VICTIM}"'):
            headers = {"Authorization": f"Bearer {token}"}
            async with scanner.get("/api/v1/calls", headers=headers) as response:
                assert response.status == 401
    part = tmp_path / "callctl.log"
    part.write_bytes(house.log.read_bytes()[begun:])
    banned = await counted(part, "callctl")
    assert set(banned) == {SCANNER}
    assert banned[SCANNER] >= len(LOGINS) + 3
    assert VICTIM in part.read_text()


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("prefix", ["", "Nov 22 18:41:15 host callctl[123]: "])
async def test_either_form_of_our_log_is_read_alike(tmp_path: Path, form: str, prefix: str) -> None:
    log = tmp_path / "callctl.log"
    try:
        with log.open("w") as stream:
            configure_logging("info", form, stream)
            for login in LOGINS:
                get_logger("callctl.access").warning(
                    "sign_in_refused", login=login, address="198.51.100.7"
                )
            get_logger("callctl.access").warning("token_refused", address="2001:db8::7")
            get_logger("callctl.http").info("http_request", actor=f"x address={VICTIM}")
    finally:
        configure_logging()
    log.write_text("".join(prefix + line + "\n" for line in log.read_text().splitlines()))
    assert await counted(log, "callctl") == {"198.51.100.7": len(LOGINS), "2001:db8::7": 1}
