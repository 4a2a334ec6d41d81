"""Gathers the facts and makes every check."""

import asyncio
from pathlib import Path

from callctl.config import Settings
from callctl.features.checks.doctor.catalogue import CHECKS
from callctl.features.checks.doctor.look_asterisk import (
    look_at_configuration,
    look_at_console,
    look_at_manager,
    look_at_process,
    run_dir,
)
from callctl.features.checks.doctor.look_daemon import look_at_daemon
from callctl.features.checks.doctor.look_database import look_at_database
from callctl.features.checks.doctor.look_machine import look_at_machine
from callctl.features.checks.doctor.model import Facts, Result, make_check


async def gather_facts(
    settings: Settings, ami_secret: str, config_file: Path, conf_dir: Path | None = None
) -> Facts:
    """Looks at everything at once, changes nothing. Raises OSError when the machine itself fails.

    `conf_dir`: Asterisk's configuration, where it is not beside the generated files.
    """
    configuration = look_at_configuration(settings, conf_dir)
    place = run_dir(configuration)
    process = look_at_process(place)
    machine, daemon, manager, console, database = await asyncio.gather(
        look_at_machine(settings, configuration, process, config_file),
        look_at_daemon(settings),
        look_at_manager(settings, ami_secret),
        look_at_console(settings, place),
        look_at_database(settings),
    )
    return Facts(settings, machine, daemon, configuration, process, manager, console, database)


def examine(facts: Facts) -> list[Result]:
    """Every check, in the order of the catalogue."""
    return [make_check(check, facts) for check in CHECKS]
