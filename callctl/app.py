"""The daemon: builds every part, hands each what it needs, owns their lifetimes.

Order of start does not matter: without PostgreSQL the fallback dialplan decides calls, without
Asterisk the history works, and each part joins in when it is back.
"""

import asyncio
import contextlib
import fcntl
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import asyncpg
from aiohttp import web

import callctl.features.access.api
import callctl.features.accounts.api
import callctl.features.audit.api
import callctl.features.calls.api
import callctl.features.checks.api
import callctl.features.clients.api
import callctl.features.events.api
import callctl.features.exports.api
import callctl.features.limits.api
import callctl.features.long_calls.api
import callctl.features.notices.api
import callctl.features.originate.api
import callctl.features.people.api
import callctl.features.recordings.api
import callctl.features.reports.api
import callctl.features.routing.api
import callctl.features.webhooks.api
from agi.ping import ping_verb
from agi.route import route_verb
from callctl import __version__
from callctl.asterisk.ami import AmiClient
from callctl.asterisk.ami_protocol import AmiError, AmiEvent
from callctl.asterisk.conf import write_files
from callctl.asterisk.fastagi import AgiCall, AgiRefused
from callctl.asterisk.fastagi_server import FastAgiServer
from callctl.asterisk.journal_files import JournalFiles
from callctl.asterisk.provision import modules_to_reload, render_provisioning, write_provisioning
from callctl.config import REMEMBERED_FILE, Settings, dump_settings, networks_of
from callctl.console.pages import Console, link_to
from callctl.core.calls.record import CallRecord
from callctl.core.checks.disks import Thresholds
from callctl.core.errors import CallctlError
from callctl.core.routing.encoding import encode_plan
from callctl.core.routing.model import Extension, RoutingTable
from callctl.db.embedded import EmbeddedPostgres
from callctl.db.migrate import migrate
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.accounts.service import AccountService
from callctl.features.audit.service import AuditService
from callctl.features.calls.attribution import attribute
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.calls.reader import JournalReader
from callctl.features.calls.retention import delete_due_calls
from callctl.features.calls.service import CallService
from callctl.features.checks.channels import ChannelWatch
from callctl.features.checks.recordings import RecordingWatch
from callctl.features.checks.service import AlarmService
from callctl.features.checks.store import AlarmStore
from callctl.features.checks.watch import SelfCheck, places_of
from callctl.features.clients.registration import store_step as clients_of_calls
from callctl.features.events.live import LiveDesk
from callctl.features.events.service import EventService
from callctl.features.events.steps import tell_stored_calls
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.features.limits.service import LimitService, LiveChannel
from callctl.features.long_calls.service import LongCallService, TalkingCall
from callctl.features.notices.mail import Mailer, MailServer
from callctl.features.notices.service import NoticeService
from callctl.features.originate.service import OriginateService
from callctl.features.originate.store import OrderStore
from callctl.features.people.groups import GroupService
from callctl.features.people.invitations import InvitationService
from callctl.features.people.users import SignInResets, UserService
from callctl.features.recordings.keys import Keyring, read_master_key
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.live import EndpointOwner, LiveRecordings
from callctl.features.recordings.places import RecordingPlaces
from callctl.features.recordings.retention import RetentionService
from callctl.features.recordings.service import RecordingService
from callctl.features.reports.service import ReportService
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.routing.watch import watch_routing
from callctl.features.webhooks.delivery import Deliverer
from callctl.features.webhooks.service import WebhookService
from callctl.features.webhooks.store import WebhookStore
from callctl.features.webhooks.targets import Targets
from callctl.http.auth import Origin
from callctl.http.endpoint import Endpoint
from callctl.http.health import ReadinessCheck, health_endpoints
from callctl.http.openapi import build_openapi
from callctl.http.server import HttpServer, build_web_app
from callctl.secrets import Passwords
from callctl.telemetry.log import get_logger
from callctl.telemetry.memory import release_memory
from callctl.telemetry.metrics import AMI_CONNECTED, AMI_TROUBLE, PLANS, PROVISIONED, UNITS_FAILED

log = get_logger("daemon")

