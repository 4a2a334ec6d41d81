"""Who gets in: schedules, blocked and withheld callers, unknown numbers, and forgeries."""

import asyncio
import hashlib
import re
import socket
from typing import Any

import pytest

from callctl.demo.sip import Answer, Phone, Redirect
from tests.asterisk.scenarios.office import Office, reasons, results

pytestmark = pytest.mark.asterisk

WITHHELD: dict[str, Any] = {
    "user": "anonymous",
    "domain": "anonymous.invalid",
    "display": "Anonymous",
    "headers": ("Privacy: id",),
}


async def test_refused_callers_hear_the_right_code_and_leave_one_record(office: Office) -> None:
    """Closed, two kinds of blocked, an unknown number: nobody rings."""
    phones = await office.phones({"101": Answer(), "102": Answer()})

    async def refused(to: str, from_: str, code: int, reason: str) -> dict[str, Any]:
        caller = await office.outside(to, from_)
        assert (await caller.ended()).final_code == code
        record = await office.verified(caller, ())
        assert reason in [name for name, _ in reasons(record)]
        assert record["call"]["direction"] == "inbound"
        assert record["call"]["disposition"] == "REJECTED"
        assert not record["call"]["missed"]
        return record

    closed, blocked, premium, unknown = await asyncio.gather(
        refused("+3617000301", "+36201110301", 480, "closed"),
        refused("+3617000101", "+36205550666", 403, "blocked_caller"),
        refused("+3617000101", "+3690123456", 486, "blocked_caller"),
        refused("+3617009999", "+36201119999", 404, "unknown_number"),
    )
    assert closed["call"]["did"] == "+3617000301"
    assert ("blocked_caller", "+36205550666") in reasons(blocked)
    assert premium["call"]["to_number"] == "+3617000101"
    assert (unknown["call"]["to_number"], unknown["call"]["did"]) == ("+3617009999", None)
    assert [phone.calls for phone in phones] == [[], []]


async def test_callers_get_the_way_that_is_set_for_them(office: Office) -> None:
    """Closed goes to 102, so does the important caller; a withheld one is not for 125."""
    first, second, private = await office.phones(
        {"101": Answer(after=0.2), "102": Answer(after=0.2), "125": Answer()}
    )

    async def call(to: str, from_: str, who: str, **how: Any) -> dict[str, Any]:
        caller = await office.outside(to, from_, talk=0.4, **how)
        await caller.ended()
        return await office.verified(caller, (who,))

    closed, important, ordinary = await asyncio.gather(
        call("+3617000302", "+36201110302", "102"),
        call("+3617000303", "+36205550100", "102"),
        call("+3617000303", "+36201110303", "101"),
    )
    assert ("closed", "never") in reasons(closed)
    assert ("caller_route", "+36205550100") in reasons(important)
    assert "caller_route" not in [code for code, _ in reasons(ordinary)]
    caller = await office.outside("+3617000304", talk=0.4, **WITHHELD)
    await first.until(lambda c: c.from_name.lower() == "anonymous" or "anon" in c.from_number)
    await caller.ended()
    # The carrier knows who calls, and says so for us alone.
    identity = ('P-Asserted-Identity: "Eve" <sip:+36201110777@127.0.0.1>',)
    headers = WITHHELD["headers"] + identity
    caller = await office.outside("+3617000304", talk=0.4, **WITHHELD | {"headers": headers})
    await caller.ended()
    records = [c for c in await _after(office, 5) if c["did"] == "+3617000304"]
    assert [(c["from_number"], c["from_name"], c["answered_by"]) for c in records] == [
        (None, None, "101"),
        (None, None, "101"),
    ]
    assert private.calls == []
    assert len(second.calls) == 2


