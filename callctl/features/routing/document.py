"""Between a routing document (text, lists, JSON) and the model that plans are made from.

`parse_document` reads YAML; `build_routing` makes the model of a document and reports every place
that cannot be read; `canonical` is the one way a document is stored, exported and compared.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, time
from typing import Any, TypeVar

import msgspec

from callctl.core.routing.causes import cause_word, parse_cause
from callctl.core.routing.expectations import Expectation
from callctl.core.routing.limits import (
    LimitSettings,
    Measure,
    OffHours,
    Rule,
    Scope,
    Threshold,
)
from callctl.core.routing.model import (
    Account,
    AccountRouting,
    BlockRule,
    CallerRoute,
    Destination,
    DialPattern,
    Did,
    EmergencyNumber,
    Extension,
    Holiday,
    HuntGroup,
    Member,
    OutboundRoute,
    Schedule,
    Trunk,
    WeeklyPeriod,
)
from callctl.core.routing.model import Chain as ModelChain
from callctl.features.routing import structs
from callctl.features.routing.hours import (
    days_text,
    parse_day,
    parse_period,
    parse_range,
    range_text,
)
from callctl.features.routing.source import ShapeError, Source, SourceError, convert, read_yaml
from callctl.numbers import normalise

T = TypeVar("T")
D = TypeVar("D", bound=structs.Doc)


@dataclass(frozen=True, slots=True)
class Place:
    """A problem's place in the document. `line` 0 = unknown (the document was not a file)."""

    path: str
    message: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DocumentError(ValueError):
    """A document that cannot become a routing; `places` names each wrong place.

    As text: one line each, ``routing.yaml:12: extensions[3].ring_seconds: expected int, got str``.
    """

    def __init__(self, places: list[Place], file: str = "") -> None:
        self.places = places
        self.file = file
        super().__init__(self.text())

    def text(self) -> str:
        lines = []
        for place in self.places:
            at = ":".join(v for v in (self.file, str(place.line) if place.line else "") if v)
            lines.append(f"{at}: {place}" if at else str(place))
        return "\n".join(lines)


def parse_document(text: bytes | str, file: str = "") -> tuple[structs.Document, Source]:
    """Read a YAML document (JSON is YAML too). Raises DocumentError."""
    try:
        source = read_yaml(text)
        document: structs.Document = convert(source, structs.Document)
    except SourceError as error:
        raise DocumentError([Place(error.path, error.message, error.line)], file) from None
    except ShapeError as error:
        raise DocumentError([Place(*fault) for fault in error.faults], file) from None
    return document, source


class _Reader:
    """Converts one document, collecting the places that are wrong."""

    def __init__(self, country: str) -> None:
        self.country = country
        self.places: list[Place] = []
        self._destinations: dict[str, Destination] = {}

    def read(self, path: str, parse: Callable[[str], T], text: str, default: T) -> T:
        try:
            return parse(text)
        except ValueError as error:
            self.places.append(Place(path, str(error)))
            return default

    def chain(self, path: str, value: structs.Chain) -> ModelChain:
        texts = [value] if isinstance(value, str) else value
        found = []
        for i, text in enumerate(texts):
            place = f"{path}[{i}]" if isinstance(value, list) else path
            destination = self.read(place, self.destination, text, None)
            if destination is not None:
                found.append(destination)
        return tuple(found)

    def destination(self, text: str) -> Destination:
        """Equal ones are one object: ten thousand numbers ring the same extensions."""
        known = self._destinations.get(text)
        if known is None:
            known = self._destinations[text] = self._destination(text)
        return known

    def _destination(self, text: str) -> Destination:
        kind, colon, target = text.partition(":")
        if not colon and text.strip().isdecimal():
            return Destination.parse(f"extension:{text}")
        if kind.strip() == "group":
            return Destination.parse(f"hunt_group:{target}")
        destination = Destination.parse(text)
        if destination.kind in ("number", "did"):
            return replace(destination, target=self.number(destination.target))
        return destination

    def number(self, text: str) -> str:
        """E.164 where it is an outside number, else as written (short codes, mistakes)."""
        return normalise(text, self.country) or text.replace(" ", "")

    def caller_id(self, text: str | None) -> str | None:
        return None if text is None else self.number(text)


