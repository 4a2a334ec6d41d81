"""Every part of one callctl, built from its settings and its database; nothing runs yet.

No feature imports another. What one may ask of another is handed in here, as a function: where
the other is not built yet, or is there only later, as a lambda that looks when it is called.
"""

from datetime import UTC, datetime
from functools import partial

from callctl.app.ami import build_ami_client, end_after, hang_up
from callctl.app.live import ongoing_call, talk_outside, talking_calls, why_not_live
from callctl.app.numbers import build_numbers
from callctl.app.provisioning import Provisioning
from callctl.config import Settings, networks_of
from callctl.console.links import link_to
from callctl.core.money.guard import Payer, Terms
from callctl.core.money.payers import payers_at
from callctl.core.money.tariffs import line_of
from callctl.core.money.unattended import UnattendedTalk
from callctl.core.routing.gate import CountingGate
from callctl.core.routing.model import AccountIndex, Extension
from callctl.core.routing.outbound import Outgoing
from callctl.db.pool import Database
from callctl.features.access.service import AccessService
from callctl.features.access.store import AccessStore
from callctl.features.accounts.service import AccountService
from callctl.features.audit.service import AuditService
from callctl.features.calls.export import CALLS_TABLE
from callctl.features.calls.reader import JournalReader
from callctl.features.calls.service import CallService
from callctl.features.checks.channels import ChannelWatch
from callctl.features.checks.service import AlarmService
from callctl.features.checks.store import AlarmStore
from callctl.features.clients.names import client_names
from callctl.features.devices.service import DeviceService
from callctl.features.events.live import LiveDesk
from callctl.features.events.service import EventService
from callctl.features.exports.runner import ExportRunner
from callctl.features.exports.service import ExportService, ExportSettings
from callctl.features.interventions.service import InterventionService
from callctl.features.interventions.store import InterventionStore
from callctl.features.ledger.export import LEDGER_TABLE
from callctl.features.ledger.service import LedgerService
from callctl.features.limits.service import LimitService
from callctl.features.long_calls.service import LongCallService
from callctl.features.notices.service import NoticeService
from callctl.features.originate.service import OriginateService
from callctl.features.originate.store import OrderStore
from callctl.features.packages.service import PackageService
from callctl.features.packages.watch import PackageWatch
from callctl.features.payments.invoices import InvoiceService
from callctl.features.payments.provider import NoProvider, PaymentProvider, SandboxProvider
from callctl.features.payments.service import PaymentService
from callctl.features.people.groups import GroupService
from callctl.features.people.invitations import InvitationService
from callctl.features.people.users import SignInResets, UserService
from callctl.features.rates.assignments import AssignmentService
from callctl.features.rates.charging import CallCharging
from callctl.features.rates.memory import TariffMemory, trunk_orders
from callctl.features.rates.quoting import QuoteService
from callctl.features.rates.running import RunningCosts
from callctl.features.rates.service import TariffService
from callctl.features.recordings.keys import Keyring, read_master_key
from callctl.features.recordings.library import RecordingLibrary
from callctl.features.recordings.live import EndpointOwner, LiveRecordings
from callctl.features.recordings.places import RecordingPlaces
from callctl.features.recordings.retention import RetentionService
from callctl.features.recordings.service import RecordingService
from callctl.features.reports.service import ReportService
from callctl.features.routing.rights import require_call
from callctl.features.routing.service import RoutingService
from callctl.features.routing.store import RoutingStore
from callctl.features.spend.service import SpendService
from callctl.features.transfers.export import TRANSFERS_TABLE
from callctl.features.transfers.service import TransferService
from callctl.features.webhooks.delivery import Deliverer
from callctl.features.webhooks.service import WebhookService
from callctl.features.webhooks.store import WebhookStore
from callctl.features.webhooks.targets import Targets
from callctl.features.workplaces.service import WorkplaceService
from callctl.numbers import classify_outgoing
from callctl.secrets import Passwords
from callctl.telemetry.clock import utc_now


