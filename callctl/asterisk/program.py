"""The Asterisk to run: one that is installed, or the one in a private root."""

import platform
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from callctl.asterisk.root import Progress, ensure_root, root_path
from callctl.resources import resource_dir

SUPPORTED = range(20, 24)
"""Major versions whose behaviour the dialplan relies on."""

_LOAD = re.compile(r"^load\s*=\s*(\S+\.so)", re.MULTILINE)
_LAID_OVER = frozenset({"dev", "proc", "sys", "tmp", "run", "var", "home", "root", "mnt", "media"})


@dataclass(frozen=True, slots=True)
class AsteriskProgram:
    """An Asterisk that can be started. `root` is None for one that is installed.

    `module_dir` and `data_dir` are as the running Asterisk sees them.
    """

    version: str
    module_dir: Path
    data_dir: Path
    root: Path | None = None

    def command(
        self,
        arguments: Sequence[str],
        *,
        writable: Sequence[Path] = (),
        readable: Sequence[Path] = (),
        hosts: Path | None = None,
    ) -> list[str]:
        """`arguments` as a command that runs where Asterisk is.

        `writable` and `readable` directories keep their own paths; `hosts` stands in for
        /etc/hosts. Outside a root nothing needs to be done for either.
        """
        if self.root is None:
            return list(arguments)
        return [*_enter(self.root, hosts), *_binds(writable, readable), *arguments]


def _enter(root: Path, hosts: Path | None) -> list[str]:
    """bwrap with the root's own files, read only, so that any number may run at once."""
    command = ["bwrap", "--die-with-parent", "--dev", "/dev", "--proc", "/proc"]
    for part in sorted(root.iterdir()):
        if part.is_symlink():
            command += ["--symlink", str(part.readlink()), f"/{part.name}"]
        elif part.name not in _LAID_OVER:
            command += ["--ro-bind", str(part), f"/{part.name}"]
    command += ["--tmpfs", "/tmp", "--dir", "/run", "--dir", "/var/tmp"]  # noqa: S108 - the root's
    data = root / "var/lib/asterisk"
    if data.is_dir():
        command += ["--ro-bind", str(data), "/var/lib/asterisk"]
    if hosts is not None:
        command += ["--ro-bind", str(hosts), "/etc/hosts"]
    resolver = Path("/etc/resolv.conf").resolve()
    if resolver.is_file() and (root / "etc/resolv.conf").is_file():
        command += ["--ro-bind", str(resolver), "/etc/resolv.conf"]
    return command


def _binds(writable: Sequence[Path], readable: Sequence[Path]) -> list[str]:
    return [
        *(word for path in readable for word in ("--ro-bind", str(path), str(path))),
        *(word for path in writable for word in ("--bind", str(path), str(path))),
    ]


def hosts_text() -> str:
    """/etc/hosts with this machine's own name in it.

    Asterisk looks its own name up for every call; where that must go to a DNS server that does
    not answer, the SIP side stands still for seconds.
    """
    try:
        own = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        own = ""
    return f"127.0.0.1 localhost\n127.0.0.1 {socket.gethostname()}\n{own}"


def needed_modules() -> tuple[str, ...]:
    """The modules that modules.conf names."""
    return tuple(_LOAD.findall((resource_dir("asterisk-conf") / "modules.conf").read_text()))


def find_asterisk(
    environ: Mapping[str, str],
    cache_dir: Path | None = None,
    progress: Progress = lambda line: None,
) -> AsteriskProgram:
    """An installed Asterisk 20 to 23 that has all our modules, else one in the private root.

    Builds the root if needed. Raises RootError, which says what to install.
    """
    installed = find_installed(progress)
    if installed is not None:
        return installed
    root = ensure_root(root_path(environ, cache_dir), progress)
    return program_in_root(root)


def find_installed(progress: Progress = lambda line: None) -> AsteriskProgram | None:
    """The machine's own Asterisk if it will do; `progress` hears why not."""
    binary = shutil.which("asterisk") or shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin")
    if binary is None:
        return None
    version = read_version([binary, "-V"])
    if int(version.partition(".")[0]) not in SUPPORTED:
        progress(f"The installed Asterisk is version {version}; 20 to 23 are needed")
        return None
    module_dir = _module_dir(Path("/"))
    missing = [m for m in needed_modules() if module_dir is None or not (module_dir / m).is_file()]
    if module_dir is None or missing:
        progress(f"The installed Asterisk lacks modules: {' '.join(missing)}")
        return None
    return AsteriskProgram(version, module_dir, _data_dir(Path("/")))


def program_in_root(root: Path) -> AsteriskProgram:
    """The Asterisk in a finished private root. Raises FileNotFoundError."""
    module_dir = _module_dir(root)
    if module_dir is None:
        raise FileNotFoundError(f"no Asterisk modules in {root}")
    bare = AsteriskProgram("", module_dir, Path("/"), root)
    version = read_version(bare.command(["/usr/sbin/asterisk", "-V"]))
    inside = Path("/") / module_dir.relative_to(root)
    data = Path("/") / _data_dir(root).relative_to(root)
    return AsteriskProgram(version, inside, data, root)


def read_version(command: Sequence[str]) -> str:
    """``22.10.1`` of ``Asterisk 22.10.1~dfsg…``. Raises RuntimeError if it does not say."""
    answer = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, timeout=30, check=False, stdin=subprocess.DEVNULL
    )
    found = re.search(r"Asterisk (?:certified[-/])?(\d+(?:\.\d+)*)", answer.stdout)
    if found is None:
        raise RuntimeError(f"{' '.join(command)}: {(answer.stderr or answer.stdout).strip()}")
    return found[1]


def _module_dir(root: Path) -> Path | None:
    places = (
        root / f"usr/lib/{platform.machine()}-linux-gnu/asterisk/modules",
        root / "usr/lib/asterisk/modules",
        root / "usr/lib64/asterisk/modules",
    )
    return next((place for place in places if (place / "app_dial.so").is_file()), None)


def _data_dir(root: Path) -> Path:
    """Debian keeps sounds and documentation in /usr/share; Asterisk's own install in /var/lib."""
    share = root / "usr/share/asterisk"
    return share if (share / "documentation").is_dir() else root / "var/lib/asterisk"
