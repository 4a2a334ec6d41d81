"""The routing of an account as frozen values: what a plan is made from.

One `AccountRouting` is what one YAML file of `callctl routing apply` says (secrets aside).
References between objects are by name; `check.py` proves that every one of them resolves.
Numbers of the outside world are E.164 (``+3612345678``), normalised before they get here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from enum import StrEnum

from callctl.core.routing.limits import DEFAULTS, NO_SETTINGS, Limits, LimitSettings, settle
from callctl.core.routing.package import PackageRights


class AccountKind(StrEnum):
    """A node's place in the tree operator > reseller > enterprise."""

    OPERATOR = "operator"
    RESELLER = "reseller"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant. `country` is ISO 3166 alpha-2: how its people write numbers.

    `package` None = it needs none.
    """

    id: int
    code: str
    name: str
    kind: AccountKind = AccountKind.ENTERPRISE
    parent_id: int | None = None
    timezone: str = "UTC"
    country: str = "US"
    package: PackageRights | None = None


class DestinationKind(StrEnum):
    EXTENSION = "extension"
    HUNT_GROUP = "hunt_group"
    NUMBER = "number"
    DID = "did"
    ANNOUNCE = "announce"
    HANGUP = "hangup"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a call may go. Written ``kind:target``, as ``extension:101`` or ``hangup:busy``."""

    kind: DestinationKind
    target: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"

    @classmethod
    def parse(cls, text: str) -> "Destination":
        """Read ``kind:target``. Raises ValueError that names the kinds there are."""
        kind, colon, target = text.partition(":")
        if not colon or not target.strip():
            as_in = "extension:101, hunt_group:sales or hangup:busy"
            raise ValueError(f"{text!r} is no place for a call: write it as {as_in}")
        try:
            return cls(DestinationKind(kind.strip()), target.strip())
        except ValueError:
            kinds = ", ".join(DestinationKind)
            raise ValueError(
                f"{text!r}: no destination of kind {kind!r}; there are {kinds}"
            ) from None


Chain = tuple[Destination, ...]
"""Tried in order until one answers (R001-13)."""


class RecordPolicy(StrEnum):
    """Which of a party's calls are recorded; `INHERIT` leaves it to the next rule.

    `EXTERNAL`: all with somebody outside. Beside each policy stands a `record_share`: of the calls
    that it covers so many in a hundred are recorded (`core/recordings.py`); and `record_announce`:
    the sound that both parties hear before, None = the account's, if it has one.
    """

    INHERIT = "inherit"
    NEVER = "never"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    EXTERNAL = "external"
    ALWAYS = "always"

    def covers(self, direction: str) -> bool:
        """Whether calls of this `Direction` are recorded; never by `INHERIT`."""
        match self:
            case RecordPolicy.ALWAYS:
                return True
            case RecordPolicy.EXTERNAL:
                return direction != RecordPolicy.INTERNAL
        return self.value == direction


@dataclass(frozen=True, slots=True)
class Extension:
    """An internal number with a SIP endpoint.

    `endpoint` is the PJSIP endpoint's name, unique on the Asterisk (the number itself, unless two
    accounts use the same number). `may_dial` names permissions of outbound routes. Forwards are
    chains of their own; `forward_no_answer` is also what "failover of an extension" means when
    it is dialled directly. Outside `schedule` (None = always on duty) and for callers that match a
    pattern of `blocked_callers` it is not rung. `caller_id_number` may be ``withheld``. `limits`
    are laid over the account's.
    """

    number: str
    name: str = ""
    endpoint: str = ""
    ring_seconds: int = 25
    dnd: bool = False
    enabled: bool = True
    forward_always: Chain = ()
    forward_busy: Chain = ()
    forward_no_answer: Chain = ()
    forward_unavailable: Chain = ()
    caller_id_number: str | None = None
    caller_id_name: str = ""
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None
    may_dial: tuple[str, ...] = ("national",)
    pickup_group: str = "all"
    max_contacts: int = 3
    schedule: str | None = None
    blocked_callers: tuple[str, ...] = ()
    limits: LimitSettings | None = None


