"""``callctl run`` and what an admin needs around it."""

import argparse
import asyncio
import gc
import os
import resource
import signal
from typing import Any

import uvloop

from callctl.app import (
    AlreadyRunning,
    migrate_when_reachable,
    open_daemon,
    open_database_url,
    openapi_document,
)
from callctl.cli.common import (
    EXIT_AWAY,
    EXIT_OK,
    Failure,
    print_json,
    run_async,
    settings_of_process,
)
from callctl.config import Settings
from callctl.db.embedded import EmbeddedPostgresError
from callctl.db.migrate import MigrationError
from callctl.telemetry.log import configure_logging

_DESCRIPTORS = 16_384
_UMASK = 0o027
"""Recordings and the like are for callctl and its group; whoever is stricter stays so."""


def add_commands(commands: Any) -> None:
    run = commands.add_parser(
        "run",
        help="the daemon: routes calls, keeps their records, serves the API and the console",
    )
    run.set_defaults(run=run_daemon)
    migrate = commands.add_parser("migrate", help="bring the database's schema up to date")
    migrate.set_defaults(run=run_migrate)
    check = commands.add_parser("check-config", help="say what is wrong with the settings, or ok")
    check.set_defaults(run=run_check)
    openapi = commands.add_parser("openapi", help="print the API's OpenAPI 3.1 document")
    openapi.set_defaults(run=run_openapi)


def run_daemon(_: argparse.Namespace) -> int:
    settings = settings_of_process()
    configure_logging(settings.log_level, settings.log_format)
    _take_descriptors()
    os.umask(os.umask(_UMASK) | _UMASK)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except AlreadyRunning as error:
        raise Failure(str(error), EXIT_AWAY) from error
    except (MigrationError, EmbeddedPostgresError) as error:
        raise Failure(f"database: {error}") from error
    except OSError as error:
        raise Failure(f"cannot start: {error}", EXIT_AWAY) from error
    return EXIT_OK


def _take_descriptors() -> None:
    """As many open files as we are allowed: a crowd at a door must not use up those of the rest."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _serve(settings: Settings) -> None:
    """The one owner of SIGTERM and SIGINT: both end the daemon in good order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_daemon(settings) as daemon:
        ready = asyncio.create_task(daemon.ready.wait(), name="ready")
        # What is there once all is loaded stays: to search it for garbage again and again would
        # hold up calls for as long as it takes to look at every object of the routing.
        ready.add_done_callback(lambda _: gc.freeze())
        await stop.wait()
        ready.cancel()


def run_migrate(_: argparse.Namespace) -> int:
    async def migrate() -> int:
        async with open_database_url(settings_of_process()) as url:
            try:
                applied = await migrate_when_reachable(url)
            except MigrationError as error:
                raise Failure(f"database: {error}") from error
        print("\n".join(f"applied {name}" for name in applied) or "up to date")
        return EXIT_OK

    return run_async(migrate())


def run_check(_: argparse.Namespace) -> int:
    settings_of_process()
    print("ok")
    return EXIT_OK


def run_openapi(_: argparse.Namespace) -> int:
    print_json(openapi_document())
    return EXIT_OK
