"""Limits of calls to the outside: what they are, and whether one more call keeps them.

The answer to toll fraud. A limit has up to three thresholds: over `warn` the call passes and a
notice is raised, over `hold` it is refused until a person approves, over `block` it is refused.
`judge` is a pure function of frozen values: how much there was so far is handed in.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from callctl.core.routing.plan import Reason


class LimitAction(StrEnum):
    """What is done with a call, the mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    HOLD = "hold"
    BLOCK = "block"


_SEVERITY = {action: place for place, action in enumerate(LimitAction)}
PAST = {LimitAction.WARN: "warned", LimitAction.HOLD: "held", LimitAction.BLOCK: "blocked"}
"""The first word of a reason's code: ``held_calls_per_hour``."""


class OutsideKind(StrEnum):
    """What kind of number it is, whatever its country. `UNKNOWN`: nobody can tell its country."""

    ORDINARY = "ordinary"
    PREMIUM = "premium"
    PERSONAL = "personal"
    SHARED_COST = "shared_cost"
    SATELLITE = "satellite"
    UNKNOWN = "unknown"


GLOBAL = "global"
"""Where numbers without a country lead that are nothing special: +800 is free of charge."""


@dataclass(frozen=True, slots=True)
class Outside:
    """A number outside. `country` is ISO 3166 alpha-2, "" where there is none (satellites)."""

    number: str
    country: str
    kind: OutsideKind = OutsideKind.ORDINARY

    @property
    def key(self) -> str:
        """What an approval speaks of: the kind, or the country of an ordinary number."""
        return self.place if self.kind is OutsideKind.ORDINARY else self.kind.value

    @property
    def place(self) -> str:
        """What calls to it are counted by in the scope of a country."""
        if self.kind is OutsideKind.ORDINARY:
            return self.country or GLOBAL
        return self.country or self.kind.value


class Scope(StrEnum):
    """Whose calls are counted together. `COUNTRY`: the account's to one foreign country."""

    EXTENSION = "extension"
    EXTENSION_ABROAD = "extension_abroad"
    ACCOUNT = "account"
    ACCOUNT_ABROAD = "account_abroad"
    COUNTRY = "country"


ABROAD_SCOPES = frozenset({Scope.EXTENSION_ABROAD, Scope.ACCOUNT_ABROAD, Scope.COUNTRY})
EXTENSION_SCOPES = frozenset({Scope.EXTENSION, Scope.EXTENSION_ABROAD})


class Measure(StrEnum):
    """What is counted. An hour and a day are the last 60 minutes and 24 hours; but costs, in minor
    units of the account's currency, are those of the calendar's day and month."""

    CONCURRENT = "concurrent"
    CALLS_PER_HOUR = "calls_per_hour"
    DESTINATIONS_PER_HOUR = "destinations_per_hour"
    MINUTES_PER_HOUR = "minutes_per_hour"
    MINUTES_PER_DAY = "minutes_per_day"
    COST_PER_DAY = "cost_per_day"
    COST_PER_MONTH = "cost_per_month"


COSTS = frozenset({Measure.COST_PER_DAY, Measure.COST_PER_MONTH})


@dataclass(frozen=True, slots=True)
class Threshold:
    """The most that is still in order, for each action; None = never."""

    warn: int | None = None
    hold: int | None = None
    block: int | None = None
    lowest: int = field(init=False, compare=False, repr=False)
    """Up to here nothing is done."""

    def __post_init__(self) -> None:
        given = [n for n in (self.warn, self.hold, self.block) if n is not None]
        object.__setattr__(self, "lowest", min(given, default=sys.maxsize))

    @property
    def places(self) -> int | None:
        """How much fits before a call is refused; None = any amount."""
        return self.hold if self.hold is not None else self.block

    def action(self, count: int) -> tuple[LimitAction, int]:
        """The strongest action that `count` (this call included) calls for, and its threshold."""
        if self.block is not None and count > self.block:
            return LimitAction.BLOCK, self.block
        if self.hold is not None and count > self.hold:
            return LimitAction.HOLD, self.hold
        if self.warn is not None and count > self.warn:
            return LimitAction.WARN, self.warn
        return LimitAction.ALLOW, 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One limit: of whom, of what, how much."""

    scope: Scope
    measure: Measure
    threshold: Threshold

    @property
    def name(self) -> str:
        """As in a document: ``extension_abroad.calls_per_hour``."""
        return f"{self.scope}.{self.measure}"


@dataclass(frozen=True, slots=True)
class OffHours:
    """While `schedule` is closed, calls abroad get `action`."""

    schedule: str
    action: LimitAction = LimitAction.HOLD


OTHERS = "others"
"""Key of `destinations` for every country that is neither listed nor the account's own."""


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """What a document says; what it leaves out is the account's, then `DEFAULTS`.

    `destinations` maps countries (``GB``), kinds (``premium``) and ``others`` to actions.
    """

    enabled: bool = True
    destinations: tuple[tuple[str, LimitAction], ...] = ()
    rules: tuple[Rule, ...] = ()
    off_hours: OffHours | None = None
    max_seconds_abroad: int | None = None
    announce: str | None = None