@dataclass(frozen=True, slots=True)
class Trunk:
    """A carrier connection: by registration (`register`, `username`) or by address (`match`).

    `trust_identity`: believe and send P-Asserted-Identity. `allow_transit`: calls that came in by
    a trunk may leave by this one (never otherwise). `max_channels` None = no limit.
    """

    name: str
    host: str
    port: int = 5060
    endpoint: str = ""
    transport: str = "udp"
    register: bool = False
    username: str = ""
    match: tuple[str, ...] = ()
    max_channels: int | None = None
    caller_id_number: str | None = None
    trust_identity: bool = True
    allow_transit: bool = False
    number_format: str = "e164"
    enabled: bool = True
    qualify_seconds: int = 30


@dataclass(frozen=True, slots=True)
class SipCredential:
    """The user name and password of a PJSIP endpoint: a phone's, or ours at a carrier."""

    endpoint: str
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class CallerRoute:
    """Callers that match `match` (a number pattern) get a chain of their own: VIPs, suppliers."""

    match: str
    to: Chain


@dataclass(frozen=True, slots=True)
class Did:
    """A number that callers dial. `schedule` None = always open; closed calls take `closed`."""

    number: str
    to: Chain
    label: str = ""
    schedule: str | None = None
    closed: Chain = ()
    callers: tuple[CallerRoute, ...] = ()
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None


class RingStrategy(StrEnum):
    ALL = "all"
    IN_ORDER = "in_order"
    ROUND_ROBIN = "round_robin"
    LEAST_RECENT = "least_recent"
    FEWEST_CALLS = "fewest_calls"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Member:
    """An extension in a hunt group. `ring_seconds` None = the group's."""

    extension: str
    ring_seconds: int | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class HuntGroup:
    """Extensions rung together. `max_seconds` bounds the whole hunt; then `then` is tried."""

    name: str
    members: tuple[Member, ...]
    number: str | None = None
    strategy: RingStrategy = RingStrategy.IN_ORDER
    ring_seconds: int = 20
    max_seconds: int = 120
    then: Chain = ()
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None


@dataclass(frozen=True, slots=True)
class WeeklyPeriod:
    """Open from `opens` to `closes` on `days` (0 = Monday).

    `closes` <= `opens` runs past midnight.
    """

    days: tuple[int, ...]
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day that overrides the week: closed, or open between the given times.

    `yearly` repeats it on the same day and month.
    """

    day: date
    name: str = ""
    yearly: bool = False
    opens: time | None = None
    closes: time | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Weekly hours with holidays, in a zone of its own (None = the account's)."""

    name: str
    weekly: tuple[WeeklyPeriod, ...]
    holidays: tuple[Holiday, ...] = ()
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class BlockRule:
    """Inbound callers that are refused. `match` is a number pattern, or ``withheld``."""

    match: str
    reason: str = ""
    cause: int = 21


@dataclass(frozen=True, slots=True)
class DialPattern:
    """What was dialled, and what to make of it: drop `strip` characters, then prepend `prepend`."""

    match: str
    strip: int = 0
    prepend: str = ""


class TrunkOrder(StrEnum):
    """How the trunks of a route are tried: as they are listed, or the cheapest for the number
    first (`callctl.core.money.least_cost`)."""

    LISTED = "listed"
    CHEAPEST = "cheapest"


@dataclass(frozen=True, slots=True)
class OutboundRoute:
    """Dialled patterns to trunks, tried in order. `permission` is what an extension must hold.

    Of all routes' patterns that match, the most specific decides (`patterns.py`).
    """

    name: str
    patterns: tuple[DialPattern, ...]
    trunks: tuple[str, ...]
    permission: str = "national"
    caller_id_number: str | None = None
    max_seconds: int | None = None
    ring_seconds: int = 60
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    order: TrunkOrder = TrunkOrder.LISTED
    record_announce: str | None = None


TrunkOrders = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Route → first digits of an international number → the route's trunks in their order."""


@dataclass(frozen=True, slots=True)
class EmergencyNumber:
    """Dialled exactly so: no permission, schedule, seat or balance stands in its way."""

    number: str
    trunks: tuple[str, ...]
    caller_id_number: str | None = None


