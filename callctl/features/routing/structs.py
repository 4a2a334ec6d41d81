"""The shape of a routing document: what YAML and JSON may say, field by field.

A document is all routing of one account. Names, defaults and order of the fields are those of
`core.routing.model`; here everything is text, numbers and lists, as people write it. Chains are
lists of destinations (``extension:101``, ``hunt_group:sales``, ``number:+36…``, ``did:+36…``,
``announce:closed``, ``hangup:busy``); one destination may stand alone.
"""

from functools import cache
from typing import Any, TypeVar

from msgspec import NODEFAULT, Struct, field
from msgspec.structs import fields, replace

from callctl.core.routing.limits import LimitAction
from callctl.core.routing.model import RecordPolicy, RingStrategy, TrunkOrder

Chain = list[str] | str


class Doc(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True
):
    """What all objects of a document have in common: unknown fields are errors."""


D = TypeVar("D", bound=Doc)


def settled(doc: D) -> D:
    """`doc` with its defaults as the very objects that they are declared as.

    `omit_defaults` goes by identity: an equal number or text that was read would be written out.
    """
    changed = {
        name: default
        for name, default in _defaults(type(doc))
        if getattr(doc, name) is not default and getattr(doc, name) == default
    }
    return replace(doc, **changed) if changed else doc


@cache
def _defaults(kind: type[Doc]) -> tuple[tuple[str, Any], ...]:
    return tuple((f.name, f.default) for f in fields(kind) if f.default is not NODEFAULT)


class AccountDoc(Doc, frozen=True):
    """The account's own settings. `country` is how its people write numbers. `caller_id_number` is
    its default number: what calls to the outside show that nothing else gives one."""

    code: str
    name: str = ""
    timezone: str = "UTC"
    country: str = "US"
    record: RecordPolicy = RecordPolicy.NEVER
    record_share: int = 100
    record_announce: str | None = None
    max_call_seconds: int = 4 * 3600
    caller_id_number: str | None = None


class ThresholdDoc(Doc, frozen=True):
    """The most that is still in order; over it the call is warned of, held, blocked."""

    warn: int | None = None
    hold: int | None = None
    block: int | None = None


class MeasuresDoc(Doc, frozen=True):
    """What is counted. A measure without thresholds (``{}``) has no limit. Costs are in minor units
    of the account's currency, of the calendar's day and month."""

    concurrent: ThresholdDoc | None = None
    calls_per_hour: ThresholdDoc | None = None
    destinations_per_hour: ThresholdDoc | None = None
    minutes_per_hour: ThresholdDoc | None = None
    minutes_per_day: ThresholdDoc | None = None
    cost_per_day: ThresholdDoc | None = None
    cost_per_month: ThresholdDoc | None = None


class OffHoursDoc(Doc, frozen=True):
    """What calls abroad get while `schedule` is closed."""

    schedule: str
    action: LimitAction = LimitAction.HOLD


class ExtensionLimitsDoc(Doc, frozen=True):
    """What differs from the account's limits. `destinations`: ``GB: hold``, ``premium: allow``."""

    enabled: bool = True
    destinations: dict[str, LimitAction] = {}
    extension: MeasuresDoc | None = None
    extension_abroad: MeasuresDoc | None = None
    off_hours: OffHoursDoc | None = None
    max_seconds_abroad: int | None = None
    announce: str | None = None


class LimitsDoc(Doc, frozen=True):
    """Limits of calls outside (docs/routing.md): what is left out has its default."""

    enabled: bool = True
    destinations: dict[str, LimitAction] = {}
    extension: MeasuresDoc | None = None
    extension_abroad: MeasuresDoc | None = None
    account: MeasuresDoc | None = None
    account_abroad: MeasuresDoc | None = None
    country: MeasuresDoc | None = None
    off_hours: OffHoursDoc | None = None
    max_seconds_abroad: int | None = None
    announce: str | None = None


