"""What the phone of an extension is told to register by."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from markupsafe import Markup

from callctl.console.desk import Visit
from callctl.console.qr import qr_svg
from callctl.core.devices import DeviceState
from callctl.features.devices.model import DevicesView

_SIP_PORT = 5060


@dataclass(frozen=True, slots=True)
class PhoneAccount:
    """`server` is as the console was asked for. `state` and `qr` are None where what Asterisk
    knows is not the visitor's to see, `state` also while it is not known."""

    server: str
    server_is_here: bool
    port: int
    user: str
    secret: str
    state: DeviceState | None
    qr: Markup | None


def phone_account(
    visit: Visit, extension: Mapping[str, Any], devices: DevicesView | None
) -> PhoneAccount:
    """Of an extension as the routing with its secrets has it."""
    number, secret = extension["number"], extension.get("secret", "")
    server = server_of(visit.request.host)
    there = devices.extensions if devices else ()
    device = next((one for one in there if one.number == number), None)
    code = None
    if device is not None:
        name = extension.get("name", "") or number
        account = _grandstream_account(f"{server}:{_SIP_PORT}", device.sip_user, secret, name)
        code = qr_svg(account)
    return PhoneAccount(
        server,
        _is_this_machine(server),
        _SIP_PORT,
        device.sip_user if device else number,
        secret,
        device.state if device and devices and devices.live else None,
        code,
    )


def server_of(host: str) -> str:
    """The machine that a browser asked as `host`, without its port; empty for what names none."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name


def _is_this_machine(server: str) -> bool:
    """Whether another device would look for it at itself."""
    try:
        return ipaddress.ip_address(server.strip("[]")).is_loopback
    except ValueError:
        return server == "localhost"


def _grandstream_account(server: str, user: str, secret: str, name: str) -> str:
    """An account for Grandstream Wave (Android, iOS), which scans it: no server is asked."""
    fields = {
        "RegisterServer": server,
        "OutboundServer": "",
        "UserID": user,
        "AuthID": user,
        "AuthPass": secret,
        "AccountName": user,
        "DisplayName": name,
        "Dialplan": "{x+|*x+|\\+x+|*++}",
        "RandomPort": "0",
        "SecOutboundServer": "",
        "Voicemail": "",
    }
    inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
    return (
        "<?xml version='1.0' encoding='utf-8'?>"
        f"<AccountConfig version='1'><Account>{inside}</Account></AccountConfig>"
    )