NO_SETTINGS = LimitSettings()
"""A document that says nothing of limits: the defaults are in force."""


def _rule(scope: Scope, measure: Measure, *thresholds: int | None) -> Rule:
    return Rule(scope, measure, Threshold(*thresholds))


DEFAULTS = LimitSettings(
    destinations=(
        (OutsideKind.PREMIUM.value, LimitAction.BLOCK),
        (OutsideKind.SATELLITE.value, LimitAction.BLOCK),
        (OutsideKind.PERSONAL.value, LimitAction.HOLD),
        (OutsideKind.UNKNOWN.value, LimitAction.HOLD),
    ),
    rules=(
        _rule(Scope.EXTENSION_ABROAD, Measure.CONCURRENT, 2, 4),
        _rule(Scope.EXTENSION_ABROAD, Measure.CALLS_PER_HOUR, 20, 40, 120),
        _rule(Scope.EXTENSION_ABROAD, Measure.DESTINATIONS_PER_HOUR, 15, 30),
        _rule(Scope.EXTENSION_ABROAD, Measure.MINUTES_PER_DAY, 180, 480),
        _rule(Scope.ACCOUNT_ABROAD, Measure.CONCURRENT, 10, 20),
        _rule(Scope.ACCOUNT_ABROAD, Measure.CALLS_PER_HOUR, 100, 200),
        _rule(Scope.ACCOUNT_ABROAD, Measure.MINUTES_PER_DAY, 1200, 3000),
        _rule(Scope.COUNTRY, Measure.CALLS_PER_HOUR, 60, 120),
    ),
    max_seconds_abroad=2 * 3600,
)
"""Out of the box: nothing for calls at home, and abroad more than an office dials by hand.
docs/routing.md tells them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings with everything settled, ready for `judge`. `home` is the account's country."""

    home: str
    destinations: Mapping[str, LimitAction]
    rules_abroad: tuple[Rule, ...]
    rules_home: tuple[Rule, ...]
    """Those of calls abroad, and those of calls at home."""
    scopes_abroad: tuple[Scope, ...]
    scopes_home: tuple[Scope, ...]
    """What they are counted by: where nothing is limited, nothing is counted."""
    off_hours: OffHours | None = None
    max_seconds_abroad: int | None = None
    announce: str | None = None
    enabled: bool = True

    def rules(self, *, abroad: bool, extension: bool) -> tuple[Rule, ...]:
        """Those that a call is measured by; without an extension only the account's."""
        rules = self.rules_abroad if abroad else self.rules_home
        return rules if extension else tuple(r for r in rules if r.scope not in EXTENSION_SCOPES)

    def scopes(self, *, abroad: bool, extension: bool) -> tuple[Scope, ...]:
        """What a call counts for."""
        scopes = self.scopes_abroad if abroad else self.scopes_home
        return scopes if extension else tuple(s for s in scopes if s not in EXTENSION_SCOPES)

    def is_free(self, outside: Outside) -> bool:
        """Whether such calls have no limit at all."""
        return (
            outside.country == self.home
            and outside.kind is OutsideKind.ORDINARY
            and not self.rules_home
            and self.home not in self.destinations
        )

    def is_abroad(self, outside: Outside) -> bool:
        if outside.kind is OutsideKind.SATELLITE:
            return True
        return bool(outside.country) and outside.country != self.home


def settle(home: str, *given: LimitSettings) -> Limits:
    """Settings laid over each other, the weakest first; each over the one before, measure by
    measure and destination by destination."""
    rules: dict[tuple[Scope, Measure], Rule] = {}
    destinations: dict[str, LimitAction] = {}
    merged = LimitSettings()
    for settings in given:
        rules |= {(rule.scope, rule.measure): rule for rule in settings.rules}
        destinations |= dict(settings.destinations)
        merged = replace(
            merged,
            off_hours=settings.off_hours or merged.off_hours,
            max_seconds_abroad=settings.max_seconds_abroad or merged.max_seconds_abroad,
            announce=settings.announce or merged.announce,
        )
    in_force = tuple(rule for rule in rules.values() if rule.threshold != Threshold())
    at_home = tuple(rule for rule in in_force if rule.scope not in ABROAD_SCOPES)
    return Limits(
        home=home,
        destinations=MappingProxyType(destinations),
        rules_abroad=in_force,
        rules_home=at_home,
        scopes_abroad=tuple(dict.fromkeys(rule.scope for rule in in_force)),
        scopes_home=tuple(dict.fromkeys(rule.scope for rule in at_home)),
        off_hours=merged.off_hours,
        max_seconds_abroad=merged.max_seconds_abroad,
        announce=merged.announce,
        enabled=all(settings.enabled for settings in given),
    )


