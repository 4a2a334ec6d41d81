"""``callctl user`` and ``callctl token``: who may get in, by whoever runs the machine."""

import argparse
from typing import Any

from callctl.cli.common import EXIT_OK, open_database, run_async, settings_of_process
from callctl.core.permissions import ALL_SCOPES
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore


def add_commands(commands: Any) -> None:
    user = commands.add_parser("user", help="people who sign in")
    reset = user.add_subparsers(metavar="VERB", required=True).add_parser(
        "reset-password", help="print a new password; ends the user's sessions"
    )
    reset.add_argument("login")
    reset.set_defaults(run=run_reset)

    token = commands.add_parser("token", help="tokens for programs")
    issue = token.add_subparsers(metavar="VERB", required=True).add_parser(
        "issue", help="print a new API token; it is shown only once"
    )
    issue.add_argument("name", help="what it is for")
    issue.add_argument("--account", default="main", metavar="CODE", help="default: main")
    issue.add_argument(
        "--scope",
        action="append",
        choices=sorted(str(scope) for scope in ALL_SCOPES),
        help="may be given several times; all scopes if left out",
    )
    issue.set_defaults(run=run_issue)


def run_reset(arguments: argparse.Namespace) -> int:
    async def reset() -> int:
        async with open_database(settings_of_process(), make=True) as db:
            service = AccessService(AccessStore(db))
            await service.bootstrap()
            print(await service.reset_password(arguments.login))
        return EXIT_OK

    return run_async(reset())


def run_issue(arguments: argparse.Namespace) -> int:
    async def issue() -> int:
        async with open_database(settings_of_process(), make=True) as db:
            service = AccessService(AccessStore(db))
            await service.bootstrap()
            scopes = arguments.scope or sorted(ALL_SCOPES)
            print(await service.issue_token(arguments.name, scopes, arguments.account))
        return EXIT_OK

    return run_async(issue())
