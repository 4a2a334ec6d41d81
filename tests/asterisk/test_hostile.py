"""What strangers and broken phones send: it is refused or becomes harmless data."""

import asyncio
import re

import pytest

from callctl.core.routing.plan import HangupStep, RingStep, RingTarget
from callctl.demo.sip import Answer
from tests.asterisk.raw_sip import RawSip
from tests.asterisk.switch import Switch, plan, secret_of

pytestmark = pytest.mark.asterisk

DID = "+3617000001"
RING_101 = plan(RingStep((RingTarget("101", "101"),), 5), HangupStep(0))


async def test_known_and_unknown_users_are_challenged_alike(switch: Switch) -> None:
    answers = []
    with RawSip("127.0.2.66", switch.address) as stranger:
        for user in ("101", "nobody", "carrier-a"):
            code, text = await stranger.ask("REGISTER", f"sip:{switch.address}", user)
            shape = re.sub(
                r'(nonce|opaque)="[^"]*"|tag=\S+|branch=\S+|raw\S+|sip:\w+(-a)?@', "", text
            )
            answers.append((code, shape))
    assert answers[0][0] == 401
    assert answers[0] == answers[1] == answers[2]


async def test_wrong_password_is_in_the_security_log(switch: Switch) -> None:
    with RawSip("127.0.2.66", switch.address) as stranger:
        code, _ = await stranger.ask("REGISTER", f"sip:{switch.address}", "101", secret="wrong")
    assert code == 401
    wanted = re.compile(r"(ChallengeResponseFailed|InvalidPassword).*127\.0\.2\.66")
    async with asyncio.timeout(5):
        while not wanted.search(switch.instance.security_log.read_text()):
            await asyncio.sleep(0.05)


async def test_stranger_places_no_call(switch: Switch) -> None:
    before = len(switch.rows())
    with RawSip("127.0.2.66", switch.address) as stranger:
        for target in (DID, "101", "s", ""):
            uri = f"sip:{target}@{switch.address}" if target else f"sip:{switch.address}"
            code, _ = await stranger.ask(
                "INVITE", uri, "+36301112222", "Contact: <sip:x@127.0.2.66>"
            )
            assert code == 401
    assert len(await switch.rows_after(before)) == 0


@pytest.mark.parametrize("who", ["101", "stranger"])
async def test_out_of_dialog_refer_places_no_call(switch: Switch, who: str) -> None:
    before = len(switch.rows())
    secret = secret_of("101") if who == "101" else None
    with RawSip("127.0.2.66", switch.address) as phone:
        code, _ = await phone.ask(
            "REFER",
            f"sip:102@{switch.address}",
            "101",
            "Contact: <sip:101@127.0.2.66>",
            f"Refer-To: <sip:+3612345678@{switch.address}>",
            secret=secret,
        )
    assert code >= 400
    assert len(await switch.rows_after(before)) == 0


async def test_carrier_may_not_transfer(switch: Switch) -> None:
    switch.plans[DID] = RING_101
    before = len(switch.rows())
    async with switch.phone("101", Answer()) as phone, switch.call_in(DID) as caller:
        await phone.answered()
        assert await caller.transfer("+3612345678") >= 400
        await caller.hang_up()
        await caller.ended()
    names = {r["channame"].rpartition("-")[0] for r in await switch.rows_after(before)}
    assert names == {"PJSIP/carrier-a", "PJSIP/101"}


async def test_second_address_smuggled_into_a_contact_is_not_dialled(switch: Switch) -> None:
    switch.plans[DID] = plan(RingStep((RingTarget("106", "106"),), 2), HangupStep(0))
    contact = "<sip:106&PJSIP/carrier-a/sip%3A0900@127.0.2.106:5060>"
    with RawSip("127.0.2.106", switch.address) as phone:
        code, _ = await phone.ask(
            "REGISTER",
            f"sip:{switch.address}",
            "106",
            f"Contact: {contact};expires=60",
            secret=secret_of("106"),
        )
        assert code == 200
        before = len(switch.rows())
        async with switch.call_in(DID) as caller:
            await caller.ended()
        rows = await switch.rows_after(before)
        await phone.ask(
            "REGISTER",
            f"sip:{switch.address}",
            "106",
            "Contact: *",
            "Expires: 0",
            secret=secret_of("106"),
        )
    assert {r["channame"].rpartition("-")[0] for r in rows} == {"PJSIP/carrier-a"}
    assert [r.extra["dialstatus"] for r in rows if r.type == "CALLCTL_ATTEMPT"] == ["CHANUNAVAIL"]


