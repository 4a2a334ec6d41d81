"""The command line: one module per subject, each adds its commands to the parser.

Exit codes (`doctor` has its own): 0 done, 1 the answer is no (a difference, a broken expectation,
damage), 2 wrong usage, settings or input, 3 something that callctl needs is away or not there, 130
interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from callctl import __version__
from callctl.cli.common import EXIT_AWAY, EXIT_USAGE, Failure
from callctl.config import ConfigError
from callctl.core.errors import CallctlError
from callctl.telemetry.log import configure_logging

Command = Callable[[argparse.Namespace], int]


MODULES = {
    "demo": ("demo",),
    "system": ("run", "migrate", "check-config", "openapi"),
    "doctor": ("doctor",),
    "journal": ("journal",),
    "routing": ("routing", "route"),
    "limits": ("limits",),
    "packages": ("package",),
    "recordings": ("recordings",),
    "access": ("user", "token"),
    "imports": ("import",),
    "asterisk": ("asterisk-conf",),
    "ledger": ("ledger",),
}
"""The commands of each module. Only the one that is asked for is imported: all of them are all of
callctl, a second of work."""


def build_parser(command: str = "") -> argparse.ArgumentParser:
    """With what belongs to `command`, or with all commands when it is none of them."""
    wanted = [name for name, commands in MODULES.items() if command in commands]
    parser = argparse.ArgumentParser(
        prog="callctl",
        description="Turns an Asterisk PBX into a call centre that accounts for every call.",
    )
    parser.add_argument("--version", action="version", version=f"callctl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in wanted or MODULES:
        import_module(f"callctl.cli.{name}").add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors that have a name are one line, never a traceback."""
    given = sys.argv[1:] if argv is None else argv
    arguments = build_parser(*given[:1]).parse_args(given)
    run: Command = arguments.run
    # Standard output is the command's answer; the daemon and the demo say more, elsewhere.
    configure_logging("warning")
    try:
        return run(arguments)
    except Failure as failure:
        return _say(str(failure), failure.exit_code)
    except ConfigError as error:
        return _say(f"settings: {error}", EXIT_USAGE)
    except CallctlError as error:
        away = error.code.endswith("_unavailable")
        return _say(f"{error}\n{error.error.remedy}", EXIT_AWAY if away else EXIT_USAGE)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _say(message: str, code: int) -> int:
    print(f"callctl: {message}", file=sys.stderr)
    return code
