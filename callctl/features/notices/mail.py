"""Notices by mail: each written with its notice, sent until the mail server has taken it."""

import asyncio
import random
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

from callctl.core.errors import CallctlError
from callctl.core.retries import next_wait
from callctl.db.pool import Database
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import NOTICE_MAILS

log = get_logger("mail")

POLL_SECONDS = 2.0
RETRY_SECONDS = 5.0
LEASE = timedelta(minutes=2)
GIVE_UP = timedelta(days=3)
SMTP_SECONDS = 20.0

CLAIM = """
with due as (
    select id from notice_mails where state = 'waiting' and next_at <= now()
    order by next_at, id limit 1 for update skip locked
)
update notice_mails m set next_at = now() + $1::interval, attempts = m.attempts + 1
from due, notices n where m.id = due.id and n.id = m.notice
returning m.id, m.recipient, m.attempts, n.id as notice, n.kind, n.text, n.raised_at
"""
DONE = """
update notice_mails set state = $2, next_at = now() + $3::interval, error = $4 where id = $1
"""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes. `security`: starttls, tls, none. An empty `host` sends nothing."""

    host: str
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = ""
    sender: str = "callctl@localhost"


class Mailer:
    """A job of the daemon; several daemons may do it side by side."""

    def __init__(
        self,
        db: Database,
        server: MailServer,
        *,
        wait: Callable[[int, float], float] = next_wait,
    ) -> None:
        self._db = db
        self._server = server
        self._wait = wait

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                sent = await self.send_one()
            except CallctlError:
                await asyncio.sleep(RETRY_SECONDS)
            else:
                if not sent:
                    await asyncio.sleep(POLL_SECONDS)

    async def send_one(self) -> bool:
        """Try the next mail that is due; False when none is. Raises CallctlError."""
        due: Any = await self._db.fetchrow(CLAIM, LEASE)
        if due is None:
            return False
        error = await self._try(due)
        given_up = datetime.now(UTC) - due["raised_at"] > GIVE_UP or not self._server.host
        state = "sent" if error is None else "failed" if given_up else "waiting"
        seconds = self._wait(due["attempts"], random.random())  # noqa: S311 - spreads retries
        await self._db.execute(DONE, due["id"], state, timedelta(seconds=seconds), error)
        NOTICE_MAILS.labels({"waiting": "later"}.get(state, state)).inc()
        if error is not None:
            log.warning("mail_not_sent", notice=due["notice"], error=error, state=state)
        return True

    async def _try(self, due: Any) -> str | None:
        """None when the server took it, else what was wrong."""
        if not self._server.host:
            return "no smtp_host is set"
        message = render_mail(due, self._server.sender)
        try:
            await asyncio.to_thread(_send, self._server, message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            place = f"{self._server.host}:{self._server.port}, {self._server.security}"
            return f"mail server {place}: {type(error).__name__}: {error}"[:500]
        return None


def render_mail(notice: Any, sender: str) -> EmailMessage:
    """A notice as mail. Its text is data of strangers: never a header."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = notice["recipient"]
    message["Subject"] = f"callctl: {notice['kind'].replace('_', ' ')} (notice {notice['notice']})"
    message["Date"] = format_datetime(notice["raised_at"])
    message["Message-ID"] = make_msgid(f"notice-{notice['id']}", "callctl.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"{notice['text']}\n\nRaised at {notice['raised_at']:%Y-%m-%d %H:%M:%S} UTC.\n"
    )
    return message


def _send(server: MailServer, message: EmailMessage) -> None:
    context = ssl.create_default_context()
    if server.security == "tls":
        client: smtplib.SMTP = smtplib.SMTP_SSL(
            server.host, server.port, timeout=SMTP_SECONDS, context=context
        )
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=SMTP_SECONDS)
    with client:
        if server.security == "starttls":
            client.starttls(context=context)
        if server.user:
            client.login(server.user, server.password)
        client.send_message(message)
