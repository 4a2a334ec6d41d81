"""Holds the calls that were placed against the records that were kept. Pure.

A placed call is what the parties' wires showed; a record is what ``GET /api/v1/calls/{id}`` says.
Whatever is wrong comes out in words, and nothing that is wrong is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from callctl.demo.sip_log import PhoneSaw
from callctl.demo.verify import Seen, differences

Record = Mapping[str, Any]
Key = tuple[str, str]
"""(direction, what tells the call from all others in that direction)."""

UNREACHABLE = frozenset({"carrier-dead"})
"""Who is on a route although nobody is there: passed over, and on record."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One call that a party placed.

    `let_in`: Asterisk said a word to it; without one there is no channel and nothing to record.
    `route`: who is to be tried, in order. `rang`: what the parties called saw, in order of time.
    `answers`: whether the last of the route answers.
    """

    key: Key
    caller: PhoneSaw
    let_in: bool
    route: tuple[str, ...]
    rang: tuple[PhoneSaw, ...]
    answers: bool
    recorded: bool

    @property
    def is_routed(self) -> bool:
        """Whether the phones rang that were to ring, in that order, and the last one answered."""
        wanted = [name for name in self.route if name not in UNREACHABLE]
        return [saw.party for saw in self.rang] == wanted and self.answers == bool(
            self.caller.answered_at
        )

    @property
    def first_ring_seconds(self) -> float:
        """From the INVITE to the first phone's; infinite if none rang."""
        if not self.rang:
            return float("inf")
        return self.rang[0].invited_at - self.caller.invited_at

    def spans(self, since: float, until: float) -> bool:
        """Whether any of it happened between these two moments (epoch seconds)."""
        end = self.caller.ended_at or float("inf")
        return self.caller.invited_at <= until and end >= since


AROUND = 0.5
"""Seconds around a blow within which the order of events on two sides is not known."""

ANY = frozenset({"complete", "repaired", "truncated"})


@dataclass(frozen=True, slots=True)
class Blow:
    """Asterisk or its journal was struck at `at` and was there again at `until` (epoch seconds).

    Records of the calls that it cut must say one of `cut`; of those near it, anything. Until
    `ready` calls need not be routed right: Asterisk does not know yet which carrier is dead.
    """

    at: float
    until: float
    ready: float = 0.0
    cut: frozenset[str] = ANY
    memory: float = 0.0
    """Asterisk's rows of so many seconds before the blow may not have been written yet."""
    rows_lost: bool = False
    """Whether rows are lost out of the middle of calls, instead of calls being cut."""

    def disturbs(self, call: Placed) -> bool:
        return call.spans(self.at - AROUND, self.until + AROUND)

    def precedes_all_rows_of(self, call: Placed) -> bool:
        """Whether the call was so young that no row of it need have been written."""
        return self.at - self.memory <= call.caller.invited_at <= self.at

    def excuses(self, call: Placed) -> bool:
        """Whether the call need not be routed right."""
        return call.spans(self.at - AROUND, max(self.until, self.ready) + AROUND)

    def cuts(self, call: Placed) -> bool:
        """Whether it was let in well before, and had not ended well after."""
        return call.caller.invited_at < self.at - AROUND and call.spans(
            self.at + AROUND, float("inf")
        )


@dataclass(frozen=True, slots=True)
class Promise:
    """What must hold of a run.

    `tolerance`: seconds between a record's times and the wire's. `completeness`: what records of
    calls that the fault did not disturb may say. `spanning`: periods whose calls have no true
    times, since the clock itself was false. `first_ring`: seconds
    within which the first phone must ring. `routed`: the share of calls that must be routed right.
    `damaged`: calls that lost rows of the journal; their records tell what is left. `recordings`:
    in which state those must be that calls have. `note`: what else is worth telling of the run.
    """

    tolerance: float = 1.0
    completeness: frozenset[str] = frozenset({"complete"})
    blow: Blow | None = None
    spanning: tuple[tuple[float, float], ...] = ()
    first_ring: float = 3.0
    routed: float = 1.0
    damaged: frozenset[Key] = frozenset()
    recordings: frozenset[str] = frozenset({"available"})
    note: str = ""


@dataclass(slots=True)
class Verdict:
    """What came of it. `differences` is empty when all is as promised.

    `routable`: calls that the fault did not disturb by striking Asterisk itself; `ring_seconds`: of
    those that were routed, from the INVITE to the first phone's. `unwritten`: calls without a
    record because they were so young that Asterisk was killed with all their rows in its memory.
    """

    placed: int = 0
    let_in: int = 0
    cut: int = 0
    routed: int = 0
    routable: int = 0
    records: int = 0
    completeness: Counter[str] = field(default_factory=Counter)
    ring_seconds: list[float] = field(default_factory=list)
    unrouted: list[str] = field(default_factory=list)
    unwritten: int = 0
    note: str = ""
    differences: list[str] = field(default_factory=list)


def judge(
    placed: Sequence[Placed],
    records: Sequence[Record],
    promise: Promise,
    known: Mapping[str, Key] | None = None,
) -> Verdict:
    """Holds `records` (all there are, and no others) against `placed`.

    `known` says of call ids whose calls they are; other records are told by what they say.
    """
    verdict = Verdict(placed=len(placed), records=len(records), note=promise.note)
    found: dict[Key, list[Record]] = {}
    for record in records:
        key = (known or {}).get(record["call"]["call_id"]) or key_of(record)
        found.setdefault(key, []).append(record)
    keys = Counter(call.key for call in placed)
    verdict.differences += [f"{key} stands for {n} calls" for key, n in keys.items() if n > 1]
    for call in placed:
        verdict.let_in += call.let_in
        _judge_call(call, found.get(call.key, ()), promise, verdict)
    verdict.differences += [
        f"{key}: {len(of_key)} records of a call that nobody placed: {_essence(of_key[0])}"
        for key, of_key in found.items()
        if key not in keys
    ]
    verdict.completeness = Counter(record["call"]["completeness"] for record in records)
    _judge_routing(verdict, promise)
    return verdict