RETRY_SECONDS = 1.0
LIVE_WITHIN_SECONDS = 3.0
"""Longer ago the journal was read to its end: what goes on now is not known."""
HANGUP_SECONDS = 2.0
SAVE_MEMORY_SECONDS = 5.0
RETENTION_SECONDS = 60.0


class AlreadyRunning(Exception):
    """Another daemon serves the same Asterisk."""


class Daemon:
    """Everything of one callctl beside one Asterisk. Use as an async context manager."""

    def __init__(self, settings: Settings, db: Database, database_url: str) -> None:
        self.settings = settings
        self.db = db
        self.database_url = database_url
        passwords = Passwords()
        self.access = AccessService(
            AccessStore(db), passwords=passwords, session_hours=settings.session_hours
        )
        self.users = UserService(db, passwords, sign_in_resets(self.access))
        self.groups = GroupService(db)
        self.invitations = InvitationService(db, passwords, link_to(settings.http_public_url))
        self.audit = AuditService(db)
        self.limits = LimitService(db, lambda: self.routing.table)
        self.routing = RoutingService(
            RoutingStore(db), self._provision, open_gate=self.limits.open_gate
        )
        self.accounts = AccountService(
            db, self.invitations.invite_administrator, self.routing.accounts_changed
        )
        self.calls = CallService(db)
        self.reports = ReportService(db, callback_minutes=settings.callback_minutes)
        exports = ExportSettings(
            settings.exports_dir,
            settings.systemname,
            settings.exports_keep_hours,
            settings.exports_at_once,
        )
        self.export_runner = ExportRunner(db, exports)
        tables = (CALLS_TABLE, *self.reports.tables())
        self.exports = ExportService(db, tables, exports, self.export_runner.wake)
        keys = Keyring(
            db, lambda: read_master_key(settings.recordings_key, settings.recordings_key_file)
        )
        self.recordings = RecordingService(
            db,
            RecordingPlaces(settings.recordings_spool, settings.recordings_dir),
            keys,
            format_=settings.recordings_format,
            workers=settings.recordings_workers,
        )
        self.library = RecordingLibrary(db, settings.recordings_dir, keys)
        self.retention = RetentionService(db, settings.recordings_dir)
        self.ami = AmiClient(
            settings.ami_host,
            settings.ami_port,
            settings.ami_user,
            read_ami_secret(settings),
            count=lambda what, reason: AMI_TROUBLE.labels(what, reason).inc(),
        )
        self.agi = FastAgiServer(
            settings.agi_host,
            settings.agi_port,
            {"route": route_verb(self._decide), "ping": ping_verb(self._status)},
            sources=networks_of(settings.agi_sources),
        )
        self.originate = OriginateService(self.ami, OrderStore(db), self._find_extension)
        self.live_recordings = LiveRecordings(self.ami, db, self._owner_of)
        self.reader: JournalReader | None = None
        self.alarms = AlarmService(AlarmStore(db, settings.systemname))
        self.channel_watch = ChannelWatch(
            self.ami, lambda: self.reader, settings.journal_lost_seconds
        )
        self.live = LiveDesk(
            db,
            lambda: self.routing.table,
            default_account_id=lambda: self._default_account_id,
            open_channels=lambda: self.reader.open_channels() if self.reader else frozenset(),
            why_not_live=self._why_not_live,
        )
        self.events = EventService(
            db,
            most_streams=settings.event_streams,
            retention_days=settings.event_retention_days,
        )
        targets = Targets(networks_of(settings.webhook_networks))
        webhook_store = WebhookStore(db)
        self.webhooks = WebhookService(webhook_store, targets)
        self.deliverer = Deliverer(
            webhook_store, targets, retention_days=settings.event_retention_days
        )
        self.notices = NoticeService(db)
        self.long_calls = LongCallService(
            db, lambda: self.routing.table, self._talking_calls, self._hang_up
        )
        self.http_port = 0
        self.ready = asyncio.Event()
        self._http = HttpServer(self._web_app())
        self._loaded = False
        self._provisioning = asyncio.Lock()
        self._default_account_id = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> "Daemon":
        self._lock = take_lock(self.settings.state_dir, self.settings.systemname)
        write_files(self.settings.state_dir, {REMEMBERED_FILE: dump_settings(self.settings)}, 0o600)
        await self.agi.start()
        await self.ami.start()
        self.ami.subscribe(("FullyBooted",), self._asterisk_booted, name="boot")
        self.ami.subscribe(("Hangup",), self._channel_gone, name="limits")
        self.http_port = await self._http.start(self.settings.http_host, self.settings.http_port)
        self._spawn("start", self._start_with_database)
        self._spawn("ami_state", self._observe_ami)
        self.channel_watch.start()
        self._spawn("self_check", self._self_check().run)
        log.info("started", http=f"http://{self.settings.http_host}:{self.http_port}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.agi.stop()
        self.events.hub.close()
        await self._http.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.reader is not None:
            self.reader.close()
        with contextlib.suppress(CallctlError):
            await self.routing.save_memory()
            await self.limits.flush()
        await self.ami.stop()
        if self._lock is not None:
            self._lock.close()
        log.info("stopped")

    # Calls

    def _decide(self, call: AgiCall) -> str:
        """The plan of a call, as text. Without a table the fallback dialplan knows better."""
        if not self._loaded:
            raise AgiRefused("no_routing", call.uniqueid)
        plan = self.routing.decide(
            endpoint=call.endpoint,
            uniqueid=call.uniqueid,
            dialled=call.dialled,
            caller_number=call.caller_number,
            caller_name=call.caller_name,
            withheld=call.withheld,
            now=datetime.now(UTC),
            linkedid=call.linkedid,
        )
        PLANS.labels(plan.direction.value).inc()
        return encode_plan(plan)

    def _status(self) -> str:
        """What the check by feature code is told."""
        return f"callctl {__version__}, routing revision {self.routing.table.revision}"

    def _find_extension(self, account_id: int, number: str) -> Extension | None:
        index = self.routing.table.accounts.get(account_id)
        return index.extensions.get(number) if index else None

    def _owner_of(self, endpoint: str) -> EndpointOwner | None:
        found = self.routing.table.endpoints.get(endpoint)
        if found is None:
            return None
        account_id, kind, key = found
        return EndpointOwner(account_id, key if kind == "extension" else None)

    def _calls_stored(self, records: Sequence[CallRecord]) -> None:
        """Strategies with memory go by answered calls, limits by those to the outside."""
        owned = [
            (record, attribute(record, self.routing.table, self._default_account_id))
            for record in records
        ]
        self.limits.calls_stored((r, owner.account_id, owner.to_number) for r, owner in owned)
        for record, owner in owned:
            if record.answered_by is not None and record.answered_us is not None:
                at = datetime.fromtimestamp(record.answered_us / 1_000_000, UTC)
                self.routing.note_answered(owner.account_id, record.answered_by, at)

    def _why_not_live(self) -> str | None:
        """Why what is known of calls that go on may be old; None when it is not."""
        state = self.ami.state
        if self.reader is None:
            return "waits for the database"
        if self.reader.last_error is not None:
            return self.reader.last_error
        read_until = self.reader.read_until
        if read_until is None or time.monotonic() - read_until > LIVE_WITHIN_SECONDS:
            return "the journal is still being read"
        if not state.connected:
            since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="seconds")
            return f"not connected to Asterisk since {since}: {state.reason}"
        return None

    def _talking_calls(self, before_us: int) -> Iterator[TalkingCall]:
        """Calls that go on and were answered before; none while it is not known which do."""
        if self._why_not_live() is not None:
            return
        now_us = time.time_ns() // 1000
        for call in self.live.calls():
            if call.answered_us is not None and call.answered_us < before_us:
                view = self.live.view_of(call, now_us)
                yield TalkingCall(
                    call_id=call.call_id,
                    account_id=self.live.account_of(call),
                    direction=call.direction,
                    from_number=view.from_number,
                    to_number=view.to_number,
                    customer_number=view.customer_number,
                    parties=tuple(e for e in (call.extension, call.answered_by) if e),
                    extensions=tuple(call.extensions),
                    answered_us=call.answered_us,
                    channels=tuple(c.name for c in call.channels.values() if not c.inner),
                )

    async def _hang_up(self, channels: Sequence[str]) -> None:
        """All at once, since others that are too long wait meanwhile."""
        done = await asyncio.gather(
            *(
                self.ami.action("Hangup", within=HANGUP_SECONDS, Channel=channel, Cause="16")
                for channel in channels
            ),
            return_exceptions=True,
        )
        for channel, result in zip(channels, done, strict=True):
            if isinstance(result, BaseException):
                log.warning("not_hung_up", channel=channel, error=str(result))

    # Asterisk's files

    async def _provision(self, table: RoutingTable) -> None:
        """Write what Asterisk must know, and have it reloaded. Phones keep working meanwhile.

        In a thread, since a large table takes seconds to write out and calls do not wait; one at
        a time, the newest table last.
        """
        async with self._provisioning:
            if table is self.routing.table:
                await self._write_and_reload(table)

    async def _write_and_reload(self, table: RoutingTable) -> None:
        try:
            changed = await asyncio.to_thread(self._write_files, table)
            await self._reload(modules_to_reload(changed))
        except (OSError, AmiError) as error:
            PROVISIONED.labels("failed").inc()
            log.error("provisioning_failed", error=str(error))
        else:
            PROVISIONED.labels("done").inc()
            log.info("provisioned", files=list(changed), revision=table.revision)
        # What is in memory now is there to stay. Were the collector to look through it again and
        # again, calls would wait for their plan meanwhile: 50 ms with 5,000 extensions.
        gc.collect()
        gc.freeze()

    def _write_files(self, table: RoutingTable) -> tuple[str, ...]:
        year = datetime.now(UTC).year
        files = render_provisioning(table, self.routing.credentials, year)
        changed = write_provisioning(self.settings.asterisk_generated_dir, files)
        del files
        release_memory()
        return changed

    async def _reload(self, modules: Sequence[str]) -> None:
        # An Asterisk that is away reads the files when it starts.
        if modules and self.ami.state.connected:
            await self.ami.reload(modules)

    async def _asterisk_booted(self, event: AmiEvent) -> None:
        """AMI greets with this at each login: what was open before Asterisk began is cut off."""
        uptime = event.fields.get("uptime", "")
        if self.reader is not None and uptime.isdecimal():
            began = datetime.now(UTC).timestamp() - int(uptime) - 1
            self.reader.asterisk_started(datetime.fromtimestamp(began, UTC))

    def _channel_gone(self, event: AmiEvent) -> None:
        self.limits.channel_gone(event.get("Uniqueid"))

    async def _list_channels(self) -> list[LiveChannel] | None:
        """Asterisk's channels; None when it does not say, or says it in pieces."""
        try:
            response = await self.ami.action("CoreShowChannels")
        except AmiError:
            return None
        channels = [
            LiveChannel(
                event.get("Uniqueid"),
                event.get("Linkedid"),
                event.get("Channel").removeprefix("PJSIP/").rpartition("-")[0],
                event.get("Application"),
                event.get("Exten"),
            )
            for event in response.events
        ]
        whole = response.listed == len(channels) and all(c.uniqueid for c in channels)
        return channels if response.success and whole else None

    async def _observe_ami(self) -> None:
        while True:
            AMI_CONNECTED.set(self.ami.state.connected)
            await asyncio.sleep(RETRY_SECONDS)

    def _mailer(self) -> Mailer:
        settings = self.settings
        server = MailServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security,
            settings.smtp_user,
            settings.smtp_password,
            settings.smtp_from,
        )
        return Mailer(self.db, server)

    def _self_check(self) -> SelfCheck:
        settings = self.settings
        recordings = RecordingWatch(
            self.db,
            settings.recordings_spool,
            settings.recordings_dir,
            60.0 * settings.recording_grace_minutes,
        )
        return SelfCheck(
            self.alarms,
            self.db,
            self.ami,
            lambda: self.reader,
            self.channel_watch,
            recordings,
            systemname=settings.systemname,
            places=places_of(settings),
            thresholds=Thresholds(settings.disk_warning_mb, settings.disk_critical_mb),
            every=settings.check_seconds,
            limits=self.limits.check,
        )

    # Lifetimes

    async def _start_with_database(self) -> None:
        """What needs PostgreSQL once: accounts, the routing table; then what reads for ever."""
        await self._until_done(self._prepare)
        self.reader = JournalReader(
            JournalFiles(self.settings.journal_path),
            self.db,
            lambda: self.routing.table,
            systemname=self.settings.systemname,
            default_account_id=self._default_account_id,
            grace_seconds=self.settings.journal_grace_seconds,
            retention_days=self.settings.journal_retention_days,
            on_calls=self._calls_stored,
            on_channels=self.channel_watch.channels_read,
            on_rows=self.live.rows_read,
            steps=(
                self.live.forget_news,
                clients_of_calls,
                self.long_calls.mark_stored,
                tell_stored_calls,
            ),
        )
        self._spawn("journal", self.reader.run)
        self._spawn("recordings", self.recordings.run)
        self._spawn("exports", lambda: self.export_runner.run(self.exports))
        self._spawn("retention", self._keep_retention)
        self._spawn("routing", lambda: watch_routing(self.db, self.routing))
        self._spawn("memory", self._save_memory)
        self._spawn("limits", self.limits.run_flush)
        self._spawn("limits_look", lambda: self.limits.run_look(self._list_channels))
        self._spawn("limits_watch", self.limits.run_watch)
        self._spawn("live", self.live.run)
        self._spawn("long_calls", self.long_calls.run)
        self._spawn("events", self.events.hub.run)
        self._spawn("events_housekeeping", self.events.run_housekeeping)
        self._spawn("webhooks", self.deliverer.run)
        self._spawn("mail", self._mailer().run)
        self.ready.set()

    async def _prepare(self) -> None:
        await migrate_when_reachable(self.database_url)
        self._default_account_id = (await self.access.bootstrap()).account_id
        await self.routing.load()
        await self.limits.restore()
        await self.long_calls.load()
        self._loaded = True
        await self._provision(self.routing.table)

    async def _keep_retention(self) -> None:
        """Recordings before their calls. Whole rounds go on at once; then there is time."""
        while True:
            done = 0
            with contextlib.suppress(CallctlError):
                done = await self.retention.delete_due() + await delete_due_calls(self.db)
            if not done:
                await asyncio.sleep(RETENTION_SECONDS)

    async def _save_memory(self) -> None:
        while True:
            await asyncio.sleep(SAVE_MEMORY_SECONDS)
            with contextlib.suppress(CallctlError):
                await self.routing.save_memory()

    async def _until_done(self, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await step()
            except CallctlError as error:
                if error.code != "database_unavailable":
                    raise
                log.warning("waiting_for_database", error=error.message)
                await asyncio.sleep(RETRY_SECONDS)

    def _spawn(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(asyncio.create_task(self._guard(name, run), name=name))

    async def _guard(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A job that fails is logged and started again: none takes the daemon with it."""
        while True:
            try:
                return await run()
            except Exception:
                UNITS_FAILED.labels(name).inc()
                log.exception("job_failed", job=name)
                await asyncio.sleep(RETRY_SECONDS)

    # HTTP

    def endpoints(self) -> list[Endpoint]:
        """Every operation of the API, by feature."""
        origin = self._origin()
        return [
            *callctl.features.calls.api.endpoints(self.calls),
            *callctl.features.clients.api.endpoints(self.db),
            *callctl.features.reports.api.endpoints(self.reports),
            *callctl.features.exports.api.endpoints(self.exports),
            *callctl.features.originate.api.endpoints(self.originate),
            *callctl.features.recordings.api.endpoints(
                self.library, self.retention, self.live_recordings, origin
            ),
            *callctl.features.routing.api.endpoints(self.routing),
            *callctl.features.limits.api.endpoints(self.limits),
            *callctl.features.events.api.endpoints(self.live, self.events),
            *callctl.features.webhooks.api.endpoints(self.webhooks),
            *callctl.features.notices.api.endpoints(self.notices),
            *callctl.features.long_calls.api.endpoints(self.long_calls),
            *callctl.features.access.api.endpoints(self.access, origin),
            *callctl.features.people.api.endpoints(self.users, self.groups, self.invitations),
            *callctl.features.accounts.api.endpoints(self.accounts),
            *callctl.features.audit.api.endpoints(self.audit),
            *callctl.features.checks.api.endpoints(self.alarms),
        ]

    def _origin(self) -> Origin:
        return Origin(self.settings.http_public_url, networks_of(self.settings.http_proxies))

    def _web_app(self) -> web.Application:
        origin = self._origin()
        console = Console(
            self.access,
            self.calls,
            origin=origin,
            recording_url=lambda recording: f"/api/v1/recordings/{recording}",
            alarms=lambda: self.alarms.raised,
            limits=self.limits,
            invitations=self.invitations,
            originate=self.originate,
        )
        checks = (
            ReadinessCheck("database", self.db.check),
            ReadinessCheck("routing", self._check_routing),
            ReadinessCheck("ami", self._check_ami, required=False),
            ReadinessCheck("journal", self._check_journal, required=False),
            ReadinessCheck("alarms", self.alarms.check_ready, required=False),
        )
        return build_web_app(
            self.endpoints(),
            self.access,
            origin=origin,
            checks=checks,
            pages=console.routes(),
            error_page=console.error_page,
        )

    async def _check_routing(self) -> None:
        if not self._loaded:
            raise RuntimeError("the routing is not loaded yet; calls use the fallback dialplan")

    async def _check_ami(self) -> None:
        state = self.ami.state
        if not state.connected:
            since = datetime.fromtimestamp(state.since, UTC).isoformat(timespec="seconds")
            raise RuntimeError(f"not connected since {since}: {state.reason}")

    async def _check_journal(self) -> None:
        if self.reader is None:
            raise RuntimeError("waits for the database")
        if self.reader.last_error is not None:
            raise RuntimeError(self.reader.last_error)


def sign_in_resets(access: AccessService) -> SignInResets:
    """What the users' service may do to how people sign in."""
    return SignInResets(access.reset_password_in, access.reset_second_factor_in)


def read_ami_secret(settings: Settings) -> str:
    """The setting, or the file that is made with Asterisk's configuration; empty without both."""
    if settings.ami_secret:
        return settings.ami_secret
    try:
        return (settings.state_dir / "ami.secret").read_text().strip()
    except FileNotFoundError:
        return ""


def take_lock(state_dir: Path, systemname: str) -> IO[str]:
    """One daemon per Asterisk. Raises AlreadyRunning with the other's process id."""
    state_dir.mkdir(parents=True, exist_ok=True)
    lock = (state_dir / f"{systemname}.lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read().strip() or "?"
        lock.close()
        raise AlreadyRunning(
            f"a callctl for {systemname!r} runs already (process {owner})"
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


async def migrate_when_reachable(database_url: str) -> list[str]:
    """Raises CallctlError("database_unavailable"), MigrationError."""
    try:
        return await migrate(database_url)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise CallctlError("database_unavailable", str(error)) from error


@contextlib.asynccontextmanager
async def open_database_url(settings: Settings) -> AsyncIterator[str]:
    """The set URL, or that of the embedded server, which runs meanwhile."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    embedded = await asyncio.to_thread(EmbeddedPostgres.start, settings.state_dir)
    try:
        yield embedded.url
    finally:
        await asyncio.to_thread(embedded.stop)


@contextlib.asynccontextmanager
async def open_daemon(settings: Settings) -> AsyncIterator[Daemon]:
    """A running daemon with its database. Raises AlreadyRunning, MigrationError, OSError."""
    async with open_database_url(settings) as url:
        with contextlib.suppress(CallctlError):
            # PostgreSQL that is away is waited for; a wrong schema stops the start.
            await migrate_when_reachable(url)
        db = await Database.connect(url)
        try:
            async with Daemon(settings, db, url) as daemon:
                yield daemon
        finally:
            await db.close()


def openapi_document() -> dict[str, Any]:
    """The API's document, without a database, an Asterisk or a running daemon."""
    daemon = Daemon(Settings(), Database(None), "")
    return build_openapi([*daemon.endpoints(), *health_endpoints(())])
