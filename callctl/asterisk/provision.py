"""What Asterisk must know of the routing table: phones, trunks, lamps, and the fallback dialplan.

The files stand beside the static configuration and are read with it, so phones register and calls
are routed with the daemon and its database gone. Rendering is pure; the templates that the
sections name are in ``asterisk-conf/pjsip.conf``.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from callctl.asterisk.conf import write_files
from callctl.asterisk.conf_text import display_name, in_chunks, last_first, secret, word
from callctl.asterisk.fallback import render_fallback
from callctl.core.routing.model import (
    AccountIndex,
    Extension,
    RoutingTable,
    SipCredential,
    Trunk,
)

PJSIP_FILE = "pjsip.conf"
DIALPLAN_FILE = "extensions.conf"
RELOAD_MODULES = {PJSIP_FILE: ("res_pjsip.so",), DIALPLAN_FILE: ("pbx_config.so",)}
"""What to reload when a file has changed. (A reload of res_pjsip reloads what identifies and
registers, too.)"""

NOTHING_PAID: Mapping[int, int] = MappingProxyType({})
"""Nobody pays for calls."""

_HEADER = (
    "; Written by callctl from the routing table, revision {revision}. Changes here are lost.\n"
)


def render_provisioning(
    table: RoutingTable,
    credentials: Mapping[str, SipCredential],
    year: int,
    paid_seconds: Mapping[int, int] = NOTHING_PAID,
) -> dict[str, str]:
    """The generated files, by name. Pure. `paid_seconds` as in `render_fallback`.

    An extension without credentials gets no endpoint: one without a password would be open to
    all. Yearly holidays are written out from `year` on. Raises UnsafeValue for a name or address
    that cannot be written, which the routing document's own checks let nobody save.
    """
    header = _HEADER.format(revision=table.revision)
    accounts = [table.accounts[key] for key in sorted(table.accounts)]
    pjsip = in_chunks(block for index in accounts for block in _pjsip_blocks(index, credentials))
    dialplan = [block for index in accounts for block in _lamp_blocks(index)]
    fallback = render_fallback(table, year, paid_seconds)
    return {
        PJSIP_FILE: "\n".join([header, *pjsip]),
        DIALPLAN_FILE: "\n".join([header, *dialplan, fallback]),
    }


def write_provisioning(directory: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    """Replace the files that differ, each as a whole, and return their names. Raises OSError.

    A reader sees the old or the new text of a file, never a part. What changed must be reloaded
    (`RELOAD_MODULES`); Asterisk keeps the old state until then.
    """
    return tuple(write_files(directory, files))


def modules_to_reload(changed: tuple[str, ...]) -> tuple[str, ...]:
    """The modules to reload after these files have changed, in order, each once."""
    return tuple(dict.fromkeys(m for name in changed for m in RELOAD_MODULES.get(name, ())))


def _pjsip_blocks(index: AccountIndex, credentials: Mapping[str, SipCredential]) -> Iterator[str]:
    account = index.account.id
    yield f"; --- account {account}: {display_name(index.account.name)} ---\n"
    for extension in index.routing.extensions:
        if credential := credentials.get(extension.endpoint):
            yield _section_text(_phone(account, extension, credential))
        else:
            yield f"; {word(extension.endpoint, 'endpoint')} has no credentials yet\n"
    for trunk in index.routing.trunks:
        if trunk.enabled:
            yield _section_text(_trunk(account, trunk, credentials.get(trunk.endpoint)))


Section = tuple[str, str, list[tuple[str, str]]]
"""Its name, the template or type it is made of, its settings."""


def _section_text(sections: list[Section]) -> str:
    lines = []
    for name, template, settings in sections:
        if template.startswith("callctl-"):
            lines.append(f"[{name}]({template})")
        else:
            lines += [f"[{name}]", f"type = {template}"]
        lines += [f"{key} = {value}" for key, value in settings]
        lines.append("")
    return "\n".join(lines)


def _variables(account: int, source: str, key: str) -> list[tuple[str, str]]:
    return [
        ("set_var", f"CALLCTL_ACCOUNT={account}"),
        ("set_var", f"CALLCTL_SOURCE={source}"),
        ("set_var", f"CALLCTL_KEY={word(key, source)}"),
    ]


def _phone(account: int, extension: Extension, credential: SipCredential) -> list[Section]:
    name = word(extension.endpoint, "endpoint")
    group = f"{account}-{word(extension.pickup_group, 'pickup group')}"
    shown = display_name(extension.name) or extension.number
    endpoint = [
        ("auth", name),
        ("aors", name),
        ("callerid", f'"{shown}" <{word(extension.number, "extension")}>'),
        ("subscribe_context", f"callctl-hints-{account}"),
        ("named_call_group", group),
        ("named_pickup_group", group),
        *_variables(account, "extension", extension.number),
        # One level of inheritance: the Local channel of a transfer by feature code has it.
        ("set_var", f"_CALLCTL_PHONE={name}"),
    ]
    login = [
        ("username", word(credential.username, "user name")),
        ("password", secret(credential.secret, f"password of {name}")),
    ]
    return [
        (name, "callctl-phone", endpoint),
        (name, "callctl-phone-auth", login),
        (name, "callctl-phone-aor", [("max_contacts", str(extension.max_contacts))]),
    ]


def _trunk(account: int, trunk: Trunk, credential: SipCredential | None) -> list[Section]:
    name = word(trunk.endpoint, "endpoint")
    host = word(trunk.host, "host")
    place = f"[{host}]" if ":" in host else host
    uri = f"sip:{place}:{trunk.port}"
    if trunk.transport != "udp":
        uri += rf"\;transport={word(trunk.transport, 'transport')}"
    trusted = "yes" if trunk.trust_identity else "no"
    endpoint = [
        ("aors", name),
        ("transport", f"transport-{word(trunk.transport, 'transport')}"),
        ("trust_id_inbound", trusted),
        ("trust_id_outbound", trusted),
        ("send_pai", trusted),
        *_variables(account, "trunk", trunk.name),
    ]
    sections: list[Section] = []
    if credential is not None:
        endpoint.append(("outbound_auth", name))
        login = [
            ("username", word(credential.username, "user name")),
            ("password", secret(credential.secret, f"password of {name}")),
        ]
        sections.append((name, "callctl-phone-auth", login))
    if trunk.register:
        endpoint.append(("from_domain", host))
        sections.append((name, "callctl-trunk-registration", _registration(trunk, uri, credential)))
    matches = trunk.match or (trunk.host,)
    sections += [
        (
            name,
            "callctl-trunk-aor",
            [("contact", uri), ("qualify_frequency", str(trunk.qualify_seconds))],
        ),
        (
            f"{name}",
            "identify",
            [("endpoint", name), *(("match", word(m, "match")) for m in matches)],
        ),
    ]
    return [(name, "callctl-trunk", endpoint), *sections]


def _registration(
    trunk: Trunk, uri: str, credential: SipCredential | None
) -> list[tuple[str, str]]:
    name = trunk.endpoint
    user = word(trunk.username or (credential.username if credential else name), "user name")
    settings = [
        ("transport", f"transport-{trunk.transport}"),
        ("server_uri", uri),
        ("client_uri", uri.replace("sip:", f"sip:{user}@", 1)),
        ("contact_user", user),
        # A call that answers our registration is the carrier's, whatever address it comes from.
        ("line", "yes"),
        ("endpoint", name),
    ]
    if credential is not None:
        settings.append(("outbound_auth", name))
    return settings


def _lamp_blocks(index: AccountIndex) -> Iterator[str]:
    """Lamps (BLF) of one account's phones, and its extensions by number for pickup."""
    account = index.account.id
    extensions = [
        (word(e.number, "extension"), word(e.endpoint, "endpoint"))
        for e in index.routing.extensions
    ]
    yield "\n".join(
        [
            f"[callctl-hints-{account}]",
            "include => parkedcalls",
            *last_first(
                f"exten => {number},hint,PJSIP/{endpoint}" for number, endpoint in extensions
            ),
            "",
            f"[callctl-extensions-{account}]",
            *last_first(
                f"exten => {number},1,Return({endpoint})" for number, endpoint in extensions
            ),
            "",
        ]
    )
