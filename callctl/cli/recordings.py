"""``callctl recordings``: the master key of encrypted recordings."""

import argparse
import os
from pathlib import Path
from typing import Any

from callctl.cli.common import (
    EXIT_OK,
    Failure,
    open_database,
    run_async,
    settings_of_installation,
)
from callctl.config import Settings
from callctl.features.recordings.keys import make_master_key, read_master_key, rewrap_keys


def add_commands(commands: Any) -> None:
    recordings = commands.add_parser("recordings", help="the master key of encrypted recordings")
    verbs = recordings.add_subparsers(metavar="VERB", required=True)
    make = verbs.add_parser(
        "make-key",
        help="make the master key, by chance, where `recordings_key_file` says",
        description="Never overwrites one. Run it as callctl's user, and keep a copy elsewhere.",
    )
    make.set_defaults(run=run_make)
    rotate = verbs.add_parser(
        "rotate-key",
        help="put a new master key in place of the one there is",
        description="The accounts' keys are wrapped anew, no recording is touched, and the daemon "
        "may run. The old key is kept beside it as .old: delete it when the new one is copied. "
        "Interrupted, it is to be run again.",
    )
    rotate.set_defaults(run=run_rotate)


def run_make(_arguments: argparse.Namespace) -> int:
    file = _key_file(settings_of_installation())
    try:
        master = make_master_key(file)
    except FileExistsError:
        raise Failure(f"{file} is there already; `rotate-key` puts another in its place") from None
    except OSError as error:
        raise Failure(f"the key cannot be written: {error}") from None
    print(f"master key {master.name} is in {file}: keep a copy of it elsewhere")
    return EXIT_OK


def run_rotate(_arguments: argparse.Namespace) -> int:
    return run_async(_rotate(settings_of_installation()))


async def _rotate(settings: Settings) -> int:
    file = _key_file(settings)
    new_file, old_file = file.with_name(f"{file.name}.new"), file.with_name(f"{file.name}.old")
    old = read_master_key("", file)
    try:
        new = read_master_key("", new_file) if new_file.exists() else make_master_key(new_file)
        async with open_database(settings) as db:
            count = await rewrap_keys(db, old, new)
        os.replace(file, old_file)
        os.replace(new_file, file)
    except OSError as error:
        raise Failure(f"the key cannot be written: {error}") from None
    print(f"{count} keys of accounts are under master key {new.name} now; the old one: {old_file}")
    return EXIT_OK


def _key_file(settings: Settings) -> Path:
    if settings.recordings_key:
        raise Failure("`recordings_key` holds the key itself: put it into a file first")
    return settings.recordings_key_file
