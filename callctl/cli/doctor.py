"""``callctl doctor``: is everything as it must be, and what to do where it is not?"""

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from callctl.app import read_ami_secret
from callctl.cli.common import (
    EXIT_OK,
    Failure,
    add_json_flag,
    print_json,
    run_async,
    settings_of_installation,
)
from callctl.config import CONFIG_FILE_VARIABLE, DEFAULT_CONFIG_FILE
from callctl.features.checks.doctor.examine import examine, gather_facts
from callctl.features.checks.doctor.model import Result, State

EXIT_WARNINGS = 1
EXIT_ERRORS = 2


def add_commands(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="look at Asterisk, PostgreSQL, the machine and callctl; say what is wrong and the fix",
        description="Looks and changes nothing; also while the daemon, PostgreSQL or Asterisk is "
        "away. Run it as the user of callctl, or as root, who sees more. Exit codes: 0 no error, "
        "1 warnings (with --strict), 2 errors.",
    )
    add_json_flag(doctor)
    doctor.add_argument("--strict", action="store_true", help="warnings count: exit code 1")
    doctor.add_argument(
        "--asterisk-conf",
        type=Path,
        metavar="DIR",
        help="Asterisk's configuration; default: where the generated files are (/etc/asterisk)",
    )
    doctor.set_defaults(run=run_doctor)


def run_doctor(arguments: argparse.Namespace) -> int:
    return run_async(_doctor(arguments))


async def _doctor(arguments: argparse.Namespace) -> int:
    settings = settings_of_installation()
    config_file = Path(os.environ.get(CONFIG_FILE_VARIABLE) or DEFAULT_CONFIG_FILE)
    try:
        secret = read_ami_secret(settings)
        facts = await gather_facts(settings, secret, config_file, arguments.asterisk_conf)
    except (OSError, TimeoutError) as error:
        raise Failure(
            f"the doctor cannot look: {error}\nRun it as root, or as callctl's user."
        ) from error
    results = examine(facts)
    if arguments.json:
        print_json([as_json(result) for result in results])
    else:
        print("\n".join(lines_of(results)))
    return exit_code(results, strict=arguments.strict)


def exit_code(results: Sequence[Result], *, strict: bool) -> int:
    states = {result.state for result in results}
    if State.ERROR in states:
        return EXIT_ERRORS
    return EXIT_WARNINGS if strict and State.WARNING in states else EXIT_OK


def as_json(result: Result) -> dict[str, str]:
    """One check, for programs; `code` and `state` are stable."""
    check = result.check
    return {
        "code": check.code,
        "state": result.state.value,
        "what": check.what,
        "words": result.words,
        "why": check.why,
        "fix": result.fix,
    }


def lines_of(results: Sequence[Result]) -> list[str]:
    """A line a check; below one that is not well, why it matters and what to do; then the sum."""
    lines = []
    for result in results:
        lines.append(f"{result.state.value:<8} {result.check.code:<20} {result.words}")
        if result.fix:
            lines.append(f"{'':<29} why: {result.check.why}")
            lines.append(f"{'':<29} fix: {result.fix}")
    count = Counter(result.state for result in results)
    words = {State.OK: "ok", State.WARNING: "warnings", State.ERROR: "errors"}
    total = [f"{count[state]} {word}" for state, word in words.items()]
    return [
        *lines,
        "",
        f"{len(results)} checks: {', '.join(total)}, {count[State.SKIPPED]} skipped",
    ]
