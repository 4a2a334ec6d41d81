"""Put Asterisk's configuration beside an Asterisk that the system runs as its own service.

The demo and the tests own their Asterisk whole; here there is an administrator, whose files are
not ours to lose, and there are two users: the one Asterisk runs as and the one callctl runs as.
They share the group of Asterisk's user: callctl reads and renames the journal, takes finished
recordings away, and writes the generated files; nothing of it is open to anybody else.
"""

import hashlib
import ipaddress
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from callctl.asterisk.conf import (
    ConfValues,
    render_asterisk_conf,
    write_asterisk_conf,
    write_files,
)
from callctl.asterisk.hold_music import write_hold_music
from callctl.asterisk.program import AsteriskProgram
from callctl.asterisk.tls import make_certificate

MANIFEST = ".callctl-files"
"""In the configuration directory: the checksum of each file as callctl wrote it last."""


class ForeignFiles(Exception):
    """Files that callctl did not write, or that were changed since. `names` lists them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(", ".join(names))
        self.names = names


@dataclass(frozen=True, slots=True)
class Owners:
    """Numbers of the users and of the group they share."""

    asterisk_uid: int
    callctl_uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Difference:
    """`changed` files are not as they should be; of these, `foreign` ones are not ours."""

    changed: tuple[str, ...]
    foreign: tuple[str, ...]


def compare_asterisk_conf(values: ConfValues) -> Difference:
    """What `install_asterisk_conf` would do. Raises ConfError, OSError."""
    files = render_asterisk_conf(values)
    ours = _read_manifest(values.etc_dir)
    changed = tuple(
        name for name, text in files.items() if _digest(values.etc_dir / name) != _of_text(text)
    )
    foreign = tuple(
        name
        for name in changed
        if (values.etc_dir / name).exists() and _digest(values.etc_dir / name) != ours.get(name)
    )
    return Difference(changed, foreign)


def install_asterisk_conf(
    values: ConfValues, *, owners: Owners | None = None, overwrite: bool = False
) -> tuple[str, ...]:
    """Write what differs, with the directories, certificate and hold music that go with it.

    Returns the names of the files written. With `owners` (needs root) everything gets who may
    have it. Foreign files are an error, or with `overwrite` kept beside the new ones as
    NAME.orig. Raises ForeignFiles, ConfError, CertificateError, OSError.
    """
    difference = compare_asterisk_conf(values)
    if difference.foreign and not overwrite:
        raise ForeignFiles(difference.foreign)
    for name in difference.foreign:
        path = values.etc_dir / name
        shutil.copy2(path, _free_name(path))
    _make_directories(values)
    write_asterisk_conf(values)
    _write_manifest(values)
    write_hold_music(values.moh_dir)
    program = AsteriskProgram("", values.module_dir, values.data_dir)
    make_certificate(program, values.tls_certificate, values.tls_key, _certified_address(values))
    if owners is not None:
        _give(values, owners)
    return difference.changed


def _make_directories(values: ConfValues) -> None:
    for directory in (
        values.generated_dir,
        values.lib_dir / "keys",
        values.spool_dir,
        values.recordings_spool,
        values.log_dir / "cel-custom",
    ):
        directory.mkdir(parents=True, exist_ok=True)


def _certified_address(values: ConfValues) -> str:
    """What phones know us by, if it is an address. It matters to phones that check, and those
    need a certificate of their own authority anyway."""
    try:
        address = ipaddress.ip_address(values.external_address or values.sip_address)
    except ValueError:
        return "127.0.0.1"
    return "127.0.0.1" if address.is_unspecified else str(address)


def _give(values: ConfValues, owners: Owners) -> None:
    """Owner, group and mode of everything. The setgid bit hands the group on to new files."""
    asterisk, callctl, gid = owners.asterisk_uid, owners.callctl_uid, owners.gid
    etc = values.etc_dir
    for directory in (values.lib_dir, values.log_dir, values.spool_dir, values.moh_dir):
        os.chown(directory, asterisk, gid)
    for directory in (values.recordings_spool, values.log_dir / "cel-custom"):
        os.chown(directory, asterisk, gid)
        directory.chmod(0o2770)
    os.chown(values.generated_dir, callctl, gid)
    values.generated_dir.chmod(0o2750)
    for file in values.generated_dir.iterdir():
        os.chown(file, callctl, gid)
    tls = etc / "tls"
    own_certificate = [
        path for path in (values.tls_key, values.tls_certificate) if tls in path.parents
    ]
    for directory in (etc, etc / "dialplan", *([tls] if own_certificate else [])):
        os.chown(directory, -1, gid)
        directory.chmod(directory.stat().st_mode & 0o7777 | 0o050)
    for file in (*(etc / name for name in render_asterisk_conf(values)), *own_certificate):
        os.chown(file, -1, gid)
        file.chmod(0o640)


def _free_name(path: Path) -> Path:
    """NAME.orig, or NAME.orig.2 and so on: nothing that was kept is overwritten."""
    kept = path.with_name(f"{path.name}.orig")
    number = 1
    while kept.exists():
        number += 1
        kept = path.with_name(f"{path.name}.orig.{number}")
    return kept


def _of_text(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return None


def _read_manifest(directory: Path) -> Mapping[str, str]:
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def _write_manifest(values: ConfValues) -> None:
    names: Iterable[str] = render_asterisk_conf(values)
    digests = {name: _digest(values.etc_dir / name) for name in names}
    write_files(values.etc_dir, {MANIFEST: json.dumps(digests, indent=1) + "\n"})
