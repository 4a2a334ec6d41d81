"""What the fallback does with a call, by asking the planner in advance.

The planner itself makes every plan here, with empty memory, so order, phones, recording and limits
are the daemon's. What a plan depends on at the moment of the call is asked both ways: a schedule
open and closed, a caller matching a pattern or not. Numbers that are only known then are left to
an expression of the dialplan, found by comparing what went in with what came out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time

from callctl.core.routing.encoding import encode_plan
from callctl.core.routing.gate import Gate, StaticGate
from callctl.core.routing.limits import PASSED, LimitAction, LimitSettings, Verdict
from callctl.core.routing.model import (
    Account,
    AccountIndex,
    AccountRouting,
    Chain,
    DestinationKind,
    DialPattern,
    Did,
    Extension,
    HuntMemory,
    OutboundRoute,
    RecordPolicy,
    RoutingTable,
    Schedule,
    WeeklyPeriod,
    build_table,
)
from callctl.core.routing.outbound import Outgoing
from callctl.core.routing.package import missing_seat
from callctl.core.routing.patterns import apply_pattern, parse_pattern
from callctl.core.routing.plan import Reason, RoutePlan, RouteRequest, Source, TrunkStep
from callctl.core.routing.planner import plan_route
from callctl.numbers import classify_outgoing

_NOON = datetime(2024, 1, 17, 12, tzinfo=UTC)
_EVERY_DAY = WeeklyPeriod((0, 1, 2, 3, 4, 5, 6), time(0), time(0))
_TIMED = frozenset({"open", "closed", "no_clock"})
CALLER = "callctl"
"""The synthetic caller's number: no extension's, and no pattern of digits matches it."""
_FILLING = "3141592653589793"
_STATIC = StaticGate(classify_outgoing)
WHY_MARK = "CALLCTLWHY"
"""Where the reason of a refusal stands in a plan, to be filled in by the dialplan."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A plan, encoded, and what its trace speaks of."""

    plan: str
    subjects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Branch:
    """`schedule` of the account decides."""

    schedule: str
    when_open: "Leaf | Branch"
    when_closed: "Leaf | Branch"


Tree = Leaf | Branch


CallerRecord = tuple[RecordPolicy, str | None]
"""What a caller's own extension says of recording: which calls, and what is heard before."""


def record_of(extension: Extension) -> CallerRecord:
    return extension.record, extension.record_announce


@dataclass(frozen=True, slots=True)
class CallerClass:
    """What the outbound plans of extensions depend on besides the number: equal for most."""

    record: CallerRecord
    may_dial: tuple[str, ...]
    caller_id_number: str | None
    enabled: bool
    has_seat: bool
    limits: LimitSettings | None = None


def class_of(extension: Extension, account: Account) -> CallerClass:
    return CallerClass(
        record_of(extension),
        extension.may_dial,
        extension.caller_id_number,
        extension.enabled,
        missing_seat(account.package, extension.number) is None,
        extension.limits,
    )


@dataclass(frozen=True, slots=True)
class OutsidePlans:
    """What becomes of a number dialled: at home, abroad, and if a limit refuses it (`WHY_MARK`)."""

    home: str
    abroad: str
    refused: str


