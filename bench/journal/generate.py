"""A journal of any length: six real calls, repeated with ids, times and parties of their own.

`calls.csv` beside this file is what Asterisk wrote of them: answered at once, by the second phone,
by the fourth, missed by all, outbound by the second carrier, internal. Each copy begins at its own
moment, so that rows of calls in progress stand mixed as they do in real life.
"""

import heapq
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).with_name("calls.csv")
FIRST_SECOND = 1_750_000_000
CALLS_PER_SECOND = 20
NUMBERS = 200_000
FIRST_EXTENSION = 1000
EXTENSIONS = 500

_WEIGHTS = (40, 10, 3, 10, 20, 17)
"""How often each of the six is placed, in the order of the template."""

_TOKEN = re.compile(
    r"callctl-(?P<id>\d+\.\d+)"
    r"|(?P<time>17953\d{5}(?:\.\d{6})?)"
    r"|(?P<channel>(?<=-)000000[0-9a-f]{2}(?=\"))"
    r"|(?P<bridge>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    r"|(?P<number>(?<=36)20111000\d|(?<=6)301234567)"
    r"|(?P<extension>(?<![\d.])10[1-8](?!\d))"
)


@dataclass(frozen=True, slots=True)
class _Row:
    """A row cut at its tokens: text, token, text, token, …, text. `slots` index the tokens."""

    offset_us: int
    texts: tuple[str, ...]
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Call:
    began: int
    tokens: tuple[tuple[str, str], ...]
    rows: tuple[_Row, ...]


def journal_rows(calls: int, seed: int = 1, first_second: int = FIRST_SECOND) -> Iterator[str]:
    """Rows of `calls` calls in the order of time, as Asterisk writes them, newlines included."""
    templates = _read_template()
    chance = random.Random(seed)
    running: list[tuple[int, int, str]] = []
    counter = 0
    for number in range(calls):
        began = first_second + number // CALLS_PER_SECOND
        shift_us = number % CALLS_PER_SECOND * (1_000_000 // CALLS_PER_SECOND)
        template = chance.choices(templates, _WEIGHTS)[0]
        values = _new_values(template, began, shift_us, counter, chance)
        counter += 10
        first_us = began * 1_000_000 + shift_us
        while running and running[0][0] < first_us:
            yield heapq.heappop(running)[2]
        for place, row in enumerate(template.rows):
            entry = (first_us + row.offset_us, number * 64 + place, _text(row, values))
            heapq.heappush(running, entry)
    while running:
        yield heapq.heappop(running)[2]


def write_journal(path: Path, calls: int, seed: int = 1, first_second: int = FIRST_SECOND) -> int:
    """Writes the file; returns the number of its rows."""
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for row in journal_rows(calls, seed, first_second):
            file.write(row)
            rows += 1
    return rows


def _read_template() -> list[_Call]:
    by_linkedid: dict[str, list[str]] = {}
    for line in TEMPLATE.read_text(encoding="utf-8").splitlines(keepends=True):
        by_linkedid.setdefault(line.split('","')[12], []).append(line)
    return [_cut(lines) for lines in by_linkedid.values()]


def _cut(lines: list[str]) -> _Call:
    began = int(lines[0].partition(",")[0])
    tokens: dict[tuple[str, str], int] = {}
    rows = []
    for line in lines:
        texts, slots, last = [], [], 0
        for match in _TOKEN.finditer(line):
            kind = str(match.lastgroup)
            texts.append(line[last : match.start(kind)])
            slots.append(tokens.setdefault((kind, match[kind]), len(tokens)))
            last = match.end(kind)
        seconds, _, micros = line.split('","')[1].partition(".")
        offset_us = (int(seconds) - began) * 1_000_000 + int(micros)
        rows.append(_Row(offset_us, (*texts, line[last:]), tuple(slots)))
    return _Call(began, tuple(tokens), tuple(rows))


def _new_values(
    call: _Call, began: int, shift_us: int, counter: int, chance: random.Random
) -> list[str]:
    values = []
    for number, (kind, old) in enumerate(call.tokens):
        match kind:
            case "time":
                values.append(_moved(old, began - call.began, shift_us))
            case "id":
                values.append(
                    f"{began}.{counter + sum(k == kind for k, _ in call.tokens[:number])}"
                )
            case "channel":
                values.append(f"{(counter + int(old, 16)) & 0xFFFFFFFF:08x}")
            case "bridge":
                values.append(f"{chance.getrandbits(32):08x}{old[8:]}")
            case "number":
                values.append(f"{int(NUMBERS * chance.random() ** 3) + 200_000_000:09d}")
            case _:
                values.append(str(FIRST_EXTENSION + int(EXTENSIONS * chance.random())))
    return values


def _moved(old: str, seconds: int, shift_us: int) -> str:
    whole, dot, micros = old.partition(".")
    if not dot:
        return str(int(whole) + seconds)
    total = (int(whole) + seconds) * 1_000_000 + int(micros) + shift_us
    return f"{total // 1_000_000}.{total % 1_000_000:06d}"


def _text(row: _Row, values: list[str]) -> str:
    parts = [row.texts[0]]
    for slot, text in zip(row.slots, row.texts[1:], strict=True):
        parts.append(values[slot])
        parts.append(text)
    return "".join(parts)
