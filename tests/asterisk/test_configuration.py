"""The configuration as a running Asterisk sees it."""

import asyncio
import re
import ssl
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from callctl.asterisk.conf import ConfError, ConfValues, fill_in, render_asterisk_conf, write_files
from callctl.asterisk.conf_text import last_first
from callctl.asterisk.program import needed_modules
from callctl.asterisk.provision import (
    modules_to_reload,
    render_provisioning,
    write_provisioning,
)
from callctl.core.outcomes import AttemptResult, Next, classify_attempt
from callctl.core.routing.model import Extension, SipCredential, Trunk, build_table
from callctl.core.routing.plan import HangupStep
from callctl.resources import resource_dir
from tests.asterisk.manager import manage, originate
from tests.asterisk.switch import Switch, plan, read_rows
from tests.asterisk.table import routing, small_table

pytestmark = pytest.mark.asterisk


async def test_start_makes_no_complaint_that_is_not_explained(switch: Switch) -> None:
    assert switch.complaints_at_start == []


async def test_every_named_module_runs_and_no_other(switch: Switch) -> None:
    listing = await switch.instance.cli("module show")
    running = set(re.findall(r"^(\S+\.so) .* Running ", listing, re.MULTILINE))
    assert running == set(needed_modules())


async def test_no_module_runs_that_writes_calls_elsewhere_or_reaches_a_shell() -> None:
    assert {"cel_manager.so", "cdr_csv.so", "cdr_custom.so"}.isdisjoint(needed_modules())
    assert {"app_system.so", "func_shell.so", "res_clioriginate.so"}.isdisjoint(needed_modules())


async def test_sip_is_offered_by_udp_tcp_and_tls(switch: Switch) -> None:
    listing = await switch.instance.cli("pjsip show transports")
    found = set(re.findall(r"(udp|tcp|tls)\s+0\s+0\s+(\S+)", listing))
    assert found == {
        ("udp", f"{switch.address}:5060"),
        ("tcp", f"{switch.address}:5060"),
        ("tls", f"{switch.address}:5061"),
    }