def key_of(record: Record) -> Key:
    """As `Placed.key`, from the record's side."""
    call = record["call"]
    field_of = {"inbound": "from_number", "outbound": "to_number", "internal": "extension"}
    return call["direction"], str(call[field_of[call["direction"]]])


def _judge_call(
    call: Placed, records: Sequence[Record], promise: Promise, verdict: Verdict
) -> None:
    blow = promise.blow
    is_cut = blow is not None and blow.disturbs(call)
    verdict.cut += is_cut
    if call.let_in and not (blow is not None and blow.excuses(call)):
        verdict.routable += 1
        if call.is_routed and call.first_ring_seconds <= promise.first_ring:
            verdict.routed += 1
            verdict.ring_seconds.append(call.first_ring_seconds)
        else:
            verdict.unrouted.append(_way(call))
    if not call.let_in and not records:
        return
    if not records and blow is not None and blow.precedes_all_rows_of(call):
        verdict.unwritten += 1
        return
    if len(records) != 1:
        told = "; ".join(_essence(record) for record in records)
        verdict.differences.append(f"{call.key}: {len(records)} records {told}".rstrip())
        return
    if call.key in promise.damaged or (is_cut and blow is not None and blow.rows_lost):
        found = _damaged_differences(call, records[0])
    elif blow is not None and is_cut:
        found = _cut_differences(call, records[0], blow)
    else:
        found = _differences(call, records[0], promise)
    verdict.differences += [f"{call.key}: {text}" for text in found]


def _differences(call: Placed, record: Record, promise: Promise) -> list[str]:
    """What is wrong in the one record of a call that nothing cut."""
    seen = Seen(call.caller, tuple((name, _saw(name, call, record)) for name in call.route))
    false_times = any(call.spans(*period) for period in promise.spanning)
    found = differences(
        dict(record),
        seen,
        tolerance=float("inf") if false_times else promise.tolerance,
        completeness=promise.completeness,
    )
    if false_times and record["call"]["total_seconds"] < 0:
        found.append(f"negative length: {record['call']['total_seconds']} s")
    states = [r["state"] for r in record["recordings"]]
    wanted = int(call.recorded and bool(call.caller.answered_at))
    if len(states) != wanted or not promise.recordings.issuperset(states):
        found.append(f"recordings {states}, wanted {wanted}")
    return found


def _saw(name: str, call: Placed, record: Record) -> PhoneSaw | None:
    """What `name` saw of the call.

    One that is not there is passed over at once, or rung in vain while Asterisk does not know that
    it is not there: both are true, and both are told.
    """
    saw = next((saw for saw in call.rang if saw.party == name), None)
    told = [a["result"] for a in record["attempts"] if (a["endpoint"] or "").endswith(name)]
    if saw is None and name in UNREACHABLE and told == ["NOANSWER"]:
        return replace(call.caller, final_code=None, ended_by=None, placed=False)
    return saw


def _cut_differences(call: Placed, record: Record, blow: Blow) -> list[str]:
    """Of a call that was cut: nobody is on record who was not tried, and in the right order.

    What Asterisk had not written yet when it was killed is missing at the end, never in between.
    """
    said = record["call"]["completeness"]
    wrong = blow.cuts(call) and said not in blow.cut
    found = [f"a call that was cut is called {said}"] if wrong else []
    tried = [a["extension"] or (a["endpoint"] or "").partition("/")[2] for a in record["attempts"]]
    if tried != list(call.route[: len(tried)]):
        found.append(f"tried {tried}, of {list(call.route)}")
    rang = [saw.party for saw in call.rang]
    if not set(rang[:-1]) <= set(tried):
        found.append(f"tried {tried}, but {rang} rang")
    return found


def _damaged_differences(call: Placed, record: Record) -> list[str]:
    """Of a call that lost rows: what its record says may be less than the truth, never another."""
    told = record["call"]
    found = []
    if told["direction"] != call.key[0]:
        found.append(f"direction: recorded {told['direction']!r}, real {call.key[0]!r}")
    if (told["disposition"] == "ANSWERED") and not call.caller.answered_at:
        found.append("recorded as answered, and nobody answered")
    tried = [a["extension"] or (a["endpoint"] or "").partition("/")[2] for a in record["attempts"]]
    if [name for name in call.route if name in tried] != tried:
        found.append(f"tried {tried}, of {list(call.route)}")
    return found


def _judge_routing(verdict: Verdict, promise: Promise) -> None:
    if len(verdict.unrouted) > verdict.routable * (1 - promise.routed):
        verdict.differences += [
            f"{way}, not right or not within {promise.first_ring:g} s" for way in verdict.unrouted
        ]


def _way(call: Placed) -> str:
    rang = [f"{s.party} after {s.invited_at - call.caller.invited_at:.2f} s" for s in call.rang]
    return f"{call.key}: rang {', '.join(rang) or 'nobody'}; the caller was told {_told(call)}"


def _told(call: Placed) -> str:
    return str(call.caller.final_code) if call.caller.final_code else "nothing"


def _essence(record: Record) -> str:
    call = record["call"]
    names = ("call_id", "direction", "disposition", "completeness", "started_at", "tried")
    return " ".join(str(call.get(name)) for name in names)