def build_routing(
    document: structs.Document, account: Account
) -> tuple[AccountRouting, tuple[Expectation, ...]]:
    """The model of `document`, with endpoints unset. Id, kind and parent are `account`'s.

    Raises DocumentError with every text that cannot be read; soundness is `check.py`'s matter.
    """
    doc = document.account
    reader = _Reader(doc.country)
    routing = AccountRouting(
        account=replace(
            account, code=doc.code, name=doc.name, timezone=doc.timezone, country=doc.country
        ),
        extensions=_each(reader, "extensions", document.extensions, _extension),
        trunks=_each(reader, "trunks", document.trunks, _trunk),
        dids=_each(reader, "dids", document.dids, _did),
        hunt_groups=_each(reader, "hunt_groups", document.hunt_groups, _hunt_group),
        schedules=_each(reader, "schedules", document.schedules, _schedule),
        blocklist=_each(reader, "blocklist", document.blocklist, _block_rule),
        outbound=_each(reader, "outbound", document.outbound, _outbound),
        emergency=_each(reader, "emergency", document.emergency, _emergency),
        record=doc.record,
        record_share=doc.record_share,
        record_announce=doc.record_announce,
        max_call_seconds=doc.max_call_seconds,
        caller_id_number=reader.caller_id(doc.caller_id_number),
        limits=_limits(document.limits),
    )
    if reader.places:
        raise DocumentError(reader.places)
    expectations = tuple(
        Expectation(e.name or f"expectation {i}", e.from_, e.to, tuple(e.then), e.at, e.via)
        for i, e in enumerate(document.expectations, start=1)
    )
    return routing, expectations


def _each(
    reader: _Reader, path: str, docs: list[Any], make: Callable[[_Reader, str, Any], T]
) -> tuple[T, ...]:
    return tuple(make(reader, f"{path}[{i}]", doc) for i, doc in enumerate(docs))


def _same(doc: msgspec.Struct, model: type[Any], **changed: Any) -> Any:
    """A `model` with the fields of `doc`, lists as tuples, some `changed`."""
    names = set(model.__dataclass_fields__) & set(doc.__struct_fields__) - set(changed)
    values = {name: getattr(doc, name) for name in names}
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
    return model(**values, **changed)


def _extension(reader: _Reader, path: str, doc: structs.ExtensionDoc) -> Extension:
    forwards = {
        name: reader.chain(f"{path}.{name}", getattr(doc, name))
        for name in ("forward_always", "forward_busy", "forward_no_answer", "forward_unavailable")
    }
    caller_id = reader.caller_id(doc.caller_id_number)
    limits = None if doc.limits is None else _limits(doc.limits)
    extension: Extension = _same(
        doc, Extension, caller_id_number=caller_id, limits=limits, **forwards
    )
    return extension


def _limits(doc: structs.LimitsDoc | structs.ExtensionLimitsDoc) -> LimitSettings:
    rules = [
        Rule(scope, measure, Threshold(given.warn, given.hold, given.block))
        for scope in Scope
        if (measures := getattr(doc, scope.value, None)) is not None
        for measure in Measure
        if (given := getattr(measures, measure.value)) is not None
    ]
    hours = doc.off_hours
    return LimitSettings(
        enabled=doc.enabled,
        destinations=tuple((_place_key(key), action) for key, action in doc.destinations.items()),
        rules=tuple(rules),
        off_hours=None if hours is None else OffHours(hours.schedule, hours.action),
        max_seconds_abroad=doc.max_seconds_abroad,
        announce=doc.announce,
    )


def _place_key(key: str) -> str:
    """``gb`` is ``GB``; kinds and ``others`` stay as they are."""
    return key.upper() if len(key) == 2 else key


def _trunk(reader: _Reader, path: str, doc: structs.TrunkDoc) -> Trunk:
    trunk: Trunk = _same(doc, Trunk, caller_id_number=reader.caller_id(doc.caller_id_number))
    return trunk


def _did(reader: _Reader, path: str, doc: structs.DidDoc) -> Did:
    did: Did = _same(
        doc,
        Did,
        number=reader.number(doc.number),
        to=reader.chain(f"{path}.to", doc.to),
        closed=reader.chain(f"{path}.closed", doc.closed),
        callers=tuple(
            CallerRoute(rule.match, reader.chain(f"{path}.callers[{i}].to", rule.to))
            for i, rule in enumerate(doc.callers)
        ),
    )
    return did


def _hunt_group(reader: _Reader, path: str, doc: structs.HuntGroupDoc) -> HuntGroup:
    members = tuple(
        Member(m) if isinstance(m, str) else Member(m.extension, m.ring_seconds, m.paused)
        for m in doc.members
    )
    then = reader.chain(f"{path}.then", doc.then)
    group: HuntGroup = _same(doc, HuntGroup, members=members, then=then)
    return group


def _schedule(reader: _Reader, path: str, doc: structs.ScheduleDoc) -> Schedule:
    weekly = tuple(
        period
        for i, text in enumerate(doc.weekly)
        if (period := reader.read(f"{path}.weekly[{i}]", parse_period, text, None))
    )
    holidays = tuple(
        _holiday(reader, f"{path}.holidays[{i}]", holiday) for i, holiday in enumerate(doc.holidays)
    )
    return Schedule(doc.name, weekly, holidays, doc.timezone)


