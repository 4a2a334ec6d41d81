"""Destination chains into plan steps: the part of planning that all directions share.

A plan is a linear list in which every non-answer goes on to the next step. What depends on *how* an
extension failed (its forwards) becomes steps with a condition on that extension's step.
"""

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from callctl.core.money.least_cost import find_order
from callctl.core.outcomes import AttemptResult
from callctl.core.routing.causes import parse_cause
from callctl.core.routing.eligible import caller_matches, is_caller, is_open, skip_reason
from callctl.core.routing.gate import Gate
from callctl.core.routing.hunting import members_to_ring
from callctl.core.routing.limits import PASSED, Verdict
from callctl.core.routing.model import (
    AccountIndex,
    Chain,
    Destination,
    DestinationKind,
    Did,
    Extension,
    HuntGroup,
    HuntMemory,
    RecordPolicy,
    RingStrategy,
    Trunk,
    TrunkOrder,
)
from callctl.core.routing.outbound import (
    WITHHELD,
    Outgoing,
    number_for_trunk,
    select_route,
    usable_trunks,
)
from callctl.core.routing.package import missing_seat
from callctl.core.routing.plan import (
    LAST_CAUSE,
    AnnounceStep,
    Direction,
    HangupStep,
    Reason,
    RingStep,
    RingTarget,
    RouteRequest,
    Step,
    TrunkStep,
    When,
)
from callctl.core.routing.recorded import (
    NOT_RECORDED,
    RecordRule,
    RecordVerdict,
    decide_recording,
    rule_of,
    rule_of_extension,
)
from callctl.core.routing.way import Way, forwarded

MAX_STEPS = 40
"""Steps of a plan before its last hangup."""

MAX_STEP_CHARS = 5000
"""What the steps may take of `encoding.MAX_PLAN_CHARS`; the rest is the head's and the trace's."""

MAX_VISITS = 250
"""Destinations looked at for one plan: bounds the time that a maze of references may take."""

MAX_DEPTH = 40
"""References followed one within the other."""

CAUSE_NOBODY = 20
"""Q.850 "subscriber absent": nobody was left to ring."""

_FORWARDS: tuple[tuple[str, tuple[AttemptResult, ...]], ...] = (
    ("busy", (AttemptResult.BUSY, AttemptResult.REJECTED)),
    ("no_answer", (AttemptResult.NOANSWER,)),
    ("unavailable", (AttemptResult.UNAVAILABLE,)),
)


