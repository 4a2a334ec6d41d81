"""Asterisk's configuration: the files of ``asterisk-conf/`` and ``dialplan/``, filled in.

Tests, the demo and production write it with the same functions; what differs is the
`ConfValues`. The files use ``{{name}}`` for a value, because Asterisk has a use for everything
else. A name without a value, or a value without a name, is an error.
"""

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from callctl.core.outcomes import CALLEE_CAUSES
from callctl.resources import resource_dir

_PLACE = re.compile(r"\{\{(\w+)\}\}")
_WORD = re.compile(r"[A-Za-z0-9._-]+")
_COMPUTED = frozenset({"nat_lines", "media_lines", "callee_causes", "dialplan_includes"})
_NOT_PLACES = frozenset({"external_address", "local_networks", "media_address"})


class ConfError(ValueError):
    """A value that cannot stand in Asterisk's configuration. The text names it."""


@dataclass(frozen=True, slots=True)
class ConfValues:
    """What the configuration files need to know. Directories are absolute.

    `sip_address` is what the transports bind to; `media_address` binds RTP to one address and
    offers it (None: the address of the route to the peer); `external_address` and
    `local_networks` are for an Asterisk that is itself behind NAT.
    """

    etc_dir: Path
    generated_dir: Path
    module_dir: Path
    data_dir: Path
    lib_dir: Path
    agi_dir: Path
    spool_dir: Path
    run_dir: Path
    log_dir: Path
    moh_dir: Path
    recordings_spool: Path
    tls_certificate: Path
    tls_key: Path
    ami_secret: str
    systemname: str = "callctl"
    sip_address: str = "0.0.0.0"  # noqa: S104 - phones and carriers are outside
    sip_port: int = 5060
    tls_port: int = 5061
    media_address: str | None = None
    external_address: str | None = None
    local_networks: tuple[str, ...] = ()
    rtp_first_port: int = 10000
    rtp_last_port: int = 20000
    ami_address: str = "127.0.0.1"
    ami_port: int = 5038
    ami_user: str = "callctl"
    agi_address: str = "127.0.0.1"
    agi_port: int = 4573
    tone_country: str = "us"
    phone_qualify_seconds: int = 30


def render_asterisk_conf(values: ConfValues) -> dict[str, str]:
    """All files, by their path beneath `etc_dir`. Pure but for reading the templates.

    Raises ConfError for a value that would end its line or begin a comment.
    """
    conf, dialplan = resource_dir("asterisk-conf"), resource_dir("dialplan")
    parts = sorted(path.name for path in dialplan.glob("*.conf"))
    places = _places(values, parts)
    files = {
        path.name: fill_in(path.read_text(encoding="utf-8"), places, path.name)
        for path in sorted(conf.glob("*.conf"))
    }
    for name in parts:
        files[f"dialplan/{name}"] = (dialplan / name).read_text(encoding="utf-8")
    return files


def fill_in(text: str, places: Mapping[str, str], name: str) -> str:
    """`text` with its ``{{places}}`` filled. Raises ConfError for a place that has no value."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in places:
            raise ConfError(f"{name}: nothing is known of {{{{{match[1]}}}}}")
        return places[match[1]]

    return _PLACE.sub(value, text)


def _places(values: ConfValues, dialplan_parts: list[str]) -> dict[str, str]:
    if not _WORD.fullmatch(values.systemname):
        raise ConfError(f"systemname {values.systemname!r}: letters, digits, '.', '_', '-' only")
    places: dict[str, str] = {}
    for name, value in asdict(values).items():
        if name in _NOT_PLACES:
            continue
        places[name] = _safe(name, str(value))
    nat = [f"local_net = {_safe('local_networks', net)}" for net in values.local_networks]
    if values.external_address:
        address = _safe("external_address", values.external_address)
        nat += [f"external_{kind}_address = {address}" for kind in ("signaling", "media")]
    media = []
    if values.media_address:
        media = [
            f"media_address = {_safe('media_address', values.media_address)}",
            "bind_rtp_to_media_address = yes",
        ]
    return places | {
        "nat_lines": "\n".join(nat),
        "media_lines": "\n".join(media),
        "callee_causes": ",".join(map(str, sorted(CALLEE_CAUSES))),
        "dialplan_includes": "\n".join(f'#include "dialplan/{name}"' for name in dialplan_parts),
    }


def _safe(name: str, value: str) -> str:
    """`value`, if a line of Asterisk's configuration can hold it as it is."""
    if not value or not value.isprintable() or re.search(r"[;\[\]\"\\#{}$]|^\s|\s$", value):
        raise ConfError(f"{name}: {value!r} cannot stand in Asterisk's configuration")
    return value


def write_asterisk_conf(values: ConfValues) -> list[str]:
    """Write the files beneath `etc_dir`, each atomically, readable by its owner and group only.

    Returns the names of those that changed. `generated_dir` is made, its files are left alone.
    Raises ConfError, OSError.
    """
    changed = write_files(values.etc_dir, render_asterisk_conf(values))
    values.generated_dir.mkdir(parents=True, exist_ok=True)
    return changed


def write_files(directory: Path, files: Mapping[str, str], mode: int = 0o640) -> list[str]:
    """Replace the files that differ, each as a whole: a reader sees the old or the new text.

    Order of `files` is the order of writing. Returns the names of those written. A crash leaves
    no half file, at most a hidden one that the next write replaces. Raises OSError.
    """
    changed = []
    for name, text in files.items():
        path = directory / name
        data = text.encode("utf-8")
        if path.is_file() and path.read_bytes() == data:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        changed.append(name)
    if changed:
        for parent in {(directory / name).parent for name in changed}:
            _sync_directory(parent)
    return changed


def _sync_directory(directory: Path) -> None:
    """Makes the renames in it last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_make_secret(path: Path) -> str:
    """The secret in `path`; a new one of 32 random bytes if there is none. Mode 0600."""
    try:
        secret = path.read_text(encoding="ascii").strip()
        if secret:
            return secret
    except FileNotFoundError:
        pass
    secret = secrets.token_urlsafe(32)
    write_files(path.parent, {path.name: secret + "\n"}, mode=0o600)
    return secret
