"""``callctl user``: people, by whoever runs the machine."""

import json

from callctl.db.pool import Database
from tests.cli.test_commands import Run, run

__all__ = ["run"]


async def test_people_are_added_blocked_let_in_again_and_listed(run: Run, db: Database) -> None:
    added = run("user", "add", "anna", "--name", "Anna", "--role", "head", "--extension", "701")
    assert added.returncode == 0, added.stderr
    assert len(added.stdout.strip()) == 23
    assert run("user", "block", "anna").stdout == "anna is blocked\n"
    assert "anna  head  blocked  Anna  (701)" in run("user", "list").stdout
    unblocked = json.loads(run("user", "unblock", "anna", "--json").stdout)
    assert (unblocked["login"], unblocked["active"]) == ("anna", True)
    await db.execute("update users set totp_secret = 'x', totp_since = now()")
    assert run("user", "reset-second-factor", "anna").stdout == "anna has no second factor\n"
    lines = await db.fetch("select author, action from audit order by id")
    assert [(line["author"], line["action"]) for line in lines] == [
        ("command line", f"user.{verb}")
        for verb in ("created", "blocked", "unblocked", "second_factor")
    ]


def test_what_cannot_be_is_said_in_a_line(run: Run) -> None:
    for arguments, words in (
        (("block", "admin"), "last active administrator"),
        (("add", "Anna B"), "user.login"),
        (("list", "--account", "x", "--json"), "there is no account 'x'"),
    ):
        done = run("user", *arguments)
        assert done.returncode == 2, arguments
        assert words in done.stderr
        assert "Traceback" not in done.stderr
