"""Sending: one POST per event, bounded in time, in answers and in how many at once."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import aiohttp
from yarl import URL

from callctl import __version__
from callctl.core.errors import CallctlError
from callctl.core.retries import next_wait
from callctl.core.signature import sign
from callctl.features.webhooks.store import Due, Outcome, WebhookStore
from callctl.features.webhooks.targets import ForbiddenTarget, PinnedResolver, Targets
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import UNITS_FAILED, WEBHOOK_ATTEMPTS

log = get_logger("webhooks")

POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
AT_ONCE = 20
AT_ONCE_EACH = 4
"""Deliveries under way in all, and to one webhook: a slow one takes nothing from the others."""
MOST_ANSWER_BYTES = 2_000
KEPT_ANSWER_CHARS = 500
GIVE_UP = timedelta(days=3)
PAUSE_AFTER = timedelta(days=1)
HOUSEKEEPING_SECONDS = 600.0


class Deliverer:
    """Takes events from the outbox and sends them. Several daemons may do so side by side."""

    def __init__(
        self,
        store: WebhookStore,
        targets: Targets,
        *,
        retention_days: int = 14,
        timeout_seconds: float = 10.0,
        pause_after: timedelta = PAUSE_AFTER,
        give_up: timedelta = GIVE_UP,
        wait: Callable[[int, float], float] = next_wait,
    ) -> None:
        self._store = store
        self._targets = targets
        self._retention_days = retention_days
        self._timeout = timeout_seconds
        self._pause_after = pause_after
        self._give_up = give_up
        self._wait = wait
        self._running: dict[asyncio.Task[None], int] = {}
        # Answers that come all at once must leave connections to others.
        self._saving = asyncio.Semaphore(3)

    async def run(self) -> None:
        """Until cancelled. What is under way then is sent again when its lease is over."""
        connector = aiohttp.TCPConnector(
            resolver=PinnedResolver(self._targets), use_dns_cache=False, force_close=True, limit=0
        )
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            try:
                await self._work(session)
            finally:
                for task in self._running:
                    task.cancel()
                await asyncio.gather(*self._running, return_exceptions=True)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        kept_house_at = time.monotonic()
        while True:
            try:
                events = await self._store.fan_out()
                started = await self._start_due(session)
                if time.monotonic() - kept_house_at > HOUSEKEEPING_SECONDS:
                    kept_house_at = time.monotonic()
                    await self._store.delete_old(self._retention_days)
            except CallctlError as error:
                log.warning("webhooks_wait", error=error.message)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not events and not started:
                await asyncio.sleep(POLL_SECONDS)

    async def _start_due(self, session: aiohttp.ClientSession) -> int:
        room = AT_ONCE - len(self._running)
        if room <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 1
        each = Counter(self._running.values())
        busy = [webhook for webhook, count in each.items() if count >= AT_ONCE_EACH]
        lease = timedelta(seconds=self._timeout * 2 + 5)
        due = await self._store.claim(busy, min(room, AT_ONCE_EACH), lease)
        for one in due:
            task = asyncio.create_task(self._deliver(session, one))
            self._running[task] = one.webhook_id
            task.add_done_callback(lambda t: self._running.pop(t, None))
        return len(due)

    async def _deliver(self, session: aiohttp.ClientSession, due: Due) -> None:
        try:
            outcome = self._judge(due, await self._send(session, due))
            WEBHOOK_ATTEMPTS.labels({"waiting": "later"}.get(outcome.state, outcome.state)).inc()
            async with self._saving:
                paused = await self._store.save_outcome(due, outcome, self._pause_after)
            if paused:
                log.warning("webhook_paused", webhook=due.webhook_id, error=outcome.error)
        except CallctlError as error:
            # Unknown whether it arrived is written down: it is sent again after its lease.
            log.warning("webhook_outcome_unwritten", delivery=due.id, error=error.message)
        except Exception:
            UNITS_FAILED.labels("webhook").inc()
            log.exception("webhook_failed", delivery=due.id)

    async def _send(self, session: aiohttp.ClientSession, due: Due) -> Outcome:
        """One attempt; anything but an answer of 2xx in time is an error, a redirect too."""
        body = due.body.encode()
        timestamp = int(time.time())
        secrets = [due.secret, *([due.old_secret] if due.old_secret else [])]
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"callctl/{__version__}",
            "Callctl-Delivery": due.delivery_id,
            "Callctl-Event": due.kind,
            "Callctl-Timestamp": str(timestamp),
            "Callctl-Signature": sign(secrets, timestamp, body),
        }
        try:
            url = URL(due.url)
            self._targets.check_literal(url.host or "")
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                answer = await response.content.read(MOST_ANSWER_BYTES)
                text = answer.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
                ok = 200 <= response.status < 300
                error = None if ok else f"answered {response.status}"
                return Outcome(
                    "delivered" if ok else "waiting", status=response.status, error=error,
                    response=text[:KEPT_ANSWER_CHARS],
                )  # fmt: skip
        except TimeoutError:
            return Outcome("waiting", error=f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, ForbiddenTarget, OSError, ValueError) as error:
            cause = getattr(error, "os_error", None) or error
            return Outcome("waiting", error=f"{type(cause).__name__}: {cause}"[:KEPT_ANSWER_CHARS])

    def _judge(self, due: Due, sent: Outcome) -> Outcome:
        """Again later, or given up after days."""
        if sent.state == "delivered":
            return sent
        given_up = datetime.now(UTC) - due.created_at > self._give_up
        # nosec: chance spreads retries, it guards nothing.
        seconds = self._wait(due.attempts, random.random())  # noqa: S311
        return Outcome(
            "failed" if given_up else "waiting", timedelta(seconds=seconds), sent.status,
            sent.error, sent.response,
        )  # fmt: skip
