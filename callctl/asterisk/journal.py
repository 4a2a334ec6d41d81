"""The CEL journal: from bytes of a file to events (Asterisk 22, cel_custom; docs/journal.md).

A physical line is not a record: text from a SIP caller may hold raw newlines inside quotes. A
record is over at a newline where its quotes balance. Damage is cut out at the next line that can
only be the start of a row (inside quotes every quote is doubled, so ``123,"TYPE","`` cannot occur
there), and handed back as `Poison`, never dropped in silence.
"""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from sys import intern
from typing import NamedTuple

from callctl.core.calls.events import CelEvent

COLUMNS = (
    "epoch",
    "eventtype",
    "eventtime",
    "cid_name",
    "cid_num",
    "cid_ani",
    "cid_dnid",
    "exten",
    "context",
    "channame",
    "appname",
    "appdata",
    "uniqueid",
    "linkedid",
    "peer",
    "userfield",
    "eventextra",
)
"""Order of the journal's columns: a contract (docs/journal.md)."""

MAX_RECORD_BYTES = 64 * 1024
"""A record longer than this is damage: the longest real one measured was 4.2 kB."""

_ROW_START = re.compile(rb'\d{1,12},"[A-Za-z_]+","')
_UNIQUEID = re.compile(rb'"((?:[\w.]+-)?\d{9,12}\.\d+)"')


@dataclass(frozen=True, slots=True)
class Poison:
    """Bytes of the journal that are no row. `uniqueids`: what they still seem to speak of."""

    position: int
    raw: bytes
    reason: str
    uniqueids: tuple[str, ...]


class RawRow(NamedTuple):
    """One record as it stands in the file, newline included, and where it begins."""

    position: int
    raw: bytes


class Framer:
    """Cuts a stream of bytes into records. Feed it any chunks; it keeps what is incomplete.

    `position` is the offset of the first byte not yet handed out: the safe place to resume.
    """

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self._lines: list[bytes] = []
        self._tail = b""
        self._open_bytes = 0
        self._odd = False

    def feed(self, data: bytes) -> Iterator[RawRow | Poison]:
        """Yield every record that is complete with `data`."""
        lines = (self._tail + data).split(b"\n")
        self._tail = lines.pop()
        for line in lines:
            raw = line + b"\n"
            if self._lines or raw.count(b'"') % 2:
                yield from self._line(raw)
            else:
                position = self.position
                self.position = position + len(raw)
                yield tuple.__new__(RawRow, (position, raw))  # See `parse_row`.

    def flush(self) -> Iterator[RawRow | Poison]:
        """Yield what is left when no more bytes will come; a torn row comes out as Poison."""
        if self._tail:
            tail, self._tail = self._tail, b""
            yield from self._line(tail)
        if self._lines:
            yield self._poison("the file ends inside a row")

    def _line(self, line: bytes) -> Iterator[RawRow | Poison]:
        if self._odd and _ROW_START.match(line):
            yield self._poison("a row without its end")
        self._lines.append(line)
        self._open_bytes += len(line)
        if line.count(b'"') % 2:
            self._odd = not self._odd
        if not self._odd:
            raw = self._take()
            yield RawRow(self.position - len(raw), raw)
        elif self._open_bytes > MAX_RECORD_BYTES:
            yield self._poison("a row longer than any real one")

    def _take(self) -> bytes:
        raw = self._lines[0] if len(self._lines) == 1 else b"".join(self._lines)
        self._lines.clear()
        self._open_bytes = 0
        self._odd = False
        self.position += len(raw)
        return raw

    def _poison(self, reason: str) -> Poison:
        raw = self._take()
        return make_poison(self.position - len(raw), raw, reason)


def split_rows(rows: bytes) -> list[bytes]:
    """Stored rows one by one, as they stood in the file."""
    framer = Framer()
    pieces = [*framer.feed(rows), *framer.flush()]
    return [p.raw for p in pieces]


