"""The container image of callctl: what is in it, as whom it runs, that it serves."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from callctl import __version__
from callctl.asterisk.runtime import free_port
from tests.deploy.containers import CHECKOUT, Container, Running, wait_for

ADDRESS = "127.0.0.1"

DATA_FILES = """
import json, pathlib, callctl
from callctl.resources import resource_dir
places = {name: resource_dir(name) for name in ("dialplan", "asterisk-conf", "migrations")}
places["callctl"] = pathlib.Path(callctl.__file__).parent
print(json.dumps([
    f"{name}/{file.relative_to(place)}" for name, place in places.items()
    for file in place.rglob("*")
    if file.is_file() and file.suffix != ".pyc" and "_data" not in file.relative_to(place).parts
]))
"""
"""A program that lists all files callctl needs, as the callctl it runs with has them."""


def files_of_checkout() -> set[str]:
    """What DATA_FILES should list."""
    return {
        str(file.relative_to(CHECKOUT))
        for name in ("dialplan", "asterisk-conf", "migrations", "callctl")
        for file in (CHECKOUT / name).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    }


def get(url: str) -> dict[str, Any] | None:
    """A JSON answer, whatever its status; None while nobody answers."""
    try:
        with urlopen(url, timeout=5) as answer:
            body: dict[str, Any] = json.load(answer)
            return body
    except URLError:
        return None


def test_runs_as_a_user_without_privileges(callctl_image: Container) -> None:
    assert callctl_image.config["User"] == "callctl"
    uid, groups = callctl_image.run("sh", "-c", "id -u; id -Gn").splitlines()
    assert int(uid) >= 1000
    assert groups == "callctl asterisk"


def test_says_its_version_and_finds_its_settings_good(callctl_image: Container) -> None:
    assert callctl_image.run("callctl", "--version").strip() == f"callctl {__version__}"
    assert callctl_image.run("callctl", "check-config").strip() == "ok"


def test_holds_every_file_of_the_checkout_that_callctl_needs(callctl_image: Container) -> None:
    listed = set(json.loads(callctl_image.run("python3", "-c", DATA_FILES)))
    assert listed == files_of_checkout()
    assert any(name.startswith("callctl/console/templates/") for name in listed)
    assert any(name.startswith("callctl/demo/scenarios/") for name in listed)


def test_holds_what_is_locked_and_no_more(callctl_image: Container) -> None:
    listing = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower().replace('_', '-'): d.version"
        " for d in m.distributions()}))"
    )
    installed = json.loads(callctl_image.run("python3", "-c", listing))
    assert installed.pop("callctl") == __version__
    locked = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", _lock("requirements-runtime.lock"), re.M))
    assert installed.items() <= locked.items()
    assert "pytest" not in locked


def test_holds_nothing_of_the_machine_that_built_it(callctl_image: Container) -> None:
    listing = callctl_image.run(
        "sh",
        "-c",
        "ls -d /etc/pip.conf /run/host /root/.config /root/.cache 2>/dev/null;"
        " grep -rlE 'Proxy|Check-Valid' /etc/apt/apt.conf.d; true",
        user="root",
    )
    assert listing == ""


def test_health_check_of_the_image_passes_when_it_serves_and_fails_when_not(
    callctl_image: Container, tmp_path: Path
) -> None:
    """`callctl run` with nothing set: its own PostgreSQL, no Asterisk."""
    port = free_port(ADDRESS)
    state = tmp_path / "state"
    state.mkdir()
    volumes = {"/var/lib/callctl": state}
    environment = {
        "CALLCTL_HTTP_PORT": str(port),
        "CALLCTL_AGI_PORT": "0",
        "CALLCTL_AMI_PORT": str(free_port(ADDRESS)),
        "CALLCTL_HTTP_HOST": ADDRESS,
    }
    kind, *health_check = callctl_image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    with pytest.raises(AssertionError, match="refused"):
        callctl_image.run(*health_check, environment=environment)
    callctl_image.run("chown", "callctl:", "/mnt", user="root", volumes={"/mnt": state})

    service = Running(
        callctl_image.command(
            *callctl_image.config["Entrypoint"],
            *callctl_image.config["Cmd"],
            environment=environment,
            volumes=volumes,
        ),
        tmp_path / "log",
    )
    try:
        base = f"http://{ADDRESS}:{port}"
        wait_for(lambda: get(f"{base}/healthz") == {"alive": True}, "alive")
        ready = wait_for(lambda: get(f"{base}/readyz"), f"ready: {service.log.read_text()}", 60)
        assert ready["checks"]["database"]["ready"]
        assert not ready["checks"]["ami"]["ready"]
        callctl_image.run(*health_check, environment=environment)
        assert service.uid() == int(callctl_image.run("id", "-u"))
    finally:
        exit_code = service.stop()
    assert exit_code == 0
    assert not (state / "postgres/postmaster.pid").exists()


def _lock(name: str) -> str:
    return (CHECKOUT / name).read_text()


def test_locks_agree_and_runtime_holds_all_that_callctl_asks_for() -> None:
    whole, runtime, build = (
        dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", _lock(name), re.M))
        for name in ("requirements.lock", "requirements-runtime.lock", "requirements-build.lock")
    )
    assert runtime.items() <= whole.items()
    assert {n: v for n, v in build.items() if n != "setuptools"}.items() <= whole.items()
    asked = _dependencies()
    assert asked <= runtime.keys()
    assert not {"pytest", "mypy", "ruff", "uv"} & runtime.keys()


def _dependencies() -> set[str]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[<>=! ;\[]", line)[0].lower() for line in project["dependencies"]}