def _holiday(reader: _Reader, path: str, doc: structs.HolidayDoc) -> Holiday:
    day = reader.read(f"{path}.day", parse_day, doc.day, date.min)
    opens: time | None = None
    closes: time | None = None
    if doc.open is not None:
        opens, closes = reader.read(f"{path}.open", parse_range, doc.open, (time(), time()))
    return Holiday(day, doc.name, doc.yearly, opens, closes)


def _block_rule(reader: _Reader, path: str, doc: str | structs.BlockRuleDoc) -> BlockRule:
    if isinstance(doc, str):
        return BlockRule(doc)
    cause = reader.read(f"{path}.cause", parse_cause, doc.cause, 21)
    return BlockRule(doc.match, doc.reason, cause)


def _outbound(reader: _Reader, path: str, doc: structs.OutboundRouteDoc) -> OutboundRoute:
    patterns = tuple(
        DialPattern(p) if isinstance(p, str) else DialPattern(p.match, p.strip, p.prepend)
        for p in doc.patterns
    )
    caller_id = reader.caller_id(doc.caller_id_number)
    route: OutboundRoute = _same(doc, OutboundRoute, patterns=patterns, caller_id_number=caller_id)
    return route


def _emergency(reader: _Reader, path: str, doc: structs.EmergencyDoc) -> EmergencyNumber:
    caller_id = reader.caller_id(doc.caller_id_number)
    number: EmergencyNumber = _same(doc, EmergencyNumber, caller_id_number=caller_id)
    return number


# Back to documents


def canonical(document: structs.Document, routing: AccountRouting) -> structs.Document:
    """`document` in the one form that is stored: numbers in E.164, chains as lists, no secrets."""
    doc = msgspec.structs.replace(
        document.account,
        name=document.account.name or document.account.code,
        caller_id_number=routing.caller_id_number,
    )
    return structs.Document(
        account=structs.settled(doc),
        limits=_limits_doc(routing.limits, structs.LimitsDoc),
        extensions=[_doc_of(e, structs.ExtensionDoc) for e in routing.extensions],
        trunks=[
            msgspec.structs.replace(_doc_of(t, structs.TrunkDoc), secret_env=given.secret_env)
            for t, given in zip(routing.trunks, document.trunks, strict=True)
        ],
        dids=[_doc_of(d, structs.DidDoc) for d in routing.dids],
        hunt_groups=[_doc_of(g, structs.HuntGroupDoc) for g in routing.hunt_groups],
        schedules=[_doc_of(s, structs.ScheduleDoc) for s in routing.schedules],
        blocklist=[_doc_of(b, structs.BlockRuleDoc) for b in routing.blocklist],
        outbound=[_doc_of(r, structs.OutboundRouteDoc) for r in routing.outbound],
        emergency=[_doc_of(n, structs.EmergencyDoc) for n in routing.emergency],
        expectations=document.expectations,
    )


L = TypeVar("L", structs.LimitsDoc, structs.ExtensionLimitsDoc)


def _limits_doc(limits: LimitSettings, kind: type[L]) -> L:
    measures: dict[str, Any] = {}
    for rule in limits.rules:
        given = structs.settled(_doc_of(rule.threshold, structs.ThresholdDoc))
        measures.setdefault(rule.scope.value, {})[rule.measure.value] = given
    hours = limits.off_hours
    return structs.settled(
        kind(
            enabled=limits.enabled,
            destinations=dict(limits.destinations),
            off_hours=None if hours is None else _doc_of(hours, structs.OffHoursDoc),
            max_seconds_abroad=limits.max_seconds_abroad,
            announce=limits.announce,
            **{scope: structs.MeasuresDoc(**given) for scope, given in measures.items()},
        )
    )


def _doc_of(value: Any, kind: type[D]) -> D:
    fields = kind.__struct_fields__
    values = {f: _plain(getattr(value, f)) for f in fields if hasattr(value, f)}
    if isinstance(value, BlockRule):
        values["cause"] = cause_word(value.cause)
    return structs.settled(kind(**values))


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return [_plain(item) for item in value]
        case Destination():
            return str(value)
        case Member(ring_seconds=None, paused=False):
            return value.extension
        case Member():
            return _doc_of(value, structs.MemberDoc)
        case LimitSettings():
            return _limits_doc(value, structs.ExtensionLimitsDoc)
        case DialPattern(strip=0, prepend=""):
            return value.match
        case DialPattern():
            return _doc_of(value, structs.DialPatternDoc)
        case CallerRoute():
            return _doc_of(value, structs.CallerRouteDoc)
        case WeeklyPeriod():
            return f"{days_text(value.days)} {range_text(value.opens, value.closes)}"
        case Holiday():
            open_ = None
            if value.opens is not None and value.closes is not None:
                open_ = range_text(value.opens, value.closes)
            return structs.HolidayDoc(value.day.isoformat(), value.name, value.yearly, open_)
        case _:
            return value
