"""What all commands share: settings, a database for a moment, output for people or for programs."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import msgspec

from callctl.app import migrate_when_reachable, open_database_url
from callctl.config import Settings, load_settings
from callctl.db.migrate import MigrationError
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


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """A migrated database for the time of one command. Raises Failure, CallctlError."""
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
