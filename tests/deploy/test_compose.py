"""deploy/compose.yaml, its services run from the built images (`containers.py` says what is not
as an engine would do it)."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml

from callctl.asterisk.runtime import free_port
from callctl.demo.sip import Caller
from tests.deploy.containers import Compose, image_config, wait_for
from tests.deploy.test_image import get

SIP_ADDRESS = "127.0.6.1"
PHONE = "127.0.6.120"
ROUTING = """
account: {code: main, name: Test, country: HU, timezone: Europe/Budapest}
extensions:
  - {number: 120, name: Front desk}
"""


@pytest.fixture(scope="module")
def ports() -> dict[str, str]:
    names = ("CALLCTL_HTTP_PORT", "CALLCTL_AGI_PORT", "CALLCTL_AMI_PORT")
    return {name: str(free_port("127.0.0.1")) for name in names}


@pytest.fixture(scope="module")
def compose(
    images: None, ports: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Compose]:
    """Set up and running: PostgreSQL's stand-in, Asterisk, callctl."""
    sip = f"--sip-address {SIP_ADDRESS} --media-address {SIP_ADDRESS}"
    project = Compose(tmp_path_factory.mktemp("compose"), {**ports, "ASTERISK_CONF_OPTIONS": sip})
    try:
        project.run("setup")
        # callctl first: order of start must not matter.
        project.start("callctl")
        project.start("asterisk")
        project.start_postgres()
        yield project
    finally:
        print(project.logs())
        project.close()


@pytest.fixture(scope="module")
def ready(compose: Compose, ports: dict[str, str]) -> dict[str, Any]:
    url = f"http://127.0.0.1:{ports['CALLCTL_HTTP_PORT']}/readyz"
    checks = ("database", "routing", "ami", "journal")

    def all_ready() -> dict[str, Any] | None:
        answer = get(url)
        good = answer is not None and all(answer["checks"][name]["ready"] for name in checks)
        return answer if good else None

    answer: dict[str, Any] = wait_for(all_ready, f"all of {checks} ready", 60)
    return answer


def asterisk(compose: Compose, command: str) -> str:
    return compose.run("asterisk", "asterisk", "-rx", command)


def test_callctl_finds_postgresql_and_asterisk(ready: dict[str, Any]) -> None:
    assert ready["ready"]
    assert ready["checks"]["ami"]["ready"]


def test_each_service_runs_as_its_own_user_and_shares_one_group(
    compose: Compose, ready: dict[str, Any]
) -> None:
    users = {name: compose.run(name, "id", "-un").strip() for name in ("callctl", "asterisk")}
    assert users == {"callctl": "callctl", "asterisk": "asterisk"}
    groups = {name: compose.run(name, "id", "-G").split() for name in users}
    assert compose.run("asterisk", "id", "-g").strip() in groups["callctl"]


def test_health_checks_of_both_images_pass(compose: Compose, ready: dict[str, Any]) -> None:
    for service in ("callctl", "asterisk"):
        kind, *words = image_config(compose.image(service))["Healthcheck"]["Test"]
        assert kind == "CMD"
        compose.run(service, *words)


def test_secrets_are_generated_kept_and_open_to_no_other(compose: Compose) -> None:
    files = {
        name: compose.directory / name
        for name in ("state/ami.secret", "state/pgpass", "database-password/postgres.password")
    }
    before = {name: file.read_text() for name, file in files.items()}
    compose.run("setup")
    assert {name: file.read_text() for name, file in files.items()} == before
    for name, file in files.items():
        assert len(before[name].strip()) >= 43, name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, name
    manager = (compose.directory / "asterisk-etc/manager.conf").read_text()
    assert before["state/ami.secret"].strip() in manager
    assert stat.S_IMODE((compose.directory / "asterisk-etc/manager.conf").stat().st_mode) == 0o640


