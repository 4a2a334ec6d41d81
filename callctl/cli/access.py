"""``callctl user`` and ``callctl token``: who may get in, by whoever runs the machine."""

import argparse
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from callctl.app import sign_in_resets
from callctl.cli.accounts import add_account_option
from callctl.cli.common import (
    EXIT_OK,
    Failure,
    add_json_flag,
    open_database,
    print_json,
    run_async,
    settings_of_process,
)
from callctl.core.author import COMMAND_LINE
from callctl.core.permissions import ALL_SCOPES, Role
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.people.model import NewUser, UserChange, UserFilters, UserView
from callctl.features.people.users import UserService
from callctl.http.decode import field_error
from callctl.http.endpoint import Actor
from callctl.secrets import Passwords

_PAGE = 500


@dataclass(frozen=True, slots=True)
class _Installation:
    access: AccessService
    users: UserService
    actor: Actor


_Work = Callable[[_Installation, argparse.Namespace], Awaitable[None]]


def add_commands(commands: Any) -> None:
    user = commands.add_parser("user", help="people who sign in")
    verbs = user.add_subparsers(metavar="VERB", required=True)
    _add_verb(verbs, "list", _list, "people by login")
    add = _add_verb(verbs, "add", _add, "add a person; prints the password made up for them")
    add.add_argument("login")
    add.add_argument("--name", help="the login if left out")
    add.add_argument("--role", choices=[str(role) for role in Role], default=str(Role.MANAGER))
    add.add_argument("--email")
    add.add_argument("--employee-number", metavar="NUMBER")
    add.add_argument("--extension", metavar="NUMBER")
    for name, work, words in (
        ("block", _block, "end the person's sessions and tokens, and let them in no more"),
        ("unblock", _unblock, "let the person in again"),
        ("reset-password", _reset_password, "print a new password; ends the person's sessions"),
        ("reset-second-factor", _reset_second_factor, "the password alone is enough again"),
    ):
        _add_verb(verbs, name, work, words).add_argument("login")

    token = commands.add_parser("token", help="tokens for programs")
    verbs = token.add_subparsers(metavar="VERB", required=True)
    issue = _add_verb(verbs, "issue", _issue, "print a new API token; it is shown only once")
    issue.add_argument("name", help="what it is for")
    issue.add_argument(
        "--scope",
        action="append",
        choices=sorted(str(scope) for scope in ALL_SCOPES),
        help="may be given several times; all scopes if left out",
    )


def _add_verb(verbs: Any, name: str, work: _Work, words: str) -> Any:
    verb = verbs.add_parser(name, help=words)
    add_account_option(verb)
    add_json_flag(verb)
    verb.set_defaults(run=lambda arguments: run_async(_run(work, arguments)))
    return verb


async def _run(work: _Work, arguments: argparse.Namespace) -> int:
    async with _installation(arguments.account) as installation:
        await work(installation, arguments)
    return EXIT_OK


@asynccontextmanager
async def _installation(account: str) -> AsyncIterator[_Installation]:
    async with open_database(settings_of_process(), make=True) as db:
        access_store, passwords = AccessStore(db), Passwords()
        access = AccessService(access_store, passwords=passwords)
        await access.bootstrap()
        account_id = await access_store.get_account_id(account)
        if account_id is None:
            raise Failure(f"there is no account {account!r}")
        users = UserService(db, passwords, sign_in_resets(access))
        yield _Installation(access, users, Actor(account_id, COMMAND_LINE.name, ALL_SCOPES))


async def _list(installation: _Installation, arguments: argparse.Namespace) -> None:
    found: list[UserView] = []
    cursor: str | None = None
    while True:
        filters = UserFilters(limit=_PAGE, cursor=cursor)
        page = await installation.users.list_users(installation.actor, filters)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    if arguments.json:
        print_json(found)
    for user in () if arguments.json else found:
        state = "active" if user.active else "blocked"
        place = ", ".join(filter(None, (user.group, user.extension)))
        print(f"{user.login}  {user.role}  {state}  {user.name}" + (f"  ({place})" * bool(place)))


async def _add(installation: _Installation, arguments: argparse.Namespace) -> None:
    fields = {
        "login": arguments.login,
        "name": arguments.name or arguments.login,
        "role": arguments.role,
        "email": arguments.email,
        "employee_number": arguments.employee_number,
        "extension": arguments.extension,
    }
    try:
        new = msgspec.convert(fields, NewUser)
    except msgspec.ValidationError as error:
        raise field_error(error, "user") from None
    created = await installation.users.create_user(installation.actor, new)
    if arguments.json:
        print_json(created)
    else:
        print(created.password)


async def _block(installation: _Installation, arguments: argparse.Namespace) -> None:
    await _set_active(installation, arguments, active=False)


async def _unblock(installation: _Installation, arguments: argparse.Namespace) -> None:
    await _set_active(installation, arguments, active=True)


async def _set_active(
    installation: _Installation, arguments: argparse.Namespace, *, active: bool
) -> None:
    user = await _find(installation, arguments)
    change = UserChange(active=active)
    changed = await installation.users.change_user(installation.actor, user.id, change)
    _tell(arguments, changed, f"{changed.login} is {'active' if active else 'blocked'}")


async def _reset_password(installation: _Installation, arguments: argparse.Namespace) -> None:
    user = await _find(installation, arguments)
    made = await installation.users.reset_password(installation.actor, user.id)
    _tell(arguments, made, made.password)


async def _reset_second_factor(installation: _Installation, arguments: argparse.Namespace) -> None:
    user = await _find(installation, arguments)
    await installation.users.reset_second_factor(installation.actor, user.id)
    user = await _find(installation, arguments)
    _tell(arguments, user, f"{user.login} has no second factor")


async def _find(installation: _Installation, arguments: argparse.Namespace) -> UserView:
    return await installation.users.find_user(installation.actor, arguments.login)


async def _issue(installation: _Installation, arguments: argparse.Namespace) -> None:
    scopes = arguments.scope or sorted(ALL_SCOPES)
    token = await installation.access.issue_token(arguments.name, scopes, arguments.account)
    _tell(arguments, {"token": token}, token)


def _tell(arguments: argparse.Namespace, value: Any, words: str) -> None:
    if arguments.json:
        print_json(value)
    else:
        print(words)
