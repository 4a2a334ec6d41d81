"""A private file system with Asterisk in it, for machines whose own packages hold none.

Debian 12 has no Asterisk; Debian's next release has version 22. ``mmdebstrap`` makes a root of
about 400 MB from Debian's signed packages; ``bwrap`` runs Asterisk in it (`runtime.py`). Nothing
of the machine itself is changed, and neither needs to be root.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from callctl.resources import resource_dir

SUITE = "forky"
PACKAGES = ("asterisk", "ca-certificates", "openssl", "python3", "tzdata")
ROOT_VARIABLE = "ASTERISK_ROOT"
_COMPLETE = "etc/callctl-root"
"""Written last, names the content; a root without it (or another content) is built anew."""
_CONTENT = f"{SUITE} {' '.join(PACKAGES)}\n"

Progress = Callable[[str], None]


class RootError(RuntimeError):
    """No root can be made. The text says what to do."""


def root_path(environ: Mapping[str, str], cache_dir: Path | None = None) -> Path:
    """Where the root is, or would be: ``ASTERISK_ROOT``, else in the cache directory.

    Without `cache_dir` that is ``.callctl`` of a checkout, else ``~/.cache/callctl``.
    """
    if environ.get(ROOT_VARIABLE):
        return Path(environ[ROOT_VARIABLE]).absolute()
    return (cache_dir or default_cache_dir(environ)) / "asterisk-root"


def default_cache_dir(environ: Mapping[str, str]) -> Path:
    """``.callctl`` beside pyproject.toml in a checkout, else the user's cache directory."""
    checkout = resource_dir("asterisk-conf").parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".callctl"
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "callctl"


def ensure_root(path: Path, progress: Progress = lambda line: None) -> Path:
    """The root at `path`, built if it is not there (25 s to some minutes). Raises RootError.

    Safe when several processes ask at once: one builds, the others wait.
    """
    missing = [name for name in ("bwrap", "mmdebstrap") if shutil.which(name) is None]
    if "bwrap" in missing or (missing and not is_complete(path)):
        packages = " ".join({"bwrap": "bubblewrap"}.get(name, name) for name in missing)
        raise RootError(
            f"Asterisk's private root needs {' and '.join(missing)}: "
            f"run 'apt-get install {packages}', or install Asterisk 20 to 23 itself"
        )
    if is_complete(path):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.with_name(path.name + ".lock")):
        if not is_complete(path):
            _build(path, progress)
    return path


def is_complete(path: Path) -> bool:
    """Whether `path` holds a finished root. A root put there by hand needs no mark of ours."""
    mark = path / _COMPLETE
    try:
        return mark.read_text(encoding="utf-8") == _CONTENT
    except OSError:
        return not mark.exists() and (path / "usr/sbin/asterisk").is_file()


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(path: Path, progress: Progress) -> None:
    """Build beside `path`, then rename: a broken build never looks like a root."""
    draft = Path(tempfile.mkdtemp(prefix=path.name + ".new-", dir=path.parent))
    try:
        progress(f"Building Asterisk's private root in {path} (about 400 MB, once)")
        _unpack_packages(draft, progress)
        _finish(draft)
        if path.exists():
            shutil.rmtree(path)
        draft.replace(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    progress("Asterisk's private root is ready")


def _unpack_packages(draft: Path, progress: Progress) -> None:
    """mmdebstrap writes an archive, tar unpacks it as our own files, whoever we are."""
    make = [
        "mmdebstrap",
        "--variant=minbase",
        # A mirror may be a frozen snapshot, whose release file has expired.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        f"--include={','.join(PACKAGES)}",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--format=tar",
        SUITE,
        "-",
    ]
    unpack = ["tar", "-x", "--no-same-owner", "--exclude=./dev/*", "-C", str(draft)]
    with tempfile.TemporaryFile() as log:
        maker = subprocess.Popen(  # noqa: S603
            make, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert maker.stdout is not None
        assert maker.stderr is not None
        unpacker = subprocess.Popen(unpack, stdin=maker.stdout, stderr=log)  # noqa: S603
        maker.stdout.close()
        tail: list[str] = []
        for raw in maker.stderr:
            line = raw.decode(errors="replace").strip()
            tail = [*tail[-14:], line]
            if line.startswith("I:"):
                progress(line.removeprefix("I:").strip())
        maker.stderr.close()
        made, unpacked = maker.wait(), unpacker.wait()
        log.seek(0)
        tail += log.read().decode(errors="replace").splitlines()[-5:]
    if made or unpacked:
        raise RootError(
            f"mmdebstrap could not make Asterisk's private root (exit {made}, tar {unpacked}):\n"
            + "\n".join(f"  {line}" for line in tail)
            + ("" if os.geteuid() == 0 else _PLAIN_USER_HINT)
        )


_PLAIN_USER_HINT = (
    "\n  A plain user needs 'apt-get install uidmap' and lines for the user in /etc/subuid and "
    "/etc/subgid."
)


def _finish(draft: Path) -> None:
    """Files that bwrap lays the machine's own over must exist; the mark comes last."""
    for name in ("etc/hosts", "etc/resolv.conf"):
        file = draft / name
        file.unlink(missing_ok=True)
        file.touch()
    for cache in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(draft / cache, ignore_errors=True)
    (draft / _COMPLETE).write_text(_CONTENT, encoding="utf-8")
