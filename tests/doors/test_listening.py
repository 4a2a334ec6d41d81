"""What listens, where, and what it lets in: asked of the running processes."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from callctl.asterisk.runtime import descendants
from callctl.config import Settings, networks_of
from tests.doors.house import House

pytestmark = pytest.mark.asterisk

_TCP_LISTENING, _UDP_OPEN = "0A", "07"


def _sockets(pid: int) -> set[str]:
    """Inodes of the sockets of a process and all below it."""
    found = set()
    for each in descendants(pid):
        for link in Path(f"/proc/{each}/fd").iterdir():
            try:
                match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(link))
            except FileNotFoundError:
                continue
            if match:
                found.add(match[1])
    return found


def _waiting_for_strangers(pid: int) -> Iterator[tuple[str, str, int]]:
    """(protocol, address, port) of each socket that anybody could send to."""
    own = _sockets(pid)
    for name, state in (("tcp", _TCP_LISTENING), ("udp", _UDP_OPEN)):
        for version in ("", "6"):
            for line in Path(f"/proc/net/{name}{version}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == state and fields[9] in own:
                    address, port = fields[1].split(":")
                    yield name, _dotted(address), int(port, 16)


def _dotted(address: str) -> str:
    """As the kernel prints it: hexadecimal, each four bytes the other way round."""
    if len(address) == 32:
        return address if address.strip("0") else "::"
    return ".".join(str(byte) for byte in bytes.fromhex(address)[::-1])


async def test_nothing_listens_but_what_is_meant_to_and_only_where_it_is_meant(
    house: House,
) -> None:
    settings = house.stack.settings
    assert house.stack.asterisk.pid is not None
    assert house.daemon._process is not None
    await house.idle()
    asterisk = set(_waiting_for_strangers(house.stack.asterisk.pid))
    daemon = set(_waiting_for_strangers(house.daemon._process.pid))
    here = house.address
    meant = {
        ("udp", here, 5060),
        ("tcp", here, 5060),
        ("tcp", here, 5061),
        ("tcp", here, settings.ami_port),
    }
    assert meant <= asterisk
    # The SIP library's resolver has a socket of each family, for answers to its own questions.
    assert [(kind, where) for kind, where, _ in sorted(asterisk - meant)] in (
        [],
        [("udp", "0.0.0.0"), ("udp", "::")],
    )
    assert daemon == {("tcp", here, settings.http_port), ("tcp", here, settings.agi_port)}


def test_doors_are_on_loopback_unless_somebody_says_otherwise() -> None:
    settings = Settings()
    assert settings.agi_host == settings.ami_host == settings.http_host == "127.0.0.1"
    assert networks_of(settings.agi_sources) == ("127.0.0.0/8", "::1/128")
    assert networks_of(settings.http_proxies) == ()


async def test_manager_interface_gives_no_more_than_is_needed(house: House) -> None:
    cli = house.stack.asterisk.cli
    general = await cli("manager show settings")
    assert re.search(r"Manager \(AMI\):\s+Yes", general)
    assert re.search(r"Web Manager \(AMI/HTTP\):\s+No", general)
    user = await cli("manager show user callctl")
    rights = {m[1]: set(m[2].split(",")) for m in re.finditer(r"(read|write) perm: (\S+)", user)}
    assert rights["read"] == {"system", "call"}
    assert rights["write"] == {"system", "call", "originate", "reporting"}
    assert re.search(r"ACL: yes", user)
    users = await cli("manager show users")
    assert "1 manager users configured" in users


async def test_sip_side_knows_nobody_without_a_name_and_media_is_taken_from_one_place(
    house: House,
) -> None:
    cli = house.stack.asterisk.cli
    assert "0 modules loaded" in await cli("module show like identifier_anonymous")
    assert re.search(r"Strict RTP:\s+Yes", await cli("rtp show settings"))
    shown = await cli("pjsip show settings")
    values = dict(re.findall(r"^ (\w+)\s+: (.*?)\s*$", shown, re.MULTILINE))
    assert values["endpoint_identifier_order"] == "ip,username"
    assert values["user_agent"] == "callctl"
    assert values["taskprocessor_overload_trigger"] == "pjsip_only"
    phone = await cli("pjsip show endpoint 101")
    assert re.search(r"identify_by\s+: username\n", phone)
    assert re.search(r"trust_id_inbound\s+: false", phone)
    assert re.search(r"max_contacts\s+: 3", await cli("pjsip show aor 101"))
