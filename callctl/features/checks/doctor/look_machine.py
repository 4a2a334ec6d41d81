"""This machine and the files that calls need, seen without touching them."""

import asyncio
import ctypes
import os
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from callctl.asterisk.journal import RawRow, parse_row
from callctl.config import Settings
from callctl.core.calls.events import CelEvent
from callctl.core.master_key import parse_master_key
from callctl.features.checks.disks import read_space
from callctl.features.checks.doctor.conf_files import Configuration
from callctl.features.checks.doctor.model import (
    AsteriskProcess,
    Journal,
    Machine,
    Missing,
    Place,
)
from callctl.features.checks.watch import places_of

TAIL_BYTES = 64 * 1024
_UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2)."""
_TIMEX_BYTES = 512
"""More than `struct timex` has on any machine."""
SECRET_FILES = ("manager.conf", "pjsip.conf")
LATE_LIBRARIES = (
    "av",
    "cryptography.hazmat.primitives.ciphers.aead",
    "segno",
    "xlsxwriter",
)
"""What the daemon loads when it is first needed."""


async def look_at_machine(
    settings: Settings,
    configuration: Configuration | Missing,
    process: AsteriskProcess | Missing,
    config_file: Path,
) -> Machine:
    """In a thread: a mount that hangs must not hold up the rest. Raises OSError, TimeoutError."""
    async with asyncio.timeout(20.0):
        return await asyncio.to_thread(_look, settings, configuration, process, config_file)


def _look(
    settings: Settings,
    configuration: Configuration | Missing,
    process: AsteriskProcess | Missing,
    config_file: Path,
) -> Machine:
    asterisk = None if isinstance(process, Missing) else process
    own_hosts = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")
    return Machine(
        now=time.time(),
        hostname=socket.gethostname(),
        hosts=own_hosts if asterisk is None else asterisk.hosts or own_hosts,
        clock_synchronised=clock_synchronised(),
        places={n: look_at_place(p, asterisk) for n, p in places_of(settings).items()},
        journal=look_at_journal(settings.journal_path, asterisk),
        ephemeral_ports=_ephemeral_ports(),
        generated_revision=written_revision(settings.asterisk_generated_dir / "extensions.conf"),
        modes=_modes(settings, configuration, config_file),
        certificate_ends=_certificate_end(configuration),
        master_key=_master_key(settings),
        broken_libraries=tuple(_broken_libraries()),
    )


def clock_synchronised() -> bool | None:
    """What the kernel was told by whoever keeps the time (adjtimex(2)); None if it does not say."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)  # `modes` 0: it only reads.
    try:
        state: int = ctypes.CDLL(None).adjtimex(timex)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _UNSYNCHRONISED


def look_at_place(path: Path, asterisk: AsteriskProcess | None) -> Place:
    """Raises OSError."""
    exists = path.is_dir()
    return Place(
        path=path,
        exists=exists,
        space=read_space(path),
        file_system=file_system_of(path),
        writable=may_write(path, asterisk) if exists else None,
        seen=_same_for(path, asterisk) if exists else None,
    )


def file_system_of(path: Path) -> str:
    """``ext4``, ``nfs4``, …: of the mount that `path` is on (proc(5), mountinfo)."""
    path = path.resolve()
    best, kind = "", ""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        point = fields.split()[4].replace("\\040", " ")
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, source.split()[0]
    return kind


def may_write(path: Path, asterisk: AsteriskProcess | None) -> bool | None:
    """Whether Asterisk's user may write `path`, by its mode; None when we know no user."""
    if asterisk is None:
        return None
    if asterisk.uid == 0:
        return True
    said = path.stat()
    if said.st_uid == asterisk.uid:
        return bool(said.st_mode & stat.S_IWUSR)
    if said.st_gid in asterisk.groups:
        return bool(said.st_mode & stat.S_IWGRP)
    return bool(said.st_mode & stat.S_IWOTH)