async def _after(office: Office, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        while len(history := await office.history()) < count:
            await asyncio.sleep(0.1)
    return history


@pytest.mark.parametrize(
    "forged",
    [
        {"user": "101"},
        {"user": "101", "headers": ("P-Asserted-Identity: <sip:101@127.0.7.1>",)},
        {"user": "101", "headers": ("Remote-Party-ID: <sip:101@127.0.7.1>;party=calling",)},
    ],
    ids=["From", "P-Asserted-Identity", "Remote-Party-ID"],
)
async def test_forged_extension_on_a_trunk_gets_none_of_its_rights(
    office: Office, carriers: dict[str, Phone], forged: dict[str, Any]
) -> None:
    """101 may dial abroad; whoever says to be 101 on a trunk stays outside, and goes nowhere."""
    before = {name: len(c.calls) for name, c in carriers.items()}
    phone = await office.phone("102", Answer())
    for to in ("06301112233", "00442071838750", "102", "112"):
        caller = await office.outside(to, "101", **forged)
        saw = await caller.ended()
        assert saw.final_code == 404
    for record in await _after(office, 4):
        assert record["direction"] == "inbound"
        assert record["disposition"] == "REJECTED"
        assert record["extension"] is None
    assert phone.calls == []
    assert {name: len(c.calls) for name, c in carriers.items()} == before


async def test_own_redirection_of_a_phone_places_no_call(
    office: Office, carriers: dict[str, Phone]
) -> None:
    before = {name: len(c.calls) for name, c in carriers.items()}
    astray = Redirect(f"sip:06301112233@{office.stack.address}")
    await office.phones({"141": astray, "101": Answer(after=0.2)})
    caller = await office.outside("+3617000141", talk=0.4)
    await caller.ended()
    record = await office.record(caller)
    assert results(record)[-1] == ("101", "ANSWER")
    assert [name for name, _ in results(record)] == ["141", "101"]
    assert {name: len(c.calls) for name, c in carriers.items()} == before


@pytest.mark.parametrize("who", ["101", "carrier"])
async def test_refer_outside_a_call_places_none(
    office: Office, carriers: dict[str, Phone], who: str
) -> None:
    """Also when the phone knows its password (RFC 3515 would allow it)."""
    before = {name: len(c.calls) for name, c in carriers.items()}
    phone = await office.phone("102", Answer())
    address = office.address("101" if who == "101" else "22")
    for to in ("102", "06301112233"):
        refer = SipRequest("REFER", who, address, office.stack.address)
        headers = (f"Refer-To: <sip:{to}@{office.stack.address}>", f"Referred-By: <sip:{who}@x>")
        code = await asyncio.to_thread(refer.send, office.secrets.get(who), headers)
        # 401 is no refusal of the request, only of the password.
        assert code >= 400
        assert code != 401
    assert phone.calls == []
    assert {name: len(c.calls) for name, c in carriers.items()} == before
    assert "0 active channels" in await office.stack.asterisk.cli("core show channels count")


class SipRequest:
    """One request outside any dialog, sent as a program would, with digest if it is asked for."""

    def __init__(self, method: str, user: str, address: str, server: str) -> None:
        self.method = method
        self.user = user
        self.server = server
        self.uri = f"sip:{user}@{server}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self._socket.settimeout(3.0)
        self._local = f"{address}:{self._socket.getsockname()[1]}"

    def send(self, secret: str | None, headers: tuple[str, ...]) -> int:
        """The code of the final answer."""
        with self._socket:
            answer = self._exchange(1, headers)
            challenge = re.search(r"WWW-Authenticate: Digest .*", answer)
            if secret is not None and challenge is not None:
                login = self._login(challenge[0], secret)
                answer = self._exchange(2, (*headers, login))
        return int(answer.split(" ")[1])

    def _exchange(self, number: int, headers: tuple[str, ...]) -> str:
        lines = (
            f"{self.method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._local};rport;branch=z9hG4bK{id(self)}{number}",
            f"From: <sip:{self.user}@{self.server}>;tag=x{id(self)}",
            f"To: <{self.uri}>",
            f"Call-ID: outside-{id(self)}-{self._local}",
            f"CSeq: {number} {self.method}",
            f"Contact: <sip:{self.user}@{self._local}>",
            "Max-Forwards: 70",
            *headers,
            "Content-Length: 0",
        )
        self._socket.sendto("\r\n".join((*lines, "", "")).encode(), (self.server, 5060))
        while True:
            answer = self._socket.recv(65536).decode(errors="replace")
            if answer.startswith("SIP/2.0 ") and not answer.startswith("SIP/2.0 1"):
                return answer

    def _login(self, challenge: str, secret: str) -> str:
        fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))

        def md5(*parts: str) -> str:
            return hashlib.md5(":".join(parts).encode()).hexdigest()

        one = md5(self.user, fields["realm"], secret)
        two = md5(self.method, self.uri)
        response = md5(one, fields["nonce"], "00000001", "c", "auth", two)
        return (
            f'Authorization: Digest username="{self.user}", realm="{fields["realm"]}", '
            f'nonce="{fields["nonce"]}", uri="{self.uri}", response="{response}", '
            f'algorithm=MD5, qop=auth, nc=00000001, cnonce="c", '
            f'opaque="{fields.get("opaque", "")}"'
        )