class PlanBuilder:
    """Collects steps and reasons for one call. `now` None = no clock: every schedule is open.

    `refused`: the gate has kept a number outside from being dialled.
    """

    def __init__(
        self,
        index: AccountIndex,
        request: RouteRequest,
        direction: Direction,
        now: datetime | None,
        memory: HuntMemory,
        gate: Gate | None = None,
    ) -> None:
        self.index = index
        self.request = request
        self.direction = direction
        self.now = now
        self.memory = memory
        self.gate = gate
        self.refused = False
        self.steps: list[Step] = []
        self.trace: list[Reason] = []
        self.first_offered: list[tuple[str, str]] = []
        self.max_seconds: int | None = index.routing.max_call_seconds
        self.ended = False
        self._visits = 0
        self._chars = 0

    def note(self, code: str, subject: str = "", detail: str = "") -> None:
        self.trace.append(Reason(code, subject, detail))

    # Steps

    def add(self, step: Step, chars: int) -> bool:
        """Append `step` if there is room for it; `chars` bounds its length when encoded."""
        if self.ended:
            return False
        self._chars += chars
        if len(self.steps) >= MAX_STEPS or self._chars > MAX_STEP_CHARS:
            self.note("plan_cut", str(len(self.steps)))
            self.ended = True
            return False
        self.steps.append(step)
        if isinstance(step, HangupStep) and step.when is None:
            self.ended = True
        return True

    def finish(self) -> None:
        """End the plan: as its last attempt did, or as nobody being there."""
        self._settle_paid_seconds()
        if self.steps and isinstance(self.steps[-1], HangupStep) and self.steps[-1].when is None:
            return
        tried = any(isinstance(s, RingStep | TrunkStep) for s in self.steps)
        if not tried:
            self.note("nobody")
        self.steps.append(HangupStep(LAST_CAUSE if tried else CAUSE_NOBODY))

    def _settle_paid_seconds(self) -> None:
        """What money allows is the plan's limit, unless a part of the plan costs nothing, or less:
        who is rung inside is not cut off for the price of a forward."""
        dialled = [s for s in self.steps if isinstance(s, RingStep | TrunkStep)]
        paid = {s.max_seconds if isinstance(s, TrunkStep) else None for s in dialled}
        if paid <= {None}:
            return
        common = len(paid) == 1
        if common:
            self._talk_at_most(*paid)
        for place, step in enumerate(self.steps):
            if isinstance(step, TrunkStep) and step.max_seconds is not None:
                most = None if common else min(step.max_seconds, self.max_seconds or sys.maxsize)
                self.steps[place] = replace(step, max_seconds=most)

    # Destinations

    def follow(self, chain: Chain, way: Way) -> None:
        for destination in chain:
            if self.ended:
                return
            self._visits += 1
            if self._visits > MAX_VISITS or len(way.path) > MAX_DEPTH:
                self.note("plan_cut", str(len(self.steps)))
                self.ended = True
                return
            key = (destination.kind, destination.target)
            if key in way.path:
                self.note("loop", str(destination))
                continue
            self._go(destination, way)

    def _go(self, destination: Destination, way: Way) -> None:
        target = destination.target
        match destination.kind:
            case DestinationKind.EXTENSION:
                if extension := self.index.extensions.get(target):
                    self.extension(extension, way)
                    return
            case DestinationKind.HUNT_GROUP:
                if group := self.index.hunt_groups.get(target):
                    self.hunt_group(group, way)
                    return
            case DestinationKind.DID:
                if did := self.index.dids.get(target):
                    self.did(did, way)
                    return
            case DestinationKind.NUMBER:
                self._number(target, way)
                return
            case DestinationKind.ANNOUNCE:
                self.add(AnnounceStep(target, way.when), 20 + len(target))
                return
            case DestinationKind.HANGUP:
                self.add(HangupStep(parse_cause(target), way.when), 30)
                return
        self.note("missing", str(destination))

    def did(self, did: Did, way: Way) -> None:
        """By the caller, then by the clock, then its chain."""
        key = (DestinationKind.DID, did.number)
        way = Way(
            when=way.when,
            path=way.path | {key},
            records=(rule_of(f"did:{did.number}", did), *way.records),
            forwarder=way.forwarder,
            did=did.number,
        )
        for rule in did.callers:
            if caller_matches(self.request, rule.match):
                self.note("caller_route", rule.match)
                self.follow(rule.to, way)
                return
        if did.schedule is not None and not self._is_open(did.schedule):
            if not did.closed:
                self.note("closed_nowhere", did.number)
            self.follow(did.closed, way)
            return
        self.follow(did.to, way)

    def extension(self, extension: Extension, way: Way) -> None:
        """Ring it, unless it forwards all its calls or is to be skipped; then its forwards."""
        number = extension.number
        if (
            extension.enabled
            and extension.forward_always
            and not is_caller(extension, self.request, self.direction)
        ):
            self.note("forward_always", number, _words(extension.forward_always))
            self.follow(extension.forward_always, forwarded(extension, way))
            return
        skipped = skip_reason(self.index, extension, self.request, self.direction, self.now)
        if skipped is not None:
            self.trace.append(skipped)
            chain = {
                "skipped_dnd": extension.forward_busy,
                "skipped_disabled": extension.forward_unavailable,
                "skipped_hours": extension.forward_unavailable,
            }.get(skipped.code, ())
            if chain:
                name = "busy" if skipped.code == "skipped_dnd" else "unavailable"
                self.note(f"forward_{name}", number, _words(chain))
                self.follow(chain, forwarded(extension, way))
            return
        if self._ring((extension,), extension.ring_seconds, way):
            self._conditional_forwards(extension, way)

    def _conditional_forwards(self, extension: Extension, way: Way) -> None:
        """One block per different chain, on the results that lead to it."""
        step_number = len(self.steps)
        blocks: dict[Chain, tuple[AttemptResult, ...]] = {}
        for name, results in _FORWARDS:
            chain: Chain = getattr(extension, f"forward_{name}")
            if chain:
                self.note(f"forward_{name}", extension.number, _words(chain))
                blocks[chain] = blocks.get(chain, ()) + results
        for chain, results in blocks.items():
            when = When(step_number, results)
            self.follow(chain, replace(forwarded(extension, way), when=when))

    # Hunt groups

    def hunt_group(self, group: HuntGroup, way: Way) -> None:
        """Its members by its strategy; members' own forwards do not apply. Then its `then`."""
        members, skipped = members_to_ring(
            group, self.index, self.request, self.direction, self.now, self.memory
        )
        self.trace.extend(skipped)
        self.note(
            "hunt_group", group.name, f"{group.strategy}: {_list(e.number for e, _ in members)}"
        )
        if members:
            self.first_offered.append((group.name, members[0][0].number))
        way = replace(
            way,
            path=way.path | {(DestinationKind.HUNT_GROUP, group.name)},
            records=(rule_of(f"hunt_group:{group.name}", group), *way.records),
        )
        if group.strategy is RingStrategy.ALL:
            if members:
                longest = max(seconds for _, seconds in members)
                self._ring(tuple(e for e, _ in members), min(longest, group.max_seconds), way)
        else:
            self._one_by_one(group, members, way)
        self.follow(group.then, way)

    def _one_by_one(self, group: HuntGroup, members: list[tuple[Extension, int]], way: Way) -> None:
        left = group.max_seconds
        for extension, seconds in members:
            if seconds > left:
                self.note("hunt_limit", group.name, extension.number)
            if left <= 0:
                return
            if not self._ring((extension,), min(seconds, left), way):
                return
            left -= seconds

    def _is_open(self, name: str) -> bool:
        open_, reason = is_open(self.index, name, self.now)
        self.trace.append(reason)
        return open_

    # Ringing and dialling

    def _ring(self, extensions: tuple[Extension, ...], seconds: int, way: Way) -> bool:
        targets = tuple(RingTarget(e.number, e.endpoint) for e in extensions)
        chars = 60 + sum(len(t.extension) + len(t.endpoint) + 2 for t in targets)
        record = self._ring_recorded(extensions, way)
        step = RingStep(targets, seconds, record.wanted, way.when, record.announce)
        chars += len(record.announce or "")
        return self.add(step, chars)

    def _ring_recorded(self, extensions: tuple[Extension, ...], way: Way) -> RecordVerdict:
        """All who ring must agree: one `NEVER` of an extension keeps a common ring unrecorded."""
        verdict = NOT_RECORDED
        for extension in extensions:
            own = self.recorded((rule_of_extension(extension), *way.records))
            if not own.wanted:
                if len(extensions) > 1 and extension.record is RecordPolicy.NEVER:
                    self.note("not_recorded", extension.number)
                return NOT_RECORDED
            verdict = own if verdict.announce is None else verdict
        return verdict

    def recorded(self, rules: tuple[RecordRule, ...]) -> RecordVerdict:
        """By the first rule that does not inherit; the account's is the last."""
        every = (*rules, rule_of("account", self.index.routing))
        verdict = decide_recording(every, self.direction, self.request.uniqueid)
        if verdict.reason is not None and verdict.reason not in self.trace:
            self.trace.append(verdict.reason)
        return verdict

    def _number(self, number: str, way: Way) -> None:
        """An outside number that the configuration names: the one way from trunk to trunk."""
        e164 = number if number.startswith("+") else None
        found = select_route(self.index, number, e164)
        if found is None:
            self.note("no_route", number)
            return
        forwarder = way.forwarder
        permission = found.route.permission
        if forwarder is not None and permission not in forwarder.may_dial:
            self.note("no_permission", f"extension:{forwarder.number}", permission)
            return
        if forwarder is not None:
            lacking = missing_seat(self.index.account.package, forwarder.number)
            if lacking is not None:
                self.trace.append(lacking)
                return
        caller_id = (forwarder.caller_id_number if forwarder else None) or way.did
        self.trunks(found, caller_id, way, by=self._causer(forwarder))

    def _causer(self, forwarder: Extension | None) -> str | None:
        """Whose call to the outside it is: who forwards, else the extension that dials."""
        if forwarder is not None:
            return forwarder.number
        return self.request.key if self.direction is not Direction.INBOUND else None

    def trunks(
        self,
        found: Outgoing,
        caller_id: str | None,
        way: Way,
        *,
        by: str | None = None,
        transit_from: str | None = None,
    ) -> None:
        """A step for each usable trunk of the route, if the gate lets the call pass.

        `by`: the extension that causes the call. `transit_from`: the trunk it came in by.
        """
        route = found.route
        self.note("outbound", route.name, found.pattern)
        record = self.recorded((*way.records, rule_of(f"outbound:{route.name}", route)))
        usable, unusable = usable_trunks(self.index, route, transit_from)
        self.trace.extend(unusable)
        if not usable:
            self.note("no_trunk", route.name)
            return
        verdict = self._may_leave(found, way, by)
        if not verdict.passes:
            return
        usable = self._in_order(found, usable)
        withhold = caller_id == WITHHELD
        shown = (None if withhold else caller_id) or route.caller_id_number
        default = self.index.routing.caller_id_number
        for trunk in usable:
            self.dial_trunk(
                TrunkStep(
                    trunk=trunk.name,
                    endpoint=trunk.endpoint,
                    number=number_for_trunk(trunk.number_format, found.number, found.e164),
                    seconds=route.ring_seconds,
                    caller_id_number=shown or trunk.caller_id_number or default,
                    withhold=withhold,
                    record=record.wanted,
                    record_announce=record.announce,
                    when=way.when,
                    max_seconds=verdict.paid_seconds,
                )
            )
        self._talk_at_most(route.max_seconds)

    def _in_order(self, found: Outgoing, trunks: list[Trunk]) -> list[Trunk]:
        """The cheapest first where the route wants that, and the number is dialled as it is."""
        orders = self.index.routing.trunk_orders.get(found.route.name)
        if found.route.order is not TrunkOrder.CHEAPEST or not orders or found.e164 is None:
            return trunks
        order = find_order(orders, found.e164.removeprefix("+"))
        if order is None:
            return trunks
        self.note("least_cost", found.route.name, " ".join(order))
        return sorted(trunks, key=lambda trunk: order.index(trunk.name))

    def _may_leave(self, found: Outgoing, way: Way, by: str | None) -> Verdict:
        if self.gate is None or self.ended:
            return PASSED
        certain = way.when is None and not self.steps
        verdict = self.gate(self.index, by, found, self.now, certain=certain)
        self.trace.extend(verdict.reasons)
        if verdict.passes:
            self._talk_at_most(verdict.max_seconds)
        else:
            self.refused = True
        return verdict

    def _talk_at_most(self, seconds: int | None) -> None:
        if seconds is not None:
            self.max_seconds = min(seconds, self.max_seconds or seconds)

    def dial_trunk(self, step: TrunkStep) -> None:
        chars = 80 + len(step.trunk) + len(step.endpoint) + len(step.number)
        chars += len(step.caller_id_number or "") + len(step.record_announce or "")
        self.add(step, chars)


def _words(chain: Chain) -> str:
    return _list(str(d) for d in chain)


def _list(items: Iterable[str]) -> str:
    return " ".join(items) or "nobody"