def _same_for(path: Path, asterisk: AsteriskProcess | None) -> bool | None:
    """Whether Asterisk finds the same directory under that name."""
    if asterisk is None:
        return None
    try:
        theirs = Path(f"/proc/{asterisk.pid}/root{path}").stat()
    except PermissionError:
        return None
    except OSError:
        return False
    ours = path.stat()
    return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def look_at_journal(path: Path, asterisk: AsteriskProcess | None) -> Journal:
    """Raises OSError when it may not be read."""
    files = [*path.parent.glob(path.name + ".*"), *([path] if path.exists() else [])]
    size = sum(file.stat().st_size for file in files)
    written = max((file.stat().st_mtime for file in files), default=None)
    if not path.exists():
        return Journal(False, size, written, None, None)
    return Journal(True, size, written, _last_row_ok(path), may_write(path, asterisk))


def _last_row_ok(path: Path) -> bool | None:
    """Whether one of the last rows has our columns; None when there is no whole row."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL_BYTES))
        lines = [line for line in file.read().split(b"\n")[:-1] if line.strip()]
    # A line may be a part of a row, where a caller's name has a newline: not of twenty.
    rows = [parse_row(RawRow(0, line + b"\n")) for line in lines[-20:]]
    return any(isinstance(row, CelEvent) for row in rows) if rows else None


def written_revision(file: Path) -> int | None:
    """The revision of the routing in the first line of a generated file; None without one."""
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()
    except OSError:
        return None
    number = first.partition("revision ")[2].partition(".")[0]
    return int(number) if number.isdecimal() else None


def _ephemeral_ports() -> tuple[int, int] | None:
    try:
        first, last = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except (OSError, ValueError):
        return None
    return int(first), int(last)


def _modes(
    settings: Settings, configuration: Configuration | Missing, config_file: Path
) -> dict[Path, int]:
    """Permissions of the files that hold secrets, as far as they are there."""
    files = [
        settings.state_dir / "ami.secret",
        settings.asterisk_generated_dir / "pjsip.conf",
        settings.recordings_key_file,
    ]
    if not isinstance(configuration, Missing):
        files += [configuration.directory / name for name in SECRET_FILES]
        files += [Path(key) for key in configuration.anywhere("pjsip.conf", "priv_key_file")]
    if config_file.is_file() and b"secret" in config_file.read_bytes().lower():
        files.append(config_file)
    modes = {}
    for file in files:
        try:
            modes[file] = stat.S_IMODE(file.stat().st_mode)
        except OSError:
            continue
    return modes


def _broken_libraries() -> Iterator[str]:
    for name in LATE_LIBRARIES:
        try:
            import_module(name)
        except (ImportError, OSError) as problem:
            yield f"{name}: {problem}"


def _master_key(settings: Settings) -> str | Missing:
    """The name of the master key of encrypted recordings."""
    try:
        text = settings.recordings_key or settings.recordings_key_file.read_text(encoding="ascii")
        return parse_master_key(text).name
    except FileNotFoundError:
        return Missing(f"{settings.recordings_key_file} is not there")
    except (OSError, ValueError) as problem:
        return Missing(f"{settings.recordings_key_file}: {problem}")


def _certificate_end(configuration: Configuration | Missing) -> float | Missing:
    """When the certificate of SIP over TLS ends (epoch seconds)."""
    if isinstance(configuration, Missing):
        return configuration
    files = configuration.anywhere("pjsip.conf", "cert_file")
    if not files:
        return Missing("pjsip.conf has no transport with a certificate")
    try:
        done = subprocess.run(  # noqa: S603
            ["openssl", "x509", "-noout", "-enddate", "-in", files[0]],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except OSError as problem:
        return Missing(f"openssl cannot be run: {problem.strerror}")
    words = done.stdout.strip().removeprefix("notAfter=")
    if done.returncode != 0 or not words:
        readable = os.access(files[0], os.R_OK)
        return Missing(f"{files[0]} {'is no certificate' if readable else 'cannot be read'}")
    return ssl.cert_time_to_seconds(words)
