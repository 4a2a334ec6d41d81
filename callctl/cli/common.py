"""What all commands share: settings, a database for a moment, output for people or for programs."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import msgspec

from callctl.config import Settings, load_settings
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import MigrationError
from callctl.db.opening import migrate_when_reachable, open_database_url
from callctl.db.pool import Database

EXIT_OK = 0
EXIT_NO = 1
EXIT_USAGE = 2
EXIT_AWAY = 3


class Failure(Exception):
    """A command that ends with words for a person and an exit code."""

    def __init__(self, message: str, exit_code: int = EXIT_USAGE) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def settings_of_process() -> Settings:
    """Raises ConfigError."""
    return load_settings(os.environ)


def settings_of_installation() -> Settings:
    """The same, with what the daemon of this `state_dir` runs with in place of the defaults.

    For commands that look at an installation. Raises ConfigError.
    """
    return load_settings(os.environ, remembered=True)


@contextlib.asynccontextmanager
async def open_database(settings: Settings, *, make: bool = False) -> AsyncIterator[Database]:
    """A migrated database for the time of one command. Raises Failure, CallctlError.

    An embedded one that is not there is only made with `make`: whoever wants to read has given
    the wrong place.
    """
    if not (make or settings.database_url or EmbeddedPostgres.is_made(settings.state_dir)):
        raise Failure(
            f"there is no database: database_url is not set, and {settings.state_dir} holds none.\n"
            "Set CALLCTL_STATE_DIR (or CALLCTL_CONFIG) to the installation's, or start it first: "
            "callctl run",
            EXIT_AWAY,
        )
    async with open_database_url(settings) as url:
        try:
            await migrate_when_reachable(url)
        except MigrationError as error:
            raise Failure(f"database: {error}") from error
        db = await Database.connect(url)
        try:
            yield db
        finally:
            await db.close()


def run_async(work: Coroutine[Any, Any, int]) -> int:
    return asyncio.run(work)


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def print_json(value: Any) -> None:
    """One JSON value and a newline, whatever bytes the terminal likes."""
    sys.stdout.flush()
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
    sys.stdout.buffer.flush()
