"""A call's two ends in the daemon: Asterisk asks where it goes, and journals what became of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from agi.ping import ping_verb
from agi.route import route_verb
from callctl import __version__
from callctl.app.services import Services
from callctl.asterisk.fastagi import AgiCall, AgiRefused
from callctl.asterisk.fastagi_server import FastAgiServer
from callctl.asterisk.journal_files import JournalFiles
from callctl.config import networks_of
from callctl.core.calls.record import CallRecord
from callctl.core.routing.encoding import encode_plan
from callctl.features.calls.attribution import attribute
from callctl.features.calls.reader import JournalReader
from callctl.features.clients.registration import store_step as clients_of_calls
from callctl.features.events.steps import tell_stored_calls
from callctl.features.numbers.proving import prove_numbers
from callctl.telemetry.metrics import PLANS


def build_agi_server(services: Services) -> FastAgiServer:
    """What answers the dialplan; it does not listen yet."""
    settings = services.settings
    return FastAgiServer(
        settings.agi_host,
        settings.agi_port,
        {
            "route": route_verb(lambda call: _decide(services, call)),
            "ping": ping_verb(lambda: _status(services)),
        },
        sources=networks_of(settings.agi_sources),
    )


def _decide(services: Services, call: AgiCall) -> str:
    """The plan of a call, as text. Without a table the fallback dialplan knows better."""
    if not services.loaded:
        raise AgiRefused("no_routing", call.uniqueid)
    plan = services.routing.decide(
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


def _status(services: Services) -> str:
    """What the check by feature code is told."""
    return f"callctl {__version__}, routing revision {services.routing.table.revision}"


def build_journal_reader(services: Services) -> JournalReader:
    """What makes records of the journal, and tells those who go by them."""
    settings = services.settings
    return JournalReader(
        JournalFiles(settings.journal_path),
        services.db,
        lambda: services.routing.table,
        systemname=settings.systemname,
        default_account_id=services.default_account_id,
        grace_seconds=settings.journal_grace_seconds,
        retention_days=settings.journal_retention_days,
        on_calls=lambda records: _calls_stored(services, records),
        on_channels=services.channel_watch.channels_read,
        on_rows=services.live.rows_read,
        before_store=services.live.forget_news,
        steps=(
            clients_of_calls,
            prove_numbers,
            services.charging.price_stored,
            services.limits.read_costs,
            services.long_calls.mark_stored,
            partial(tell_stored_calls, cost_of=services.charging.cost_of),
        ),
    )


def _calls_stored(services: Services, records: Sequence[CallRecord]) -> None:
    """Strategies with memory go by answered calls, limits by those to the outside."""
    owned = [
        (record, attribute(record, services.routing.table, services.default_account_id))
        for record in records
    ]
    services.limits.calls_stored((r, owner.account_id, owner.to_number) for r, owner in owned)
    services.spend.calls_stored(records)
    for record, owner in owned:
        if record.answered_by is not None and record.answered_us is not None:
            at = datetime.fromtimestamp(record.answered_us / 1_000_000, UTC)
            services.routing.note_answered(owner.account_id, record.answered_by, at)
