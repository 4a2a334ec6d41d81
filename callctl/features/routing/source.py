"""YAML with line numbers, read without trust.

Only plain data: no tags, no second document, no key twice, bounded in size, depth and in what
aliases may unfold to. A scalar without quotes gets its type from the field it stands for, so that
``number: +3612345678``, ``101`` and ``22:00`` are what they look like.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import yaml

from callctl.features.routing.faults import MOST, find_faults

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 12
MAX_NODES = 400_000
"""Of the unfolded document: aliases count for what they stand for."""

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_WORDS = {"true": True, "false": False}
_NULLS = ("", "~", "null")
_ENDS = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class SourceError(ValueError):
    """A document that cannot be read. `line` counts from 1, 0 = unknown; `path` may be empty."""

    def __init__(self, message: str, path: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.line = line


class Plain(str):
    """A scalar written without quotes: its type is for the schema to say."""

    __slots__ = ()


@dataclass(slots=True)
class Source:
    """`value` holds dicts, lists, str and `Plain`; `lines` the line of each path."""

    value: Any
    lines: dict[str, int] = field(default_factory=dict)

    def line_of(self, path: str) -> int:
        """Of `path`, or of the nearest thing around it that has one."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get("", 1)


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with its line; `items` of a list or (key, node) pairs of a mapping."""

    line: int
    scalar: str | None = None
    items: tuple[Any, ...] = ()
    is_mapping: bool = False


def read_yaml(data: bytes | str) -> Source:
    """Parse one document. Raises SourceError with the line."""
    raw = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        raise SourceError(f"{len(raw)} bytes; at most {MAX_BYTES} are read")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SourceError("not UTF-8", line=line) from None
    try:
        source = Source(None)
        root = _Parser(yaml.parse(text, Loader=yaml.CSafeLoader)).document()
        source.value = _Unfolder(source.lines).unfold(root, "")
        return source
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(str(v) for v in (error.context, error.problem) if v)
        raise SourceError(f"not YAML: {message}", line=mark.line + 1 if mark else 0) from None
    except yaml.YAMLError as error:
        raise SourceError(f"not YAML: {' '.join(str(error).split())}") from None


class _Parser:
    """Events to nodes, refusing what is not plain data as soon as it comes."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = events
        self._anchors: dict[str, _Node] = {}

    def document(self) -> _Node:
        root: _Node | None = None
        for event in self._events:
            match event:
                case yaml.DocumentStartEvent() if root is not None:
                    raise SourceError("a second document", line=_line(event))
                case yaml.NodeEvent():
                    root = self._node(event, 0)
        return root or _Node(1, scalar="")

    def _node(self, event: Any, depth: int) -> _Node:
        line = _line(event)
        if depth > MAX_DEPTH:
            raise SourceError(f"nested deeper than {MAX_DEPTH} levels", line=line)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise SourceError(f"*{event.anchor} stands for nothing above", line=line)
            return self._anchors[event.anchor]
        if event.tag not in (None, "!"):
            raise SourceError(f"tag {event.tag} is not allowed", line=line)
        match event:
            case yaml.ScalarEvent():
                value = event.value if event.style else Plain(event.value)
                node = _Node(line, scalar=value)
            case yaml.SequenceStartEvent():
                node = _Node(line, items=tuple(self._items(depth)))
            case _:
                node = _Node(line, items=tuple(self._pairs(depth)), is_mapping=True)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _items(self, depth: int) -> Iterator[_Node]:
        for event in self._events:
            if isinstance(event, _ENDS):
                return
            yield self._node(event, depth + 1)

    def _pairs(self, depth: int) -> Iterator[tuple[str, int, _Node]]:
        seen: dict[str, int] = {}
        for event in self._events:
            if isinstance(event, _ENDS):
                return
            key = self._node(event, depth + 1)
            line = _line(event)
            if key.scalar is None:
                raise SourceError("a key must be a word", line=line)
            name = str(key.scalar)
            if name in seen:
                raise SourceError(f"key {name[:60]!r} twice: also in line {seen[name]}", line=line)
            seen[name] = line
            yield name, line, self._node(next(self._events), depth + 1)


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 0


class _Unfolder:
    """Nodes to values, noting each path's line; counts what aliases repeat."""

    def __init__(self, lines: dict[str, int]) -> None:
        self._lines = lines
        self._left = MAX_NODES

    def unfold(self, node: _Node, path: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise SourceError(f"more than {MAX_NODES} values", line=node.line)
        self._lines.setdefault(path, node.line)
        if node.scalar is not None:
            return node.scalar
        if not node.is_mapping:
            return [self.unfold(v, f"{path}[{i}]") for i, v in enumerate(node.items)]
        values = {}
        for key, line, value in node.items:
            place = f"{path}.{key}" if path else key
            self._lines[place] = line
            values[key] = self.unfold(value, place)
        return values


class ShapeError(ValueError):
    """A document that is not of its shape; `faults` holds (path, message, line) of each place."""

    def __init__(self, faults: list[tuple[str, str, int]]) -> None:
        super().__init__(f"{len(faults)} places are wrong")
        self.faults = faults


def convert(source: Source, kind: Any) -> Any:
    """`source` as the Struct `kind`. Raises ShapeError with every place that does not fit."""
    if isinstance(source.value, str) and source.value in _NULLS:
        message = "the document is empty; the least that it needs is account: {code: main}"
        raise ShapeError([("", message, 1)])
    typed = _typed(source.value, msgspec.inspect.type_info(kind))
    try:
        return msgspec.convert(typed, kind)
    except msgspec.ValidationError as error:
        found = list(itertools.islice(find_faults(typed, kind), MOST))
        found = found or [("", str(error))]
        raise ShapeError([(p, message, source.line_of(p)) for p, message in found]) from None


def _typed(value: Any, kind: Any) -> Any:
    """`value` with each `Plain` scalar turned into what `kind` (msgspec.inspect) asks for."""
    kinds = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    if isinstance(value, Plain):
        return _typed_scalar(str(value), {type(k) for k in kinds})
    if isinstance(value, dict):
        struct = next((k for k in kinds if isinstance(k, msgspec.inspect.StructType)), None)
        fields = {f.encode_name: f.type for f in struct.fields} if struct else {}
        return {k: _typed(v, fields.get(k, msgspec.inspect.AnyType())) for k, v in value.items()}
    if isinstance(value, list):
        lists = [k for k in kinds if isinstance(k, msgspec.inspect.ListType)]
        item = lists[0].item_type if lists else msgspec.inspect.AnyType()
        return [_typed(v, item) for v in value]
    return value


def _typed_scalar(text: str, kinds: set[type]) -> Any:
    info = msgspec.inspect
    if text in _NULLS and (info.NoneType in kinds or not kinds & {info.StrType, info.EnumType}):
        return None
    if info.IntType in kinds and _INT.fullmatch(text):
        return int(text)
    if info.BoolType in kinds and text in _WORDS:
        return _WORDS[text]
    return text
