"""``callctl user``: people, by whoever runs the machine."""

import json

from callctl.db.pool import Database
from tests.cli.test_commands import Run, run

__all__ = ["run"]


async def test_people_are_added_listed_blocked_and_let_in_again(run: Run, db: Database) -> None:
    added = run("user", "add", "anna", "--name", "Anna", "--role", "head", "--extension", "701")
    assert added.returncode == 0, added.stderr
    assert len(added.stdout.strip()) == 23
    listed = json.loads(run("user", "list", "--json").stdout)
    assert [(u["login"], u["role"], u["active"]) for u in listed] == [
        ("admin", "administrator", True), ("anna", "head", True),
    ]  # fmt: skip
    assert run("user", "block", "anna").stdout == "anna is blocked\n"
    assert "anna  head  blocked  Anna  (701)" in run("user", "list").stdout
    assert json.loads(run("user", "unblock", "anna", "--json").stdout)["active"] is True
    assert run("user", "reset-second-factor", "anna").returncode == 0
    assert "password" in json.loads(run("user", "reset-password", "anna", "--json").stdout)
    lines = await db.fetch("select author, action from audit order by id")
    assert [(line["author"], line["action"]) for line in lines] == [
        ("command line", f"user.{verb}")
        for verb in ("created", "blocked", "unblocked", "password_reset")
    ]


def test_what_cannot_be_is_said_in_a_line(run: Run) -> None:
    for arguments, words in (
        (("block", "admin"), "last active administrator"),
        (("block", "nobody"), "no user with the login nobody"),
        (("add", "Anna B"), "user.login"),
        (("add", "admin"), "this login is taken"),
        (("list", "--account", "x"), "there is no account 'x'"),
    ):
        done = run("user", *arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr
