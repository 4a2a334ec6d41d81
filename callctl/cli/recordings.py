"""``callctl recordings``: the master key of encrypted recordings; words of one of them."""

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from callctl.cli.accounts import add_account_option, find_account
from callctl.cli.common import (
    EXIT_OK,
    Failure,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_installation,
)
from callctl.config import Settings
from callctl.core.author import COMMAND_LINE
from callctl.features.recordings.keys import (
    Keyring,
    make_master_key,
    read_master_key,
    rewrap_keys,
)
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.transcripts import Spoken, save_transcript
from callctl.http.endpoint import Actor


def add_commands(commands: Any) -> None:
    recordings = commands.add_parser("recordings", help="their master key; words of one of them")
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
    words = verbs.add_parser(
        "transcribe",
        help="write down what was said in a recording, by an offline model for English",
        description="Needs the extra `transcribe` (pip install 'callctl[transcribe]'). Weak on a "
        "telephone: fit to look for a recording by, not to read one. The access is logged.",
    )
    words.add_argument("recording", type=int, metavar="ID")
    add_account_option(words)
    words.add_argument("--print-only", action="store_true", help="keep nothing of it")
    add_json_flag(words)
    words.set_defaults(run=run_transcribe)


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
            count = await rewrap_keys(db, old, new, COMMAND_LINE)
        # There is a key under the usual name at every moment.
        old_file.unlink(missing_ok=True)
        os.link(file, old_file)
        os.replace(new_file, file)
    except OSError as error:
        raise Failure(f"the key cannot be written: {error}") from None
    print(f"{count} keys of accounts are under master key {new.name} now; the old one: {old_file}")
    return EXIT_OK


def run_transcribe(arguments: argparse.Namespace) -> int:
    # With what computes, which no other command is to load.
    from callctl.features.recordings.transcribe import PocketSphinx, read_sides, transcribe

    try:
        transcriber = PocketSphinx()
    except ModuleNotFoundError:
        raise Failure("no transcriber is installed: pip install 'callctl[transcribe]'") from None
    settings = settings_of_installation()
    account_id, audio = asyncio.run(_read(settings, arguments))
    said = transcribe(read_sides(audio), transcriber)
    if not arguments.print_only:
        asyncio.run(_keep(settings, account_id, arguments.recording, transcriber.name, said))
    if arguments.json:
        print_json(said)
    for spoken in said if not arguments.json else ():
        text = " ".join(word.text for word in spoken.words)
        print(f"{spoken.begin:7.1f} s  {spoken.side}: {text}")
    return EXIT_OK


async def _keep(
    settings: Settings, account_id: int, recording: int, engine: str, said: list[Spoken]
) -> None:
    async with open_database(settings) as db:
        await save_transcript(db, account_id, recording, engine, said, COMMAND_LINE)


async def _read(settings: Settings, arguments: argparse.Namespace) -> tuple[int, bytes]:
    """The account and the audio, its access logged. Raises CallctlError, Failure, SealBroken."""
    async with open_database(settings) as db:
        account_id = await find_account(db, arguments.account)
        actor = Actor(account_id, "command line", frozenset())
        keys = Keyring(
            db, lambda: read_master_key(settings.recordings_key, settings.recordings_key_file)
        )
        library = RecordingLibrary(db, settings.recordings_dir, keys)
        audio = await library.open_audio(actor.calls, arguments.recording)
        await library.note_access(actor, audio, "", 0, audio.size - 1, download=False)
    if audio.sealed is None:
        return account_id, audio.path.read_bytes()
    if not arguments.print_only:
        audio.sealed.close()
        raise Failure("the recording is encrypted: its words are printed (--print-only), not kept")
    try:
        return account_id, b"".join(audio.sealed.read(0, audio.size - 1))
    finally:
        audio.sealed.close()


def _key_file(settings: Settings) -> Path:
    if settings.recordings_key:
        raise Failure("`recordings_key` holds the key itself: put it into a file first")
    return settings.recordings_key_file