class ExtensionDoc(Doc, frozen=True):
    """`secret` sets the SIP password (else one is made); it never comes back by itself."""

    number: str
    name: str = ""
    ring_seconds: int = 25
    dnd: bool = False
    enabled: bool = True
    schedule: str | None = None
    forward_always: Chain = []
    forward_busy: Chain = []
    forward_no_answer: Chain = []
    forward_unavailable: Chain = []
    caller_id_number: str | None = None
    caller_id_name: str = ""
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None
    may_dial: list[str] = field(default_factory=lambda: ["national"])
    pickup_group: str = "all"
    max_contacts: int = 3
    blocked_callers: list[str] = []
    limits: ExtensionLimitsDoc | None = None
    secret: str | None = None


class TrunkDoc(Doc, frozen=True):
    """`secret` is the carrier's password; `secret_env` names a variable that holds it."""

    name: str
    host: str
    port: int = 5060
    transport: str = "udp"
    register: bool = False
    username: str = ""
    match: list[str] = []
    max_channels: int | None = None
    caller_id_number: str | None = None
    trust_identity: bool = True
    allow_transit: bool = False
    number_format: str = "e164"
    enabled: bool = True
    qualify_seconds: int = 30
    secret: str | None = None
    secret_env: str | None = None


class CallerRouteDoc(Doc, frozen=True):
    match: str
    to: Chain


class DidDoc(Doc, frozen=True):
    number: str
    to: Chain
    label: str = ""
    schedule: str | None = None
    closed: Chain = []
    callers: list[CallerRouteDoc] = []
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None


class MemberDoc(Doc, frozen=True):
    extension: str
    ring_seconds: int | None = None
    paused: bool = False


class HuntGroupDoc(Doc, frozen=True):
    """A member may be just its number."""

    name: str
    members: list[str | MemberDoc]
    number: str | None = None
    strategy: RingStrategy = RingStrategy.IN_ORDER
    ring_seconds: int = 20
    max_seconds: int = 120
    then: Chain = []
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    record_announce: str | None = None


class HolidayDoc(Doc, frozen=True):
    """`open` is a time range as ``10:00-14:00``; without it the day is closed."""

    day: str
    name: str = ""
    yearly: bool = False
    open: str | None = None


class ScheduleDoc(Doc, frozen=True):
    """`weekly` holds lines such as ``mon-fri 08:00-17:00`` or ``sat,sun 10:00-02:00``."""

    name: str
    weekly: list[str]
    holidays: list[HolidayDoc] = []
    timezone: str | None = None


class BlockRuleDoc(Doc, frozen=True):
    """`cause` is a word as ``rejected`` or ``busy``, or a Q.850 number."""

    match: str
    reason: str = ""
    cause: str = "rejected"


class DialPatternDoc(Doc, frozen=True):
    match: str
    strip: int = 0
    prepend: str = ""


class OutboundRouteDoc(Doc, frozen=True):
    """A pattern may be just its text."""

    name: str
    patterns: list[str | DialPatternDoc]
    trunks: list[str]
    permission: str = "national"
    caller_id_number: str | None = None
    max_seconds: int | None = None
    ring_seconds: int = 60
    record: RecordPolicy = RecordPolicy.INHERIT
    record_share: int = 100
    order: TrunkOrder = TrunkOrder.LISTED
    record_announce: str | None = None


class EmergencyDoc(Doc, frozen=True):
    number: str
    trunks: list[str]
    caller_id_number: str | None = None


class ExpectationDoc(Doc, frozen=True):
    """If `from` calls `to` at `at`, the plan must read `then` (docs/routing.md)."""

    from_: str = field(name="from")
    to: str
    then: list[str]
    at: str | None = None
    via: str | None = None
    name: str = ""


class Document(Doc, frozen=True):
    """All routing of one account."""

    account: AccountDoc
    limits: LimitsDoc = LimitsDoc()
    extensions: list[ExtensionDoc] = []
    trunks: list[TrunkDoc] = []
    dids: list[DidDoc] = []
    hunt_groups: list[HuntGroupDoc] = []
    schedules: list[ScheduleDoc] = []
    blocklist: list[str | BlockRuleDoc] = []
    outbound: list[OutboundRouteDoc] = []
    emergency: list[EmergencyDoc] = []
    expectations: list[ExpectationDoc] = []