class _Answer:
    """A gate with one answer for all."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
    ) -> Verdict:
        return self._verdict


class _PaidGate:
    """For numbers that the routing names; those that are dialled are judged in the dialplan."""

    def __init__(self, paid: Verdict) -> None:
        self._paid = paid

    def __call__(
        self,
        index: AccountIndex,
        extension: str | None,
        found: Outgoing,
        now: datetime | None,
        *,
        certain: bool,
    ) -> Verdict:
        verdict = _STATIC(index, extension, found, now, certain=certain)
        return _both(verdict, self._paid) if verdict.passes else verdict


def _both(verdict: Verdict, paid: Verdict) -> Verdict:
    """A call that may leave, as far as the money goes."""
    return replace(paid, max_seconds=verdict.max_seconds, reasons=(*verdict.reasons, *paid.reasons))


def paid_verdict(account: Account, seconds: int | None) -> Verdict:
    """What money allows a call to the outside: `seconds` of talk, 0 = none, None = any length."""
    if seconds is None:
        return PASSED
    if seconds == 0:
        return Verdict(LimitAction.BLOCK, reasons=(Reason("no_money", account.code),))
    reason = Reason("money", account.code, str(seconds))
    return Verdict(paid_seconds=seconds, reasons=(reason,))


class FallbackPlanner:
    """Plans of one account, with the schedules set open or closed at will. `paid_seconds`: how long
    its calls to the outside may last, as `paid_verdict` has it."""

    def __init__(
        self, table: RoutingTable, index: AccountIndex, paid_seconds: int | None = None
    ) -> None:
        self._paid = paid_verdict(index.account, paid_seconds)
        self._gate = _STATIC if paid_seconds is None else _PaidGate(self._paid)
        self._others = [other.routing for other in table.accounts.values() if other is not index]
        self._revision = table.revision
        self.routing = index.routing
        self.account: Account = index.account
        self._unblocked = replace(index.routing, blocklist=())
        self._inside = {
            record: replace(
                index.routing,
                extensions=(
                    *index.routing.extensions,
                    Extension(
                        number=CALLER, endpoint=CALLER, record=record[0], record_announce=record[1]
                    ),
                ),
            )
            for record in dict.fromkeys(map(record_of, index.routing.extensions))
        }
        self._shared_callers = _shared_callers(index.routing)
        rights = self.account.package
        seats = (rights.extensions | {CALLER}) if rights else frozenset()
        self._rights = {
            False: rights,
            True: replace(rights, extensions=seats) if rights else None,
        }
        self._tables: dict[tuple[int, frozenset[str]], tuple[AccountRouting, RoutingTable]] = {}

    def _table(self, routing: AccountRouting, closed: frozenset[str]) -> RoutingTable:
        """The whole table with this routing, made once for each object `routing`."""
        key = (id(routing), closed)
        if key not in self._tables:
            timed = tuple(_always(s, open_=s.name not in closed) for s in routing.schedules)
            changed = replace(routing, schedules=timed)
            # The routing is kept, so that nothing else gets its id.
            self._tables[key] = (routing, build_table((*self._others, changed), self._revision))
        return self._tables[key][1]

    def _plan(
        self, request: RouteRequest, routing: AccountRouting, closed: frozenset[str]
    ) -> RoutePlan:
        table = self._table(routing, closed)
        return _timeless(plan_route(request, table, _NOON, HuntMemory(), self._gate))

    def _tree(
        self,
        request: RouteRequest,
        routing: AccountRouting,
        closed: frozenset[str] = frozenset(),
        known: frozenset[str] = frozenset(),
    ) -> Tree:
        """The plan of `request` by the schedules it depends on."""
        plan = self._plan(request, routing, closed)
        for schedule in routing.schedules:
            name = schedule.name
            if name in known:
                continue
            other = self._plan(request, routing, closed | {name})
            if (other.steps, other.max_seconds) != (plan.steps, plan.max_seconds):
                return Branch(
                    name,
                    self._tree(request, routing, closed, known | {name}),
                    self._tree(request, routing, closed | {name}, known | {name}),
                )
        return Leaf(encode_plan(_unnamed(plan)), frozenset(r.subject for r in plan.trace))

    # Calls that came in

    def inbound(self, trunk: str, trunk_account: int, did: Did, caller: str | None) -> Tree:
        """To `did` by `trunk`, from the E.164 number `caller` (None = withheld), not blocked."""
        request = _from_trunk(trunk, trunk_account, did.number, caller)
        return self._tree(request, self._unblocked)

    def caller_patterns(self, did: Did) -> tuple[str, ...]:
        """Patterns over the caller that a call to `did` may depend on, the most specific first."""
        found = self._shared_callers | {rule.match for rule in did.callers}
        withheld = ("withheld",) if "withheld" in found else ()
        numbers = sorted(found - {"withheld"}, key=lambda p: (parse_pattern(p).rank, p))
        return (*withheld, *numbers)

    def blocked(self, trunk: str, trunk_account: int) -> list[tuple[str, str, str]]:
        """(pattern, DID of the plan, plan) for each block rule, in order."""
        found = []
        if not self.routing.dids:
            return []
        did = self.routing.dids[0].number
        for rule in self.routing.blocklist:
            alone = replace(self.routing, blocklist=(rule,))
            request = _from_trunk(trunk, trunk_account, did, sample_caller(rule.match, ()))
            plan = self._plan(request, alone, frozenset())
            del self._tables[id(alone), frozenset()]
            if plan.route.startswith("blocklist:"):
                found.append((rule.match, did, encode_plan(plan)))
        return found

    # Calls of extensions

    def inside(self, dialled: str, e164: str | None, record: CallerRecord) -> Tree:
        """An extension, a hunt group or an own DID, dialled by somebody it does not concern."""
        request = _from_extension(self.account.id, CALLER, dialled, e164)
        return self._tree(request, self._inside[record])

    def inside_by(self, caller: str, dialled: str, e164: str | None) -> Tree:
        """The same, dialled by extension `caller` itself."""
        return self._tree(_from_extension(self.account.id, caller, dialled, e164), self.routing)

    def emergency(self, dialled: str, kind: CallerClass) -> str:
        return encode_plan(self._dial(kind, self.routing, dialled, None))

    def refused(self, kind: CallerClass) -> str:
        """What an extension of this class hears that may not dial at all."""
        return encode_plan(self._dial(kind, replace(self.routing, emergency=()), "1", None))

    def outside(
        self,
        kind: CallerClass,
        route: OutboundRoute,
        dial: DialPattern,
        form: str,
        max_seconds_abroad: int | None,
        order: tuple[str, ...] | None = None,
    ) -> OutsidePlans | None:
        """The plans for a number that `dial` takes. `form` says what is known of the number:

        ``d`` it matches as dialled and has no E.164 form, ``b`` as dialled and has one, ``e`` its
        E.164 form matches. `order`: of the route's trunks, if not as listed. None where that
        cannot be. Raises ValueError for a trunk's number that no expression gives.
        """
        only = replace(
            self.routing,
            extensions=(),
            hunt_groups=(),
            dids=(),
            emergency=(),
            outbound=(replace(route, patterns=(dial,)),),
            trunk_orders={route.name: {"": order}} if order else {},
        )
        sample = sample_number(dial.match)
        e164 = "+99927182818284" if form == "b" else None
        dialled = sample
        if form == "e":
            if not sample.startswith("+") or parse_pattern(dial.match).matches("x"):
                return None
            dialled, e164 = "x", sample

        def text(verdict: Verdict) -> str:
            plan = self._dial(kind, only, dialled, e164, _Answer(verdict))
            return _with_expressions(plan, dial, dialled, e164)

        return OutsidePlans(
            home=text(self._paid),
            abroad=text(_both(Verdict(max_seconds=max_seconds_abroad), self._paid)),
            refused=text(Verdict(LimitAction.BLOCK, reasons=(Reason(WHY_MARK),))),
        )

    def _dial(
        self,
        kind: CallerClass,
        routing: AccountRouting,
        dialled: str,
        e164: str | None,
        gate: Gate | None = None,
    ) -> RoutePlan:
        """By a synthetic extension of this class. Other accounts do not matter to it."""
        caller = Extension(
            number=CALLER,
            endpoint=CALLER,
            record=kind.record[0],
            record_announce=kind.record[1],
            may_dial=kind.may_dial,
            caller_id_number=kind.caller_id_number,
            enabled=kind.enabled,
            limits=kind.limits,
        )
        account = replace(routing.account, package=self._rights[kind.has_seat])
        extensions = (*routing.extensions, caller)
        alone = build_table(
            (replace(routing, account=account, extensions=extensions),), self._revision
        )
        request = _from_extension(self.account.id, CALLER, dialled, e164)
        return _unnamed(_timeless(plan_route(request, alone, _NOON, HuntMemory(), gate)))


def _timeless(plan: RoutePlan) -> RoutePlan:
    """Without the moment that was made up for the schedules."""
    trace = tuple(replace(r, detail="") if r.code in _TIMED else r for r in plan.trace)
    return replace(plan, trace=trace)


def _unnamed(plan: RoutePlan) -> RoutePlan:
    """The caller's identity stays as its own endpoint has it."""
    return replace(plan, caller_number=None, caller_name=None)


