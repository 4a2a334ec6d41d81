"""Notices by mail, to a real mail server that can refuse."""

from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from callctl.asterisk.runtime import free_port
from callctl.db.notices import NewNotice, raise_notice
from callctl.db.pool import Database
from callctl.features.notices.mail import Mailer, MailServer
from tests.history.conftest import account_id

__all__ = ["account_id"]


class Inbox:
    """What a mail server took; it refuses as long as `busy`."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], str]] = []
        self.busy = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.busy:
            return "451 try again later"
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content.decode()))
        return "250 OK"


@pytest.fixture
def inbox() -> Iterator[tuple[Inbox, MailServer]]:
    handler = Inbox()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port("127.0.0.1"))
    controller.start()
    yield handler, MailServer("127.0.0.1", controller.port, "none", sender="pbx@example.org")
    controller.stop()


async def write(db: Database, account_id: int, text: str, *recipients: str) -> None:
    async with db.transaction() as connection:
        notice = NewNotice(account_id, "too_long", f"call:{text}", text)
        assert await raise_notice(connection, notice, recipients) is not None


async def test_a_mail_that_is_refused_is_sent_when_the_server_takes_it(
    db: Database, account_id: int, inbox: tuple[Inbox, MailServer]
) -> None:
    handler, server = inbox
    mailer = Mailer(db, server, wait=lambda attempts, chance: 0.0)
    await write(db, account_id, "The call talks too long.", "boss@example.org")
    handler.busy = True
    assert await mailer.send_one()
    row = await db.fetchrow("select state, error from notice_mails")
    assert row["state"] == "waiting"
    assert "451" in row["error"]
    handler.busy = False
    assert await mailer.send_one()
    assert not await mailer.send_one()
    ((sender, recipients, text),) = handler.taken
    assert (sender, recipients) == ("pbx@example.org", ["boss@example.org"])
    assert "The call talks too long." in text
    assert await db.fetchval("select state from notice_mails") == "sent"


async def test_what_a_stranger_sent_makes_no_header(
    db: Database, account_id: int, inbox: tuple[Inbox, MailServer]
) -> None:
    handler, server = inbox
    text = "x\r\nBcc: eve@example.org\r\n.\r\nMAIL FROM:<eve@example.org>"
    await write(db, account_id, text, "boss@example.org")
    await Mailer(db, server).send_one()
    ((_, recipients, content),) = handler.taken
    assert recipients == ["boss@example.org"]
    head, _, body = content.replace("\r\n", "\n").partition("\n\n")
    assert "eve" not in head
    assert "eve@example.org" in body


async def test_without_a_mail_server_it_is_given_up_at_once(db: Database, account_id: int) -> None:
    await write(db, account_id, "x", "a@example.org")
    await Mailer(db, MailServer("")).send_one()
    row = await db.fetchrow("select state, error from notice_mails")
    assert tuple(row) == ("failed", "no smtp_host is set")


async def test_a_server_that_is_away_is_waited_for(db: Database, account_id: int) -> None:
    await write(db, account_id, "x", "a@example.org")
    server = MailServer("127.0.0.1", free_port("127.0.0.1"), "none")
    await Mailer(db, server).send_one()
    row = await db.fetchrow("select state, attempts from notice_mails")
    assert tuple(row) == ("waiting", 1)