class Services:
    """All parts of one callctl beside one Asterisk; `Daemon` runs them.

    `loaded` (calls can be decided), `default_account_id` and `reader` are set once the database is
    there.
    """

    def __init__(self, settings: Settings, db: Database) -> None:
        self.settings = settings
        self.db = db
        self.loaded = False
        self.default_account_id = 0
        self.reader: JournalReader | None = None

        # Who may do what
        passwords = Passwords()
        self.access = AccessService(
            AccessStore(db),
            passwords=passwords,
            session_hours=settings.session_hours,
            has_extension=lambda account, number: bool(self._find_extension(account, number)),
        )
        self.users = UserService(db, passwords, sign_in_resets(self.access))
        self.groups = GroupService(db)
        self.invitations = InvitationService(db, passwords, link_to(settings.http_public_url))
        self.audit = AuditService(db)

        # Where calls go
        self.tariff_memory = TariffMemory()
        self.ami = build_ami_client(settings)
        self.provisioning = Provisioning(
            settings.asterisk_generated_dir,
            self.ami,
            lambda: self.routing,
            self._unattended_seconds,
        )
        self.limits = LimitService(db, lambda: self.routing.table)
        self._unattended = UnattendedTalk()
        self.spend = SpendService(
            db,
            self._payers_of,
            settings.systemname,
            lambda: why_not_live(self.ami, self.reader) is None,
            lambda uniqueid: talk_outside(self.live, uniqueid),
            partial(end_after, self.ami),
            terms=Terms(settings.spend_slice_seconds, settings.spend_least_seconds),
        )
        self.routing = RoutingService(
            RoutingStore(db),
            self.provisioning.provision,
            open_gate=self._open_gate,
            orders_of=lambda routing: trunk_orders(self.tariff_memory.tariffs, routing, utc_now()),
        )
        self.accounts = AccountService(
            db, self.invitations.invite_administrator, self.routing.accounts_changed
        )
        self.packages = PackageService(
            db, self.routing.refresh, quote_minutes=settings.package_quote_minutes
        )
        self.package_watch = PackageWatch(db, self.routing.refresh)
        self.numbers = build_numbers(settings, db, self.ami, self.routing)
        self.originate = OriginateService(
            self.ami, OrderStore(db), self._find_extension, self._require_call
        )

        # What calls cost
        self.tariffs = TariffService(db, self._tariffs_changed)
        self.tariff_assignments = AssignmentService(db, self._tariffs_changed)
        self.quotes = QuoteService(db, self.tariff_memory, lambda: self.routing.table)
        self.running_costs = RunningCosts(self.tariff_memory, lambda: self.routing.table)
        self.charging = CallCharging(self.tariff_memory, lambda: self.routing.table)

        # Money
        self.ledger = LedgerService(db)
        self.transfers = TransferService(db)
        self.payments = PaymentService(db, payment_provider(settings), settings.http_public_url)
        self.invoices = InvoiceService(db)

        # What is kept of calls
        self.calls = CallService(db)
        self.reports = ReportService(
            db, callback_minutes=settings.callback_minutes, client_names=client_names
        )
        exports = ExportSettings(
            settings.exports_dir,
            settings.systemname,
            settings.exports_keep_hours,
            settings.exports_at_once,
        )
        self.export_runner = ExportRunner(db, exports)
        tables = (CALLS_TABLE, LEDGER_TABLE, TRANSFERS_TABLE, *self.reports.tables())
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
        self.retention = RetentionService(
            db, settings.recordings_dir, settings.recording_access_days
        )

        # Calls that go on
        self.live_recordings = LiveRecordings(self.ami, db, self._owner_of)
        self.live = LiveDesk(
            db,
            lambda: self.routing.table,
            default_account_id=lambda: self.default_account_id,
            open_channels=lambda: self.reader.open_channels() if self.reader else frozenset(),
            why_not_live=lambda: why_not_live(self.ami, self.reader),
            running_cost=self.running_costs.cost,
        )
        self.devices = DeviceService(self.ami, lambda: self.routing.table)
        self.workplaces = WorkplaceService(db, self._extension_numbers)
        self.interventions = InterventionService(
            self.ami,
            InterventionStore(db),
            partial(ongoing_call, self.live),
            self.live.why_not_live,
            self.originate.calling_extension,
        )
        self.long_calls = LongCallService(
            db,
            lambda: self.routing.table,
            partial(talking_calls, self.live),
            partial(hang_up, self.ami),
            self.running_costs.seconds_until,
        )

        # Who is told
        self.alarms = AlarmService(AlarmStore(db, settings.systemname))
        self.channel_watch = ChannelWatch(
            self.ami, lambda: self.reader, settings.journal_lost_seconds
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

    async def _tariffs_changed(self) -> None:
        await self.tariff_memory.refresh(self.db, utc_now())

    def _open_gate(self, now: datetime) -> CountingGate:
        """What says which calls may leave: limits, and money where anybody pays."""
        gate = self.limits.open_gate(now)
        return self.spend.open_gate(gate, now) if self.tariff_memory.tariffs.prices else gate

    def _payers_of(self, index: AccountIndex, found: Outgoing, at: datetime) -> list[Payer]:
        line = line_of(self.routing.table, index.account.id)
        country = index.account.country
        return payers_at(
            self.tariff_memory.tariffs, line, lambda: classify_outgoing(found, country).number, at
        )

    def _unattended_seconds(self) -> dict[int, int]:
        """How long calls of accounts that pay may last while this daemon is away."""
        tariffs, table, guard = self.tariff_memory.tariffs, self.routing.table, self.spend.guard
        if not tariffs.prices:
            return {}
        lines = {account_id: line_of(table, account_id) for account_id in table.accounts}
        now = datetime.now(UTC)
        return self._unattended.seconds(tariffs, lines, guard.purse, guard.free, now)

    def _find_extension(self, account_id: int, number: str) -> Extension | None:
        index = self.routing.table.accounts.get(account_id)
        return index.extensions.get(number) if index else None

    def _extension_numbers(self, account_id: int) -> list[str]:
        index = self.routing.table.accounts.get(account_id)
        return list(index.extensions) if index else []

    def _require_call(self, account_id: int, extension: str, dialled: str) -> None:
        require_call(self.routing.table, account_id, extension, dialled, utc_now())

    def _owner_of(self, endpoint: str) -> EndpointOwner | None:
        found = self.routing.table.endpoints.get(endpoint)
        if found is None:
            return None
        account_id, kind, key = found
        return EndpointOwner(account_id, key if kind == "extension" else None)


def payment_provider(settings: Settings) -> PaymentProvider:
    """The one that is set."""
    if settings.payment_provider_url is None or not settings.payment_provider_secret:
        return NoProvider()
    return SandboxProvider(settings.payment_provider_url, settings.payment_provider_secret)


def sign_in_resets(access: AccessService) -> SignInResets:
    """What the users' service may do to how people sign in."""
    return SignInResets(access.reset_password_in, access.reset_second_factor_in)