def _always(schedule: Schedule, *, open_: bool) -> Schedule:
    return replace(schedule, weekly=(_EVERY_DAY,) if open_ else (), holidays=())


def _from_trunk(trunk: str, account: int, did: str, caller: str | None) -> RouteRequest:
    return RouteRequest(
        uniqueid="",
        account_id=account,
        source=Source.TRUNK,
        key=trunk,
        dialled=did,
        dialled_e164=did,
        caller_number=caller,
        caller_e164=caller,
    )


def _from_extension(account: int, key: str, dialled: str, e164: str | None) -> RouteRequest:
    return RouteRequest(
        uniqueid="",
        account_id=account,
        source=Source.EXTENSION,
        key=key,
        dialled=dialled,
        dialled_e164=e164,
        caller_number=key,
    )


def sample_number(pattern: str, digit: int = 0) -> str:
    """A number that `pattern` matches; `digit` varies the free places."""
    body = pattern.removeprefix("_")
    made: list[str] = []
    at = 0
    while at < len(body):
        char = body[at]
        free = _FILLING[(len(made) + digit) % len(_FILLING)]
        if char == "[":
            end = body.index("]", at)
            made.append(body[at + 1])
            at = end
        elif char in ".!":
            made.append(_FILLING[digit:] + _FILLING[:digit])
        elif char in "Xx":
            made.append(free)
        elif char in "Zz":
            made.append(free if free > "0" else "7")
        elif char in "Nn":
            made.append(free if free > "1" else "8")
        elif char not in " -":
            made.append(char)
        at += 1
    return "".join(made)