OPTIONS = (
    "OPTIONS sip:{address} SIP/2.0\r\n"
    "Via: SIP/2.0/{transport} {address}:9;branch=z9hG4bKoptions{transport}\r\n"
    "From: <sip:somebody@example.org>;tag=1\r\nTo: <sip:{address}>\r\n"
    "Call-ID: options-{transport}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\n"
    "Content-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
async def test_stream_transports_answer(switch: Switch, transport: str) -> None:
    context = None
    if transport == "TLS":
        context = ssl.create_default_context(cafile=str(switch.instance.values.tls_certificate))
    port = 5061 if context else 5060
    reader, writer = await asyncio.open_connection(switch.address, port, ssl=context)
    request = OPTIONS.format(address=switch.address, transport=transport)
    writer.write(request.encode())
    async with asyncio.timeout(5):
        answer = await reader.readline()
    writer.transport.abort()
    assert answer.startswith(b"SIP/2.0 ")


async def test_journal_row_of_four_kilobytes_stays_whole(switch: Switch) -> None:
    """The mapping is on the path that does not cut rows at 1023 bytes."""
    why = ",".join(f"did~{n:020d}" for n in range(58))
    head, _, rest = plan(HangupStep(17)).partition("!")
    switch.plans["+3617000001"] = f"{head}{why}!{rest}"
    before = len(switch.rows())
    async with switch.call_in("+3617000001") as caller:
        await caller.ended()
    rows = await switch.rows_after(before)
    (route,) = [row for row in rows if row.type == "CALLCTL_ROUTE"]
    assert route.extra["why"] == why
    assert sum(map(len, route.columns.values())) > 2048
    assert all(set(row.columns) == set(route.columns) for row in rows)


# -- the manager interface ------------------------------------------------------------------------


async def test_manager_user_may_do_what_callctl_needs(switch: Switch) -> None:
    assert "Success" in await manage(switch.instance, "Action: Ping")
    reload = await manage(switch.instance, "Action: Reload", "Module: pbx_config.so")
    assert "Success" in reload
    states = await manage(switch.instance, "Action: DeviceStateList")
    assert "Success" in states


@pytest.mark.parametrize(
    "action",
    [
        ("Action: Command", "Command: core show version"),
        ("Action: UpdateConfig", "SrcFilename: rtp.conf", "DstFilename: rtp.conf"),
    ],
    ids=lambda a: a[0],
)
async def test_manager_user_may_do_no_more(switch: Switch, action: tuple[str, ...]) -> None:
    answer = await manage(switch.instance, *action)
    assert "Permission denied" in answer


# -- provisioning ---------------------------------------------------------------------------------


async def test_every_extension_has_a_lamp(switch: Switch) -> None:
    hints = await switch.instance.cli("core show hints")
    for number in ("101", "102", "103", "104", "105", "106"):
        assert re.search(rf"{number}@callctl-hints-1\s+: PJSIP/{number}\s", hints)


async def test_endpoints_say_who_they_are_and_what_they_may(switch: Switch) -> None:
    phone = await switch.instance.cli("pjsip show endpoint 101")
    trunk = await switch.instance.cli("pjsip show endpoint carrier-a")
    wanted = {
        phone: {
            "context": "from-extension",
            "allow_transfer": "true",
            "direct_media": "false",
            "rtp_symmetric": "true",
            "force_rport": "true",
            "rewrite_contact": "true",
            "subscribe_context": "callctl-hints-1",
            "named_pickup_group": "1-all",
            "trust_id_inbound": "false",
        },
        trunk: {
            "context": "from-trunk",
            "allow_transfer": "false",
            "allow_subscribe": "false",
            "send_pai": "true",
            "trust_id_inbound": "true",
        },
    }
    for text, settings in wanted.items():
        found = dict(re.findall(r"^ (\w+)\s+: (\S+)\s*$", text, re.MULTILINE))
        assert {name: found[name] for name in settings} == settings


def test_hostile_values_stay_values() -> None:
    bad = 'X"; <1>\n[evil]\ntype=endpoint ${SHELL(id)} #exec'
    table = build_table((replace(routing(), extensions=(Extension("101", bad, "101"),)),))
    files = render_provisioning(table, {"101": SipCredential("101", "101", r"a;b\;${X}[c]")}, 2026)
    lines = files["pjsip.conf"].splitlines()
    (shown,) = [line for line in lines if line.startswith("callerid")]
    assert shown == 'callerid = "X 1 evil type=endpoint SHELL(id) #exec" <101>'
    assert r"password = a\;b\\;${X}[c]" in lines
    assert not any(line.startswith(("[evil]", "#")) for line in lines)
    assert "SHELL" not in files["extensions.conf"]


def test_extension_without_password_gets_no_endpoint() -> None:
    files = render_provisioning(small_table(), {}, 2026)
    assert "[101]" not in files["pjsip.conf"]


def test_trunk_by_registration_over_tls() -> None:
    trunk = Trunk(
        "tel", "sip.example.org", 5061, "tel", "tls", register=True, username="0049123", match=()
    )
    table = build_table((replace(routing(), trunks=(trunk,)),))
    credentials = {"tel": SipCredential("tel", "0049123", "secret")}
    text = render_provisioning(table, credentials, 2026)["pjsip.conf"]
    for line in (
        "[tel](callctl-trunk-registration)",
        r"server_uri = sip:sip.example.org:5061\;transport=tls",
        r"client_uri = sip:0049123@sip.example.org:5061\;transport=tls",
        "transport = transport-tls",
        "outbound_auth = tel",
        "match = sip.example.org",
    ):
        assert line in text.splitlines()


async def test_changed_table_is_taken_over_by_a_reload(switch: Switch) -> None:
    more = replace(routing(), extensions=(*routing().extensions, Extension("107", "New", "107")))
    try:
        changed = switch.provision(build_table((more,), revision=8))
        assert changed == ("pjsip.conf", "extensions.conf")
        assert modules_to_reload(changed) == ("res_pjsip.so", "pbx_config.so")
        for module in modules_to_reload(changed):
            await manage(switch.instance, "Action: Reload", f"Module: {module}")
        async with asyncio.timeout(10):
            while "107@callctl-hints-1" not in await switch.instance.cli("core show hints"):
                await asyncio.sleep(0.05)
            while "Endpoint:  107" not in await switch.instance.cli("pjsip show endpoint 107"):
                await asyncio.sleep(0.05)
    finally:
        switch.provision(switch.table)
        for module in ("res_pjsip.so", "pbx_config.so"):
            await manage(switch.instance, "Action: Reload", f"Module: {module}")
    assert switch.provision(switch.table) == ()


def test_files_are_replaced_whole_and_kept_from_others(tmp_path: Path) -> None:
    assert write_provisioning(tmp_path, {"a.conf": "one", "b.conf": "two"}) == ("a.conf", "b.conf")
    (tmp_path / ".a.conf.new").write_text("left by a crash")
    before = (tmp_path / "b.conf").stat()
    assert write_files(tmp_path, {"a.conf": "three", "b.conf": "two"}) == ["a.conf"]
    assert (tmp_path / "a.conf").read_text() == "three"
    assert (tmp_path / "b.conf").stat().st_ino == before.st_ino
    assert stat.S_IMODE(before.st_mode) == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.conf", "b.conf"]


# -- rendering ------------------------------------------------------------------------------------


def test_place_without_a_value_is_an_error() -> None:
    with pytest.raises(ConfError, match=r"x\.conf: nothing is known of \{\{nothing\}\}"):
        fill_in("a = {{nothing}}", {}, "x.conf")


@pytest.mark.parametrize("bad", ["a;b", "a\nb", "a b\n", "", "x${Y}", '"'])
def test_value_that_would_be_read_as_something_else_is_refused(switch: Switch, bad: str) -> None:
    values: ConfValues = replace(switch.instance.values, sip_address=bad)
    with pytest.raises(ConfError, match="sip_address"):
        render_asterisk_conf(values)


def test_behind_nat_the_outside_address_is_offered(switch: Switch) -> None:
    values = replace(
        switch.instance.values,
        external_address="198.51.100.7",
        local_networks=("10.0.0.0/8", "192.168.0.0/16"),
        media_address=None,
    )
    text = render_asterisk_conf(values)["pjsip.conf"]
    assert text.count("external_media_address = 198.51.100.7") == 3
    assert text.count("local_net = 192.168.0.0/16") == 3
    assert "media_address = 127" not in text


def test_templates_hold_places_where_secrets_go() -> None:
    said = [
        line.partition("=")[2].strip()
        for path in resource_dir("asterisk-conf").glob("*.conf")
        for line in path.read_text().splitlines()
        if line.partition("=")[0].strip() in ("secret", "password", "md5_cred")
    ]
    assert said == ["{{ami_secret}}"]


# -- the table of verdicts ------------------------------------------------------------------------


async def test_dialplan_judges_every_attempt_as_the_core_does(switch: Switch) -> None:
    statuses = ("ANSWER", "CANCEL", "NOANSWER", "BUSY", "CONGESTION", "CHANUNAVAIL", "", "TORTURE")
    cases = [
        (status, cause, kind, rang)
        for status in statuses
        for cause in (0, 1, 3, 16, 17, 18, 19, 20, 21, 22, 26, 27, 28, 34, 38, 58, 102, 127)
        for kind in ("ring", "trunk")
        for rang in (0, 1)
    ]
    lines = ["", "[verdicts]"]
    for number, (status, cause, kind, rang) in enumerate(cases):
        lines += [
            f"exten => v{number},1,Gosub(callctl-verdict,s,1({status},{cause},{kind},{rang}))",
            f" same => n,CELGenUserEvent(VERDICT_{number},${{CALLCTL_RESULT}} ${{CALLCTL_CALLEE}})",
            f" same => n,Goto(v{number + 1},1)",
        ]
    lines += [f"exten => v{len(cases)},1,Hangup()", ""]
    generated = switch.instance.generated_dir / "extensions.conf"
    kept = generated.read_text()
    try:
        generated.write_text(kept + "\n".join(lines))
        await manage(switch.instance, "Action: Reload", "Module: pbx_config.so")
        async with asyncio.timeout(20):
            while "verdicts" not in await switch.instance.cli("dialplan show verdicts"):
                await asyncio.sleep(0.05)
            await originate(switch.instance, "Local/v0@verdicts", "verdicts", f"v{len(cases)}")
            last = f"VERDICT_{len(cases) - 1}"
            while not any(row.type == last for row in switch.rows()):
                await asyncio.sleep(0.1)
    finally:
        generated.write_text(kept)
        await manage(switch.instance, "Action: Reload", "Module: pbx_config.so")
    said = {
        row.type: re.sub(r'^\{"extra":"(.*)"\}$', r"\1", row["eventextra"])
        for row in read_rows(switch.instance.journal_path)
        if row.type.startswith("VERDICT_")
    }
    for number, (status, cause, kind, rang) in enumerate(cases):
        verdict = classify_attempt(status, cause, by_trunk=kind == "trunk", rang=bool(rang))
        skips = int(verdict.next is Next.SKIP_TRUNKS)
        assert said[f"VERDICT_{number}"] == f"{verdict.result} {skips}", cases[number]
    assert {v.split()[0] for v in said.values()} <= {r.value for r in AttemptResult}


def test_extensions_of_a_generated_context_stand_in_falling_order_patterns_first() -> None:
    lines = [
        *("; what this is", "include => other"),
        *("exten => 101,1,NoOp()", " same => n,Return()"),
        *("exten => _X.,1,Return()", "exten => 102,1,Return()", "exten => 101,hint,PJSIP/101"),
    ]
    assert last_first(lines) == [
        *("; what this is", "include => other"),
        *("exten => _X.,1,Return()", "exten => 102,1,Return()"),
        *("exten => 101,1,NoOp()", " same => n,Return()", "exten => 101,hint,PJSIP/101"),
    ]
