"""What callers can send: each call is routed or refused by a rule, and nothing is evaluated."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from callctl.demo.play import Api
from callctl.demo.sip import BUSY, Answer
from tests.asterisk.scenarios.office import ALICE, Office

pytestmark = pytest.mark.asterisk

DID = "+3617000103"
EVIL = "evil"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A call, the code that its caller hears, and how many records it leaves.

    ``{evil}`` stands for a path that must never come to be.
    """

    how: dict[str, Any] = field(default_factory=dict)
    to: str = DID
    code: int = 486
    records: int = 1


CALLS = {
    "quotes": Hostile({"display": 'Bob \\"the\\" x, \\\\ y'}),
    "separators": Hostile({"display": "a, b; c=1 & d | e ~ f ^ g ! %22 %0a"}),
    "expression in the name": Hostile({"display": "${SHELL(touch {evil})} $[1+1] ${ENV(PATH)}"}),
    "raw bytes": Hostile({"display": "raw \udcff\udcfe\udc80 bytes"}),
    "scripts": Hostile({"display": "Žofie Åkerlund 王小明 😀 \u202egnirts"}),
    "long name": Hostile({"display": "L" * 10_000}),
    "long header": Hostile({"headers": ("X-Junk: " + "j" * 10_000,)}),
    "newline in the number": Hostile({"user": ALICE + "%0a%22,%22x"}),
    "forged event in the number": Hostile(
        {"user": ALICE + "%0d%0a%0d%0aEvent%3a%20Evil%0d%0aX%3a%20y"}
    ),
    "forged AGI lines": Hostile({"user": ALICE + "%0aagi_arg_1%3a%20102%0aagi_extension%3a%20102"}),
    "expression in the number": Hostile({"user": "%24%7BSHELL(touch%20{evil})%7D"}),
    "500 digits": Hostile({"user": "9" * 500}),
    "HTML in the name": Hostile({"display": "<script>hostile()</script><img src=x onerror=a()>"}),
    "HTML in the number": Hostile({"user": ALICE + "%3cscript%3ehostile()%3c%2fscript%3e"}),
    "SQL in the name": Hostile({"display": "'); drop table calls; --"}),
    "SQL in the number": Hostile({"user": ALICE + "%27%29%3bdrop%20table%20calls%3b--"}),
    "formula in the name": Hostile({"display": "=HYPERLINK(1) @SUM(1) +1 -1 | cmd"}),
    "formula in the number": Hostile({"user": "=1%2b1"}),
    "header in the name": Hostile({"display": "x%0d%0aSet-Cookie: a=b; filename=y.wav"}),
    "NUL in the number": Hostile({"user": ALICE + "%00" + ALICE}),
    "bytes in the number": Hostile({"user": "%ff%fe" + ALICE}),
    "terminal commands in the number": Hostile({"user": ALICE + "%1b%5b2J%07%08"}),
    "a journal row in the name": Hostile(
        {"display": '\\",\\"x\\"\\n1700000000,\\"CHAN_END\\",\\"1700000000.000001\\",\\"'}
    ),
    "no number": Hostile({"user": ""}),
    "brackets": Hostile({"user": "+44(7700)900-101"}),
    "plus signs": Hostile({"user": "+++"}),
    "newline in what is dialled": Hostile(to=DID + "%0a"),
    "fork in what is dialled": Hostile(to=DID + "&PJSIP%2F102", code=404),
    "options in what is dialled": Hostile(to=DID + ",60,g", code=404),
    "expression in what is dialled": Hostile(to="%24%7BSHELL(touch%20{evil})%7D", code=404),
    "many digits dialled": Hostile(to="3" * 300, code=404),
    "special extension h": Hostile(to="h", code=404),
    "special extension s": Hostile(to="s", code=404),
    "special extension T": Hostile(to="T", code=404),
}


@pytest.mark.parametrize("name", CALLS)
async def test_caller_s_words_are_data(office: Office, api: Api, name: str) -> None:
    hostile = CALLS[name]
    evil = office.stack.asterisk.recordings_spool / EVIL
    busy, other = await office.phones({"103": BUSY, "102": Answer()})
    how = json.loads(json.dumps(hostile.how).replace("{evil}", str(evil)))
    to = hostile.to.replace("{evil}", str(evil).replace("/", "%2F"))
    caller = await office.outside(to, records=hostile.records, **how)
    saw = await caller.ended()
    assert saw.final_code == hostile.code
    record = await office.only_record()
    call = record["call"]
    assert call["direction"] == "inbound"
    assert call["completeness"] == "complete"
    assert call["disposition"] == ("BUSY" if hostile.code == 486 else "REJECTED")
    assert [a["extension"] for a in record["attempts"]] == ["103"] * (hostile.code == 486)
    assert len(busy.calls) == (hostile.code == 486)
    assert other.calls == []
    assert not evil.exists()
    rows = await api.get_bytes(f"/api/v1/calls/{call['id']}/journal")
    assert rows.count(b'"CHAN_END"') >= 1
    for path in ("/calls", f"/calls/{call['id']}"):
        async with api.request("GET", path, headers={"Accept": "text/html"}) as response:
            page = await response.text()
            assert response.status == 200
        assert "Set-Cookie" not in response.headers
        assert "hostile()" not in page or "&lt;" in page
        assert "<script>hostile" not in page
        assert "<img src=x" not in page
        assert "\x1b" not in page
        assert "\0" not in page