def sample_caller(pattern: str, others: Iterable[str]) -> str | None:
    """A caller that `pattern` matches and, if possible, none of `others`. None for ``withheld``."""
    if pattern == "withheld":
        return None
    parsed = [parse_pattern(other) for other in others if other not in (pattern, "withheld")]
    samples = [sample_number(pattern, digit) for digit in range(10)]
    return min(samples, key=lambda s: sum(p.matches(s) for p in parsed))


def _shared_callers(routing: AccountRouting) -> frozenset[str]:
    """Patterns over the caller that any DID may depend on: an extension's, and those of all DIDs
    where one leads to another."""
    found = {pattern for e in routing.extensions for pattern in e.blocked_callers}
    if any(d.kind is DestinationKind.DID for chain in _chains(routing) for d in chain):
        found |= {rule.match for did in routing.dids for rule in did.callers}
    return frozenset(found)


def _chains(routing: AccountRouting) -> Iterable[Chain]:
    for did in routing.dids:
        yield did.to
        yield did.closed
        yield from (rule.to for rule in did.callers)
    for e in routing.extensions:
        yield from (
            e.forward_always,
            e.forward_busy,
            e.forward_no_answer,
            e.forward_unavailable,
        )
    yield from (group.then for group in routing.hunt_groups)


def _with_expressions(plan: RoutePlan, dial: DialPattern, dialled: str, e164: str | None) -> str:
    """`plan` encoded, each trunk's number as an expression over what is dialled."""
    choices = number_expressions(dial, dialled, e164)
    steps = []
    marks: dict[str, str] = {}
    for number, step in enumerate(plan.steps):
        if isinstance(step, TrunkStep):
            if step.number not in choices:
                raise ValueError(f"no expression makes {step.number!r} of {dialled!r}")
            mark = f"CALLCTLNUMBER{number}."
            marks[mark] = choices[step.number]
            step = replace(step, number=mark)
        steps.append(step)
    text = encode_plan(replace(plan, steps=tuple(steps)))
    for mark, expression in marks.items():
        text = text.replace(mark, expression)
    return text


def number_expressions(dial: DialPattern, dialled: str, e164: str | None) -> Mapping[str, str]:
    """What a trunk may be given, and the dialplan expression that makes it."""
    found: dict[str, str] = {}
    sources = [("CALLCTL_DIALLED", dialled)]
    if e164 is not None:
        sources.append(("CALLCTL_E164", e164))
        found[e164] = "${CALLCTL_E164}"
        found[e164.removeprefix("+")] = "${CALLCTL_E164:1}"
    for variable, value in sources:
        made = apply_pattern(dial, value)
        part = f":{dial.strip}" if dial.strip else ""
        found.setdefault(made, f"{dial.prepend}${{{variable}{part}}}")
        if dial.prepend.startswith("+"):
            found.setdefault(made[1:], f"{dial.prepend[1:]}${{{variable}{part}}}")
        elif not dial.prepend and made.startswith("+"):
            found.setdefault(made[1:], f"${{{variable}:{dial.strip + 1}}}")
    return found
