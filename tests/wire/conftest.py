"""A real Asterisk for the wires: our configuration, one phone, and a few contexts of its own."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agi.install import install_check
from callctl.asterisk.program import AsteriskProgram, find_asterisk
from callctl.asterisk.runtime import AsteriskInstance, free_port
from tests.wire.ami_counts import Counts

ADDRESS = "127.0.4.1"
PHONE = "127.0.4.101"
AGI_PORT = 4573

PJSIP = f"""
[101](callctl-phone)
aors = 101
context = wire-agi
callerid = "Anna" <101>

[101](callctl-phone-aor)
qualify_frequency = 0
contact = sip:101@{PHONE}:5060

[102](callctl-phone)
aors = 102

[102](callctl-phone-aor)
qualify_frequency = 0
"""

# What becomes of a call is left in a global variable, to be read over the console.
DIALPLAN = f"""
[wire-agi]
exten => _X!,1,Set(AGIEXITONHANGUP=yes)
 same => n,Set(TIMEOUT(absolute)=2)
 same => n,AGI(agi://{ADDRESS}:${{WIRE_AGI_PORT}}/route,${{EXTEN}})
 same => n,Set(TIMEOUT(absolute)=0)
 same => n,Goto(done)
 same => n(done),Set(GLOBAL(WIRE_${{CALLCTL_KEY}})=${{AGISTATUS}}:${{CALLCTL_PLAN}})
 same => n,Set(GLOBAL(LAST_OF_${{CALLCTL_KEY}})=${{CUT(CALLCTL_PLAN,|,3)}})
 same => n,Hangup
exten => T,1,Set(TIMEOUT(absolute)=0)
 same => n,Set(GLOBAL(WIRE_${{CALLCTL_KEY}})=WATCHDOG:${{CALLCTL_PLAN}})
 same => n,Hangup

[wire-check]
exten => _X!,1,AGI(callctl-check,${{EXTEN}},101)
 same => n,Set(GLOBAL(WIRE_${{CALLCTL_KEY}})=${{CALLCTL_CHECK_DAEMON}}:${{CALLCTL_CHECK_PLAN}})
 same => n,Hangup

[callctl-fallback]
exten => s,1,GotoIf($["${{CALLCTL_DIALLED}}" != "102"]?none)
 same => n,Set(CALLCTL_PLAN=1|f|1|internal||${{CALLCTL_ENDPOINT}}|||||!ring|20|0|102|102)
 same => n(none),Return()

[wire-originate]
exten => s,1,Set(GLOBAL(WIRE_${{CALLCTL_KEY}})=${{CALLCTL_ACCOUNT}}:${{CALLCTL_DIAL}})
 same => n,Hangup
"""


@pytest.fixture(scope="session")
def asterisk_program() -> AsteriskProgram:
    return find_asterisk(os.environ)


@pytest.fixture(scope="session")
async def asterisk(
    asterisk_program: AsteriskProgram, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AsteriskInstance]:
    """One Asterisk for all wire tests, with the console's rights given to the manager user."""
    instance = AsteriskInstance(
        asterisk_program,
        tmp_path_factory.mktemp("wire"),
        address=ADDRESS,
        agi_address=ADDRESS,
        agi_port=AGI_PORT,
        ami_port=free_port(ADDRESS),
        systemname="wire",
        rtp_ports=(14000, 14100),
    )
    instance.readable = install_check(instance.values.agi_dir)
    instance.write_configuration()
    (instance.generated_dir / "pjsip.conf").write_text(PJSIP)
    (instance.generated_dir / "extensions.conf").write_text(DIALPLAN)
    await instance.start()
    yield instance
    await instance.stop()


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[None]:
    """A SIP phone that answers every call and stays until it is hung up."""
    # "ulaw" is what the built-in scenario offers.
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uas", "-i", PHONE, "-p", "5060", "-nostdin", "-nr",
        "-trace_err", "-error_file", str(tmp_path / "sipp-errors"),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        stdin=asyncio.subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    yield
    if process.returncode is None:
        process.kill()
    await process.wait()


@pytest.fixture
def counts() -> Counts:
    return Counts()