@pytest.mark.parametrize(
    ("user", "display", "number", "name"),
    [
        ("+36301112222", 'Bob \\"the\\" x', "+36301112222", None),
        ("06%0d%0aEvent%3a%20Evil", "x", "060d0aEvent3a20Evil", None),
        ("06%0aagi_arg_1%3a%20admin", "x", None, None),
        ("%24%7BSHELL(id)%7D", "${SHELL(id)}", "SHELLid", "${SHELL(id)}"),
        ("555&PJSIP/102,60,g", "a,b;c=d", "555PJSIP10260g", "a,b;c=d"),
        ("anonymous", "Anonymous", "anonymous", "Anonymous"),
        ("+36301112222", "\udcff\udcfe bad", "+36301112222", None),
        ("9" * 200, "N" * 300, None, None),
        ("101", "Anna", "101", "Anna"),
    ],
    ids=range(9),
)
async def test_whatever_a_caller_calls_itself_is_data(
    switch: Switch, user: str, display: str, number: str | None, name: str | None
) -> None:
    switch.plans[DID] = RING_101
    before = len(switch.rows())
    async with (
        switch.phone("101", Answer()) as phone,
        switch.call_in(DID, user=user, display=display) as caller,
    ):
        await phone.answered()
        await caller.hang_up()
        await caller.ended()
    rows = await switch.rows_after(before)
    (route,) = [row for row in rows if row.type == "CALLCTL_ROUTE"]
    assert route.extra["source"] == "plan"
    assert route.extra["direction"] == "inbound"
    assert re.fullmatch(r"[0-9A-Za-z*#+]*", route["cid_num"])
    if name is not None:
        assert route["cid_name"] == name
    assert [call.endpoint for call in switch.asked] == ["carrier-a"]
    assert {r["channame"].rpartition("-")[0] for r in rows} == {"PJSIP/carrier-a", "PJSIP/101"}


@pytest.mark.parametrize(
    "dialled",
    [
        "h",
        "s",
        "T",
        "i",
        "t",
        "admin",
        "%24%7BSHELL(id)%7D",
        "555&PJSIP%2F102%2C60%2Cg",
        "1%0a2",
        "%22x%22",
        "+3617000001;ext=5",
        "9" * 150,
        "101)",
    ],
)
async def test_whatever_is_dialled_has_a_route_row_and_a_cause(
    switch: Switch, dialled: str
) -> None:
    """The plans know nothing of it, so the daemon refuses; nor does the fallback."""
    before = len(switch.rows())
    async with switch.call_in(dialled) as caller:
        code = (await caller.ended()).final_code
    rows = await switch.rows_after(before)
    if "+3617000001" in dialled:
        assert code == 480
        return
    assert code == 404
    (route,) = [row.extra for row in rows if row.type == "CALLCTL_ROUTE"]
    assert route["direction"] == "inbound"
    assert route["why"].startswith("unknown_number~")


async def test_huge_request_is_no_harm(switch: Switch) -> None:
    switch.plans[DID] = plan(HangupStep(17))
    with RawSip("127.0.2.21", switch.address) as carrier:
        headers = ["Contact: <sip:x@127.0.2.21>", "X-Much: " + "x" * 10000]
        try:
            code, _ = await carrier.ask("INVITE", f"sip:{DID}@{switch.address}", "1", *headers)
        except TimeoutError:
            code = 0
    assert code in (0, 486)
    async with switch.call_in(DID) as caller:
        assert (await caller.ended()).final_code == 486