def make_poison(position: int, raw: bytes, reason: str) -> Poison:
    """A `Poison` with the unique ids that can still be read in `raw`."""
    found = [m.decode("ascii", "replace") for m in _UNIQUEID.findall(raw)]
    # The first column of that look is the event's time.
    ids = dict.fromkeys(found[1:] if _ROW_START.match(raw) else found)
    return Poison(position, raw, reason, tuple(ids))


_PLAIN_ROW = re.compile(
    r'[^"]*,"([^"]+)","(\d{1,11})\.(\d{6})","([^"]*)","([^"]*)","[^"]*","[^"]*",'
    r'"([^"]*)","([^"]*)","([^"]*)","([^"]*)","([^"]*)","([^"]+)","([^"]*)","([^"]*)",'
    r'"[^"]*","(.*)"[\r\n]*',
    re.ASCII | re.DOTALL,
)
"""A row as nearly all are: whole, and with no quote inside but in its last column."""


def parse_row(row: RawRow, position: int | None = None) -> CelEvent | Poison | None:
    """One record as an event; None for an empty line; `Poison` when it is not a row.

    `position` is the event's place in the order of all rows (default: the row's own). What is not
    UTF-8, and NUL, becomes U+FFFD: any text of an event can be stored.
    """
    text = row.raw.decode("utf-8", "replace")
    if "\0" in text:
        return _parse_carefully(row, text, position)
    match = _PLAIN_ROW.fullmatch(text)
    if match is None:
        return _parse_carefully(row, text, position)
    (
        type_,
        seconds,
        micros,
        name,
        num,
        exten,
        context,
        channel,
        app,
        data,
        id_,
        linked,
        peer,
        extra,
    ) = match.groups()
    if '"' in extra:
        if '"' in extra.replace('""', ""):
            return _parse_carefully(row, text, position)
        extra = extra.replace('""', '"')
    # What NamedTuple's own constructor does, without its detour: a row has few microseconds.
    # Interned is what repeats from row to row: a long journal takes a quarter less memory.
    return tuple.__new__(
        CelEvent,
        (
            row.position if position is None else position,
            intern(type_),
            int(seconds + micros),
            name,
            num,
            exten,
            intern(context),
            channel,
            intern(app),
            intern(data),
            id_,
            id_ if linked == id_ else linked or id_,
            peer,
            _own_extra(extra) if extra else extra,
        ),
    )


def _parse_carefully(row: RawRow, text: str, position: int | None) -> CelEvent | Poison | None:
    """Any row at all: with quotes in names, with newlines, or none."""
    text = text.rstrip("\r\n")
    if not text.strip("\0 \t"):
        return None
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    try:
        columns = next(csv.reader([text], strict=True))
    except (csv.Error, StopIteration) as error:
        return make_poison(row.position, row.raw, f"not CSV: {error}")
    if len(columns) != len(COLUMNS):
        return make_poison(
            row.position, row.raw, f"{len(columns)} columns instead of {len(COLUMNS)}"
        )
    time_us = _parse_time(columns[2])
    if time_us is None or not columns[12] or not columns[1]:
        return make_poison(row.position, row.raw, "no event type, time or uniqueid")
    return CelEvent(
        row.position if position is None else position,
        columns[1],
        time_us,
        columns[3],
        columns[4],
        columns[7],
        columns[8],
        columns[9],
        columns[10],
        columns[11],
        columns[12],
        columns[13] or columns[12],
        columns[14],
        _own_extra(columns[16]),
    )


def _parse_time(text: str) -> int | None:
    """``sec.usec`` (six digits) as microseconds; None when it is not that."""
    seconds, dot, micros = text.partition(".")
    if not dot or len(micros) != 6 or not text.isascii():
        return None
    if not (seconds.isdigit() and micros.isdigit()) or len(seconds) > 11:
        return None
    return int(seconds) * 1_000_000 + int(micros)


def _own_extra(text: str) -> str:
    """User rows carry their payload as ``{"extra": "k=v"}``; other JSON is left alone."""
    if text.startswith('{"extra":'):
        if "\\" not in text and text.startswith('{"extra":"') and text.endswith('"}'):
            return text[10:-2]
        try:
            value = json.loads(text).get("extra")
        except ValueError:
            return text
        if isinstance(value, str):
            return value
    return text
