"""The other commands: settings, routing as text, people, the API's document."""

import argparse
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import asyncpg
import pytest

from callctl.cli import MODULES
from callctl.config import REMEMBERED_FILE, dump_settings, load_settings

DEMO = Path(__file__).parents[2] / "callctl/demo/routing.yaml"
Run = Callable[..., subprocess.CompletedProcess[str]]


def callctl(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "callctl", *map(str, arguments)]
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")} | environ
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env)


@pytest.fixture
def run(database_url: str, tmp_path: Path) -> Run:
    def with_database(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return callctl(
            *arguments, CALLCTL_DATABASE_URL=database_url, CALLCTL_STATE_DIR=str(tmp_path)
        )

    return with_database


def test_help_names_every_command() -> None:
    text = callctl("--help").stdout
    for command in ("run", "migrate", "journal", "routing", "route", "user", "token", "demo"):
        assert command in text


def test_each_command_is_of_the_module_that_the_table_says() -> None:
    for module, commands in MODULES.items():
        subjects = import_module(f"callctl.cli.{module}")
        parser = argparse.ArgumentParser()
        found = parser.add_subparsers()
        subjects.add_commands(found)
        assert tuple(found.choices) == commands


def test_a_journal_is_built_without_the_daemons_code(tmp_path: Path) -> None:
    (tmp_path / "journal.csv").touch()
    text = (
        "import sys; from callctl.cli import main; done = main(sys.argv[1:]);"
        "sys.exit(done or 'callctl.app' in sys.modules or 'aiohttp' in sys.modules)"
    )
    command = [sys.executable, "-c", text, "journal", "build", str(tmp_path / "journal.csv")]
    assert subprocess.run(command, check=False).returncode == 0


def test_wrong_settings_stop_the_start_with_what_and_where() -> None:
    done = callctl("check-config", CALLCTL_HTTP_PORT="many")
    assert done.returncode == 2
    assert "CALLCTL_HTTP_PORT" in done.stderr
    assert callctl("check-config", CALLCTL_COLOUR="red").returncode == 2
    assert callctl("check-config").stdout == "ok\n"


def test_openapi_is_printed_without_any_service() -> None:
    document = json.loads(callctl("openapi").stdout)
    assert document["openapi"].startswith("3.1")
    assert "/api/v1/calls/{id}" in document["paths"]


def test_a_database_that_is_away_is_exit_code_3() -> None:
    done = callctl("routing", "export", CALLCTL_DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    assert done.returncode == 3
    assert "database_unavailable" in done.stderr
    assert "Traceback" not in done.stderr


def test_routing_goes_in_and_comes_out_the_same(run: Run, tmp_path: Path) -> None:
    assert run("routing", "diff", DEMO).returncode == 1
    applied = run("routing", "apply", DEMO)
    assert applied.returncode == 0, applied.stderr
    assert run("routing", "diff", DEMO).stdout == "no changes\n"
    exported = tmp_path / "out.yaml"
    exported.write_text(run("routing", "export").stdout)
    again = run("routing", "apply", exported)
    assert (again.returncode, again.stdout) == (0, "no changes\n")


def test_a_broken_file_is_refused_with_both_ends(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(
        "account: {code: main, name: X, country: HU, timezone: UTC}\n"
        "dids:\n"
        "  - {number: +3617000001, to: [extension:999]}\n"
    )
    done, tried = run("routing", "apply", file), run("routing", "diff", file)
    assert (done.returncode, done.stderr) == (tried.returncode, tried.stderr)
    assert done.returncode == 2
    assert "routing.yaml:3" in done.stderr
    assert "999" in done.stderr
    assert run("routing", "export").stdout.count("999") == 0


def test_a_broken_expectation_shows_both_plans(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "routing.yaml"
    file.write_text(
        "account: {code: main, name: X, country: HU, timezone: UTC}\n"
        "extensions: [{number: 101}, {number: 102}]\n"
        "trunks: [{name: carrier, host: 192.0.2.1, match: [192.0.2.1]}]\n"
        "dids: [{number: +3617000001, to: [extension:101]}]\n"
        "expectations:\n"
        "  - {from: +36201234567, to: +3617000001, then: [ring 102]}\n"
    )
    done, tried = run("routing", "apply", file), run("routing", "diff", file)
    assert (done.returncode, done.stderr) == (tried.returncode, tried.stderr)
    assert done.returncode == 1
    assert "routing.yaml:6: expectation" in done.stderr
    assert "ring 102" in done.stderr
    assert "ring 101" in done.stderr


def test_explain_says_the_plan_and_why(run: Run) -> None:
    run("routing", "apply", DEMO)
    done = run("route", "explain", "--from", "+36201234567", "--to", "+3617000002")
    assert done.returncode == 0, done.stderr
    assert "ring 101" in done.stdout
    assert done.stdout.index("ring 101") < done.stdout.index("ring 102")
    assert "because" in done.stdout
    as_json = json.loads(run("route", "explain", "--from", "101", "--to", "112", "--json").stdout)
    assert as_json["direction"] == "outbound"
    closed = run(
        "route",
        "explain",
        "--from",
        "06201234567",
        "--to",
        "+3617000006",
        "--at",
        "2026-12-25T10:00",
    )
    assert "closed" in closed.stdout


def test_a_password_and_a_token_can_be_had(run: Run) -> None:
    password = run("user", "reset-password", "admin")
    assert password.returncode == 0, password.stderr
    assert len(password.stdout.strip()) > 15
    token = run("token", "issue", "crm", "--scope", "calls:read")
    assert token.stdout.startswith("cct_")
    assert run("user", "reset-password", "nobody").returncode == 2


def test_migrate_twice_is_up_to_date(run: Run) -> None:
    run("migrate")
    assert run("migrate").stdout == "up to date\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("journal", "status"),
        ("routing", "export"),
        ("routing", "diff", DEMO),
        ("route", "explain", "--from", "101", "--to", "112"),
    ],
    ids=["status", "export", "diff", "explain"],
)
def test_reading_where_there_is_no_database_says_so_and_makes_none(
    arguments: tuple[str | Path, ...], tmp_path: Path
) -> None:
    place = tmp_path / "state"
    done = callctl(*arguments, CALLCTL_STATE_DIR=str(place))
    assert done.returncode == 3
    assert f"there is no database: database_url is not set, and {place} holds none" in done.stderr
    assert done.stdout == ""
    assert not place.exists()


def test_journal_status_shows_the_path_that_the_daemon_there_runs_with(
    run: Run, tmp_path: Path
) -> None:
    running = load_settings(
        {"CALLCTL_STATE_DIR": str(tmp_path), "CALLCTL_JOURNAL_PATH": "/srv/ast/journal.csv"}
    )
    (tmp_path / REMEMBERED_FILE).write_text(dump_settings(running))
    status = json.loads(run("journal", "status", "--json").stdout)
    assert status["journal"] == "/srv/ast/journal.csv"


def test_held_calls_are_listed_and_decided_on(run: Run, database_url: str) -> None:
    assert run("limits", "holds").stdout == "nothing is held\n"
    assert run("limits", "status").stdout == "no limit is used\n"

    async def hold() -> int:
        connection = await asyncpg.connect(database_url)
        sql = """
        insert into limit_holds
            (account_id, extension, destination, reason, number, calls, asked_at, last_at)
        select id, '101', 'CU', 'held_country~CU', '+5371234567', 3, now(), now() from accounts
        returning id
        """
        made: int = await connection.fetchval(sql)
        await connection.close()
        return made

    made = asyncio.run(hold())
    waiting = run("limits", "holds")
    assert waiting.returncode == 1
    assert f"{made}  waiting  101 -> CU (+5371234567), 3 calls" in waiting.stdout
    approved = run("limits", "approve", str(made), "--hours", "2", "--json")
    assert json.loads(approved.stdout)["state"] == "approved"
    assert run("limits", "holds").returncode == 0
    refused = run("limits", "refuse", str(made))
    assert "refused  101 -> CU" in refused.stdout
    assert run("limits", "approve", "999").returncode == 2
    assert run("limits", "approve", str(made), "--hours", "0").returncode == 2
    assert run("limits", "notices").stdout == "no limit was passed\n"


def test_explain_says_why_a_call_would_not_pass(run: Run) -> None:
    assert run("routing", "apply", DEMO).returncode == 0
    told = run("route", "explain", "--from", "101", "--to", "00881612345678")
    assert "blocked by a limit: it is a number of the kind satellite" in told.stdout
    assert (
        "feature code: hear yourself"
        in run("route", "explain", "--from", "101", "--to", "*43").stdout
    )