# The decision


@dataclass(frozen=True, slots=True)
class Finding:
    """One limit that was passed. `limit` names it as a document does (``destination``,
    ``off_hours``, ``extension_abroad.calls_per_hour``); `count` includes this call."""

    action: LimitAction
    limit: str
    reason: Reason
    count: int = 0
    threshold: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one call to the outside. `reasons` go into the plan's trace.

    `max_seconds` bounds the talk of the whole plan, `paid_seconds` that of this number alone: what
    there is money for.
    """

    action: LimitAction = LimitAction.ALLOW
    findings: tuple[Finding, ...] = ()
    reasons: tuple[Reason, ...] = ()
    max_seconds: int | None = None
    paid_seconds: int | None = None

    @property
    def passes(self) -> bool:
        return self.action in (LimitAction.ALLOW, LimitAction.WARN)


PASSED = Verdict()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call to the outside that is to be judged.

    `extension` None: nobody's in particular (a number that the routing names). `is_open`: the
    off-hours schedule's state, True where none is kept. `approved`: by whom and until when, for
    the trace; "" if nobody has approved.
    """

    outside: Outside
    extension: str | None
    abroad: bool
    is_open: bool = True
    approved: str = ""


def judge(
    limits: Limits, attempt: Attempt, rules: Sequence[Rule], counts: Sequence[int]
) -> Verdict:
    """By destination, hours and `rules`, each with its count, this call included.

    An approval lifts every hold, and no block.
    """
    findings = [*_by_destination(limits, attempt), *_by_hours(limits, attempt)]
    for rule, count in zip(rules, counts, strict=True):
        if count > rule.threshold.lowest:
            action, most = rule.threshold.action(count)
            subject = _subject(rule.scope, attempt)
            reason = Reason(f"{PAST[action]}_{rule.measure}", subject, str(most))
            findings.append(Finding(action, rule.name, reason, count, most))
    most_seconds = limits.max_seconds_abroad if attempt.abroad else None
    if not findings:
        return Verdict(max_seconds=most_seconds)
    return _verdict(findings, attempt, most_seconds)


def _verdict(findings: list[Finding], attempt: Attempt, max_seconds: int | None) -> Verdict:
    action = strictest(finding.action for finding in findings)
    reasons = tuple(finding.reason for finding in findings)
    if action is LimitAction.HOLD and attempt.approved:
        # What would have been held is still worth a notice.
        approved = Reason("limit_approved", attempt.outside.key, attempt.approved)
        return Verdict(LimitAction.WARN, tuple(findings), (*reasons, approved), max_seconds)
    return Verdict(action, tuple(findings), reasons, max_seconds)


def strictest(actions: Iterable[LimitAction]) -> LimitAction:
    return max(actions, key=_SEVERITY.__getitem__)


def _by_destination(limits: Limits, attempt: Attempt) -> Iterable[Finding]:
    """A kind's own action and the country's both count: the stricter decides."""
    outside, actions = attempt.outside, limits.destinations
    if outside.kind is not OutsideKind.ORDINARY:
        action = actions.get(outside.kind.value, LimitAction.ALLOW)
        if action is not LimitAction.ALLOW:
            reason = Reason(f"{PAST[action]}_kind", outside.kind.value, outside.country)
            yield Finding(action, "destination", reason)
    if not outside.country:
        return
    action = actions.get(outside.country, LimitAction.ALLOW)
    if outside.country not in actions and outside.country != limits.home:
        action = actions.get(OTHERS, LimitAction.ALLOW)
    if action is not LimitAction.ALLOW:
        yield Finding(action, "destination", Reason(f"{PAST[action]}_country", outside.country))


def _by_hours(limits: Limits, attempt: Attempt) -> Iterable[Finding]:
    hours = limits.off_hours
    if hours is None or attempt.is_open or not attempt.abroad or hours.action is LimitAction.ALLOW:
        return
    reason = Reason(f"{PAST[hours.action]}_off_hours", attempt.outside.key, hours.schedule)
    yield Finding(hours.action, "off_hours", reason)


def _subject(scope: Scope, attempt: Attempt) -> str:
    match scope:
        case Scope.EXTENSION:
            return f"extension {attempt.extension}"
        case Scope.EXTENSION_ABROAD:
            return f"extension {attempt.extension} abroad"
        case Scope.ACCOUNT:
            return "the account"
        case Scope.ACCOUNT_ABROAD:
            return "the account abroad"
        case Scope.COUNTRY:
            return f"calls to {attempt.outside.place}"
