"""``callctl doctor`` as the program it is: a stack that is well, one that is broken, parts away."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from callctl.demo.stack import Stack
from callctl.features.checks.doctor.catalogue import CHECKS
from callctl.features.checks.doctor.conf_files import parse_entries
from callctl.features.checks.doctor.judge_asterisk import parse_translations
from callctl.features.checks.doctor.look_machine import may_write
from callctl.features.checks.doctor.model import (
    AsteriskProcess,
)

pytestmark = pytest.mark.asterisk

OF_THE_MACHINE = {"clock_sync", "hosts", "rtp_ports", "journal_disk", "database_durability"}
"""What a test cannot promise of the machine it runs on; the journal is in memory here, and so is
the throw-away PostgreSQL, as good as."""
CODES = {check.code: check for check in CHECKS}


def doctor(stack: Stack, *arguments: str, **environ: str) -> tuple[int, dict[str, Any], str]:
    """Its exit code, what it says of each check, its standard error."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("CALLCTL_")} | {
        "CALLCTL_STATE_DIR": str(stack.state_dir),
        "CALLCTL_DATABASE_URL": stack.settings.database_url or "",
        **environ,
    }
    done = subprocess.run(
        [sys.executable, "-m", "callctl", "doctor", "--json", *arguments],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    results = {check["code"]: check for check in json.loads(done.stdout)}
    assert set(results) == set(CODES)
    return done.returncode, results, done.stderr


def states(results: dict[str, Any]) -> dict[str, str]:
    return {c: r["state"] for c, r in results.items() if c not in OF_THE_MACHINE}


async def _doctor(stack: Stack, *arguments: str, **environ: str) -> tuple[int, dict[str, Any]]:
    code, results, _ = await asyncio.to_thread(doctor, stack, *arguments, **environ)
    return code, results


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    text = path.read_text()
    assert old in text
    mode = path.stat().st_mode
    path.write_text(text.replace(old, new))
    try:
        yield
    finally:
        path.write_text(text)
        path.chmod(mode)


async def test_it_finds_a_running_stack_well_by_its_state_directory_alone(stack: Stack) -> None:
    """Ports, journal and directories are those that the daemon there runs with."""
    _, results = await _doctor(stack)
    assert set(states(results).values()) == {"ok"}, states(results)
    assert results["journal_disk"]["state"] == "warning"
    strict, _ = await _doctor(stack, "--strict")
    assert strict in (1, 2)


async def test_a_broken_configuration_is_seen_in_the_files_and_in_the_running_asterisk(
    stack: Stack,
) -> None:
    etc = stack.asterisk.values.etc_dir
    generated = stack.asterisk.generated_dir / "extensions.conf"
    secret = stack.state_dir / "ami.secret"
    with (
        edited(etc / "cel.conf", "dateformat =", "dateformat = %F"),
        edited(etc / "cel_custom.conf", "=> ${EPOCH},", "=> "),
        edited(etc / "manager.conf", "read = system,call", "read = system"),
        edited(etc / "rtp.conf", "rtpend = 20000", "rtpend = 10010"),
        edited(generated, "revision 1", "revision 7"),
    ):
        secret.chmod(0o644)
        await stack.asterisk.cli("module unload codec_g722.so")
        await stack.asterisk.cli("manager reload")
        code, results = await _doctor(stack)
    secret.chmod(0o600)
    await stack.asterisk.cli("module load codec_g722.so")
    await stack.asterisk.cli("manager reload")
    assert code == 2
    wrong = {c: r["words"] for c, r in results.items() if r["state"] in ("error", "warning")}
    assert "dateformat" in wrong["journal_events"]
    assert "1023" in wrong["journal_mapping"]
    assert "call" in wrong["ami_events"]
    assert "room for 2 calls" in wrong["rtp_ports"]
    assert "revision 7" in wrong["revision"]
    assert "codec_g722.so" in wrong["modules"]
    assert "g722" in wrong["codecs"]
    assert "0644" in wrong["secrets"]
    assert all(results[c]["fix"] for c in wrong)


async def test_settings_that_differ_from_asterisks_are_named(stack: Stack, tmp_path: Path) -> None:
    code, results = await _doctor(
        stack,
        CALLCTL_AMI_SECRET="wrong",
        CALLCTL_SYSTEMNAME="other",
        CALLCTL_JOURNAL_PATH=str(tmp_path / "journal.csv"),
        CALLCTL_AGI_PORT="1",
        CALLCTL_RECORDINGS_SPOOL=str(tmp_path),
    )
    assert code == 2
    wrong = {c: r["words"] for c, r in results.items() if r["state"] == "error"}
    assert "refuses callctl" in wrong["ami_login"]
    assert str(tmp_path / "journal.csv") in wrong["journal_path"]
    assert "does not run" in wrong["daemon"]
    assert ":1/route" in wrong["agi_address"]
    assert "callctl looks in" in wrong["recordings_spool"]
    assert results["systemname"]["state"] == "skipped"


@asynccontextmanager
async def stopped(stack: Stack, what: str) -> AsyncIterator[None]:
    if what == "daemon":
        await stack.stop_daemon()
    else:
        await stack.asterisk.stop()
    try:
        yield
    finally:
        if what == "daemon":
            await stack.start_daemon()
        else:
            await stack.asterisk.start()
        await stack.daemon.ami.wait_for_state(True, 40)


async def test_without_the_daemon_it_says_so_and_checks_the_rest(stack: Stack) -> None:
    async with stopped(stack, "daemon"):
        code, results = await _doctor(stack)
    assert code == 2
    found = states(results)
    assert found.pop("daemon") == "error"
    assert found.pop("agi") == "skipped"
    assert [c for c in found if found[c] != "ok"] == []
    assert results["ports"]["words"] == "free"


async def test_without_asterisk_and_postgresql_each_has_its_one_line(stack: Stack) -> None:
    away = "postgresql://nobody@127.0.0.1:1/nothing"
    async with stopped(stack, "asterisk"):
        code, results = await _doctor(stack, CALLCTL_DATABASE_URL=away)
    assert code == 2
    errors = {c: r["words"] for c, r in results.items() if r["state"] == "error"}
    assert set(errors) - OF_THE_MACHINE == {"ami_login", "database"}
    assert "no manager interface" in errors["ami_login"]
    assert "cannot be reached" in errors["database"]
    for code_ in ("modules", "journal_growing", "codecs", "open_files", "database_schema"):
        assert results[code_]["state"] == "skipped", results[code_]
    assert results["journal_mapping"]["state"] == "ok"


def test_on_an_empty_machine_it_makes_nothing(tmp_path: Path) -> None:
    place = tmp_path / "state"
    env = {"PATH": os.environ["PATH"], "CALLCTL_STATE_DIR": str(place)}
    env |= {f"CALLCTL_{n}_PORT": "1" for n in ("AMI", "AGI", "HTTP")}
    env["CALLCTL_ASTERISK_GENERATED_DIR"] = str(tmp_path / "etc/callctl.d")
    done = subprocess.run(
        [sys.executable, "-m", "callctl", "doctor"],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "there is no embedded PostgreSQL" in done.stdout
    assert "fix: " in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_user_who_may_not_look_is_told_so_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ami.secret").mkdir()
    env = {"PATH": os.environ["PATH"], "CALLCTL_STATE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "callctl", "doctor"],
        capture_output=True, text=True, check=False, env=env,
    )  # fmt: skip
    assert done.returncode == 2
    assert "the doctor cannot look" in done.stderr
    assert "Traceback" not in done.stderr


# What it reads


def test_configuration_lines_are_read_as_asterisk_does() -> None:
    text = (
        '; comment\n[general]\na = 1 ; more\nb => x=y\n#include "d/*.conf"\n'
        "[tmpl](!)\nc=semi\\;colon\nnonsense\n[x](tmpl)\na=2\n"
    )
    assert list(parse_entries(text)) == [
        ("general", "a", "1"),
        ("general", "b", "x=y"),
        ("general", "#include", "d/*.conf"),
        ("tmpl", "c", "semi\\;colon"),
        ("x", "a", "2"),
    ]


def test_translations_are_read_from_the_table() -> None:
    shown = "  Translation times\n\n        ulaw  alaw\n  ulaw     - 15000\n  alaw     -     -\n"
    assert parse_translations(shown) == {"ulaw": frozenset({"alaw"}), "alaw": frozenset()}
    assert parse_translations("") == {}


def test_whether_asterisks_user_may_write_goes_by_owner_group_and_others(tmp_path: Path) -> None:
    own, group = tmp_path.stat().st_uid, tmp_path.stat().st_gid
    tmp_path.chmod(0o750)

    def user(uid: int, *groups: int) -> AsteriskProcess:
        return AsteriskProcess(1, uid, frozenset(groups), 1, None, None)

    assert may_write(tmp_path, None) is None
    assert may_write(tmp_path, user(0)) is True
    assert may_write(tmp_path, user(own or 0)) is True
    assert may_write(tmp_path, user(4711, group)) is False
    tmp_path.chmod(0o770)
    assert may_write(tmp_path, user(4711, group)) is True
    assert may_write(tmp_path, user(4711, group + 1)) is False