def test_postgresql_lets_nobody_in_without_the_password(compose: Compose) -> None:
    """Not even by the socket, which PostgreSQL's image would trust if it were not told."""
    program = (
        "import asyncio, asyncpg, os\n"
        "async def main():\n"
        "    await (await asyncpg.connect(os.environ['CALLCTL_DATABASE_URL'])).close()\n"
        "try: asyncio.run(main()); print('in')\n"
        "except asyncpg.InvalidPasswordError: print('refused')\n"
    )
    assert compose.run("callctl", "python3", "-c", program).strip() == "in"
    without = program.replace(
        "import asyncio", "import os; del os.environ['PGPASSFILE']\nimport asyncio", 1
    )
    assert compose.run("callctl", "python3", "-c", without).strip() == "refused"


def test_asterisk_loads_what_callctl_generates(compose: Compose, ready: dict[str, Any]) -> None:
    compose.run("callctl", "callctl", "routing", "apply", "-", stdin=ROUTING)
    wait_for(
        lambda: re.search(r"Endpoint:\s+120", asterisk(compose, "pjsip show endpoints")),
        "extension 120 known to Asterisk",
    )


async def test_a_call_reaches_the_history_by_the_shared_journal(
    compose: Compose, ready: dict[str, Any], ports: dict[str, str], tmp_path: Path
) -> None:
    """Asterisk writes the journal; callctl, another user, reads it and may rename it."""
    exported = compose.run("callctl", "callctl", "routing", "export", "--with-secrets")
    secret = yaml.safe_load(exported)["extensions"][0]["secret"]
    journal = "/var/log/asterisk/cel-custom/journal.csv"
    for number in (1, 2):
        sip = tmp_path / str(number)
        async with Caller("120", PHONE, SIP_ADDRESS, sip, to="*43", secret=secret, talk=1) as phone:
            await phone.ended()
        wait_for_calls(compose, ports, number)
        compose.run("callctl", "mv", journal, f"{journal}.20260101T00000000000{number}")
    history = calls(compose, ports)
    assert [(call["extension"], call["to_number"]) for call in history] == [("120", "*43")] * 2


def test_callctl_may_take_recordings_away(compose: Compose) -> None:
    spool = "/var/spool/asterisk/callctl"
    compose.run("asterisk", "touch", f"{spool}/1.raw")
    compose.run("callctl", "sh", "-c", f"cat {spool}/1.raw && rm {spool}/1.raw")


def test_the_check_runs_in_asterisks_own_container(
    compose: Compose, ready: dict[str, Any], ports: dict[str, str]
) -> None:
    """What `*99` asks. Asterisk's side of the conversation is scripted."""
    address = f"agi://127.0.0.1:{ports['CALLCTL_AGI_PORT']}/route"
    stdin = f"agi_arg_2: 120\n\n200 result=1 ({address})\n" + "200 result=1\n" * 4
    answer = compose.run("asterisk", "/var/lib/asterisk/agi-bin/callctl-check", stdin=stdin)
    assert re.search(r'CALLCTL_CHECK_DAEMON"? "up', answer)


def test_services_stop_in_good_order(compose: Compose, ready: dict[str, Any]) -> None:
    """Last in this file: the others need them."""
    assert compose.stop("callctl") == 0
    assert compose.stop("asterisk") == 0


_tokens: dict[Path, str] = {}


def calls(compose: Compose, ports: dict[str, str]) -> list[dict[str, Any]]:
    if compose.directory not in _tokens:
        _tokens[compose.directory] = compose.run(
            "callctl", "callctl", "token", "issue", "test", "--scope", "calls:read"
        ).strip()
    request = Request(
        f"http://127.0.0.1:{ports['CALLCTL_HTTP_PORT']}/api/v1/calls",
        headers={"Authorization": f"Bearer {_tokens[compose.directory]}"},
    )
    with urlopen(request, timeout=5) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
        return items


def wait_for_calls(compose: Compose, ports: dict[str, str], count: int) -> None:
    wait_for(lambda: len(calls(compose, ports)) == count, f"{count} calls in the history")