@dataclass(frozen=True, slots=True)
class AccountRouting:
    """All routing of one account. `record_announce` is a sound that both parties hear before they
    are recorded. The first rule of `blocklist` that matches decides; the order of
    `outbound` decides only between equally specific patterns. `trunk_orders` are not said by a
    document: they come from the carriers' tariffs, for the routes that want the cheapest trunk.
    """

    account: Account
    extensions: tuple[Extension, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    dids: tuple[Did, ...] = ()
    hunt_groups: tuple[HuntGroup, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    blocklist: tuple[BlockRule, ...] = ()
    outbound: tuple[OutboundRoute, ...] = ()
    emergency: tuple[EmergencyNumber, ...] = ()
    record: RecordPolicy = RecordPolicy.NEVER
    record_share: int = 100
    record_announce: str | None = None
    max_call_seconds: int = 4 * 3600
    caller_id_number: str | None = None
    limits: LimitSettings = NO_SETTINGS
    trunk_orders: TrunkOrders = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AccountIndex:
    """`AccountRouting` with each kind by its key, for look-ups in constant time.

    `limits` are the account's, settled; `extension_limits` those of extensions that have own ones.
    """

    routing: AccountRouting
    extensions: Mapping[str, Extension]
    trunks: Mapping[str, Trunk]
    dids: Mapping[str, Did]
    hunt_groups: Mapping[str, HuntGroup]
    hunt_group_numbers: Mapping[str, HuntGroup]
    schedules: Mapping[str, Schedule]
    emergency: Mapping[str, EmergencyNumber]
    limits: Limits
    extension_limits: Mapping[str, Limits]

    @property
    def account(self) -> Account:
        return self.routing.account


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """The whole snapshot a daemon routes with. Never changed, only replaced.

    `endpoints` maps a PJSIP endpoint's name to ``(account id, "extension" | "trunk", key)``;
    `did_accounts` maps an E.164 DID to its account's id.
    """

    accounts: Mapping[int, AccountIndex]
    endpoints: Mapping[str, tuple[int, str, str]]
    did_accounts: Mapping[str, int]
    revision: int = 0


@dataclass(frozen=True, slots=True)
class HuntMemory:
    """What strategies with memory know, keyed ``(account id, …)``; empty = the configured order.

    `offered_first`: the member that was first at the group's last call. `answered_at`: epoch
    seconds of an extension's last answered call. `answered_count`: its answered calls today.
    """

    offered_first: Mapping[tuple[int, str], str] = field(default_factory=dict)
    answered_at: Mapping[tuple[int, str], float] = field(default_factory=dict)
    answered_count: Mapping[tuple[int, str], int] = field(default_factory=dict)


def build_table(accounts: tuple[AccountRouting, ...], revision: int = 0) -> RoutingTable:
    """Index `accounts` for routing. O(objects). Every `endpoint` must be set."""
    indexes: dict[int, AccountIndex] = {}
    endpoints: dict[str, tuple[int, str, str]] = {}
    did_accounts: dict[str, int] = {}
    for routing in accounts:
        account_id = routing.account.id
        indexes[account_id] = AccountIndex(
            routing=routing,
            extensions={e.number: e for e in routing.extensions},
            trunks={t.name: t for t in routing.trunks},
            dids={d.number: d for d in routing.dids},
            hunt_groups={g.name: g for g in routing.hunt_groups},
            hunt_group_numbers={g.number: g for g in routing.hunt_groups if g.number},
            schedules={s.name: s for s in routing.schedules},
            emergency={n.number: n for n in routing.emergency},
            limits=settle(routing.account.country, DEFAULTS, routing.limits),
            extension_limits={
                e.number: settle(routing.account.country, DEFAULTS, routing.limits, e.limits)
                for e in routing.extensions
                if e.limits is not None
            },
        )
        for extension in routing.extensions:
            endpoints[extension.endpoint] = (account_id, "extension", extension.number)
        for trunk in routing.trunks:
            endpoints[trunk.endpoint] = (account_id, "trunk", trunk.name)
        for did in routing.dids:
            did_accounts[did.number] = account_id
    return RoutingTable(indexes, endpoints, did_accounts, revision)
