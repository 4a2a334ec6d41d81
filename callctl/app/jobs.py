"""What runs for ever. A job that fails is started again; what waits for the database, waits."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping

from callctl.app.ami import list_channels
from callctl.app.services import Services
from callctl.core.checks.disks import Thresholds
from callctl.core.errors import CallctlError
from callctl.db.idempotency import forget_old_keys
from callctl.features.calls.reader import JournalReader
from callctl.features.calls.retention import delete_due_calls
from callctl.features.checks.recordings import RecordingWatch
from callctl.features.checks.watch import SelfCheck, places_of
from callctl.features.notices.mail import Mailer, MailServer
from callctl.features.rates.memory import watch_tariffs
from callctl.features.routing.watch import watch_routing
from callctl.telemetry.log import get_logger
from callctl.telemetry.metrics import AMI_CONNECTED, UNITS_FAILED

log = get_logger("daemon")

RETRY_SECONDS = 1.0
SAVE_MEMORY_SECONDS = 5.0
RETENTION_SECONDS = 60.0

Job = Callable[[], Awaitable[None]]


def jobs_from_the_start(services: Services) -> Mapping[str, Job]:
    return {
        "ami_state": lambda: _observe_ami(services),
        "devices": services.devices.run,
        "self_check": _build_self_check(services).run,
    }


def jobs_with_database(services: Services, reader: JournalReader) -> Mapping[str, Job]:
    """Started once the schema is there and the routing is loaded."""
    return {
        "journal": reader.run,
        "recordings": services.recordings.run,
        "exports": lambda: services.export_runner.run(services.exports),
        "retention": lambda: _keep_retention(services),
        "routing": lambda: watch_routing(services.db, services.routing),
        "tariffs": lambda: watch_tariffs(
            services.db, services.tariff_memory, services.routing.prices_changed
        ),
        "fallback_money": services.provisioning.keep_paid_seconds,
        "memory": lambda: _save_memory(services),
        "limits": services.limits.run_flush,
        "limits_look": lambda: services.limits.run_look(lambda: list_channels(services.ami)),
        "limits_watch": services.limits.run_watch,
        "packages": services.package_watch.run,
        "spend": services.spend.run,
        "spend_extend": services.spend.extender.run,
        "live": services.live.run,
        "long_calls": services.long_calls.run,
        "events": services.events.hub.run,
        "events_housekeeping": services.events.run_housekeeping,
        "webhooks": services.deliverer.run,
        "number_orders": services.numbers.ordering.run,
        "number_tests": services.numbers.proving.run_watch,
        "number_months": services.numbers.billing.run,
        "number_requests": services.numbers.requests.run_watch,
        "mail": _build_mailer(services).run,
    }


class Jobs:
    """The jobs that run now."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, name: str, job: Job) -> None:
        self._tasks.append(asyncio.create_task(_guard(name, job), name=name))

    async def stop(self) -> None:
        """Returns when all have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _guard(name: str, job: Job) -> None:
    """A job that fails is logged and started again: none takes the daemon with it."""
    while True:
        try:
            return await job()
        except Exception:
            UNITS_FAILED.labels(name).inc()
            log.exception("job_failed", job=name)
            await asyncio.sleep(RETRY_SECONDS)


async def until_done(step: Job) -> None:
    """Once, as soon as the database is there. Raises what `step` raises for other reasons."""
    while True:
        try:
            return await step()
        except CallctlError as error:
            if error.code != "database_unavailable":
                raise
            log.warning("waiting_for_database", error=error.message)
            await asyncio.sleep(RETRY_SECONDS)


async def _observe_ami(services: Services) -> None:
    while True:
        AMI_CONNECTED.set(services.ami.state.connected)
        await asyncio.sleep(RETRY_SECONDS)


async def _keep_retention(services: Services) -> None:
    """Recordings before their calls. Whole rounds go on at once; then there is time."""
    while True:
        done = 0
        with contextlib.suppress(CallctlError):
            done = await services.retention.delete_due() + await delete_due_calls(services.db)
            done += await forget_old_keys(services.db)
            done += await services.retention.delete_due_accesses()
        if not done:
            await asyncio.sleep(RETENTION_SECONDS)


async def _save_memory(services: Services) -> None:
    while True:
        await asyncio.sleep(SAVE_MEMORY_SECONDS)
        with contextlib.suppress(CallctlError):
            await services.routing.save_memory()


def _build_mailer(services: Services) -> Mailer:
    settings = services.settings
    server = MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_user,
        settings.smtp_password,
        settings.smtp_from,
    )
    return Mailer(services.db, server)


def _build_self_check(services: Services) -> SelfCheck:
    settings = services.settings
    recordings = RecordingWatch(
        services.db,
        settings.recordings_spool,
        settings.recordings_dir,
        60.0 * settings.recording_grace_minutes,
    )
    return SelfCheck(
        services.alarms,
        services.db,
        services.ami,
        lambda: services.reader,
        services.channel_watch,
        recordings,
        systemname=settings.systemname,
        places=places_of(settings),
        thresholds=Thresholds(settings.disk_warning_mb, settings.disk_critical_mb),
        every=settings.check_seconds,
        limits=services.limits.check,
    )
