"""Blocks of numbers on their way into the stock: a range, or rows of CSV. Pure; nothing partial."""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from callctl.core.errors import CallctlError
from callctl.core.money.currencies import EXPONENTS
from callctl.core.numbers.kinds import NumberType
from callctl.features.numbers.model import LineError, NewBlock
from callctl.http.decode import field_error
from callctl.numbers import facts_of, normalise

MOST_NUMBERS = 20_000
MAX_BYTES = 4 * 1024 * 1024
TOLD_ERRORS = 100

COLUMNS = ("first", "last", "area", "type", "capabilities", "setup", "monthly", "currency")
NEEDED = ("first", "setup", "monthly", "currency")
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class StockEntry:
    """One number to load; `line` is where it came from."""

    line: int
    number: str
    country: str
    area_code: str
    area: str
    type: NumberType
    capabilities: tuple[str, ...]
    currency: str
    setup: int
    monthly: int


def invalid_import(errors: Sequence[LineError]) -> CallctlError:
    """Of at least one error; the first hundred are told."""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    words = f"line {errors[0].line}: {errors[0].message}{more}"
    return CallctlError("invalid_import", words, detail=list(errors[:TOLD_ERRORS]))


def entries_of_block(block: NewBlock, country: str) -> list[StockEntry]:
    """Every number of `block`, written as people of `country` do. Raises CallctlError:
    `invalid_field`."""
    found, problem = _expand(1, block, country)
    if problem is not None:
        column = "setup.currency" if problem.column == "currency" else problem.column
        raise CallctlError("invalid_field", problem.message, f"body.{column}")
    return found


def entries_of_csv(raw: bytes, country: str) -> list[StockEntry]:
    """Every number of the file. Raises CallctlError("invalid_import") that names the lines."""
    entries: list[StockEntry] = []
    errors: list[LineError] = []
    lines: dict[str, int] = {}
    for line, row in _rows(raw):
        if isinstance(row, LineError):
            errors.append(row)
            continue
        found, problem = _expand(line, row, country)
        if problem is not None:
            errors.append(problem)
        for entry in found:
            if (earlier := lines.setdefault(entry.number, line)) != line:
                message = f"{entry.number} stands in line {earlier} already"
                errors.append(LineError(line, "first", message))
        entries += found
        if len(entries) > MOST_NUMBERS:
            errors.append(LineError(line, "first", f"more than {MOST_NUMBERS} numbers in one file"))
            break
    if not entries and not errors:
        errors.append(LineError(1, None, "no numbers in the file"))
    if errors:
        raise invalid_import(errors)
    return entries


def _rows(raw: bytes) -> Iterator[tuple[int, NewBlock | LineError]]:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise invalid_import([LineError(line, None, "not UTF-8")]) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise invalid_import([LineError(line, None, "holds a NUL character")])
    heading = text.partition("\n")[0]
    delimiter = ";" if heading.count(";") > heading.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        names = _heading(next(reader, []))
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if any(cells):
                yield line, _row(line, names, cells)
    except csv.Error as error:
        raise invalid_import([LineError(line, None, f"not CSV: {error}")]) from None


def _heading(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    unknown = [LineError(1, n[:40], "unknown column") for n in names if n not in COLUMNS]
    twice = [LineError(1, n, "stands there twice") for n in set(names) if names.count(n) > 1]
    missing = [LineError(1, n, "this column is missing") for n in NEEDED if n not in names]
    if errors := unknown + twice + missing:
        raise invalid_import(errors)
    return names


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> NewBlock | LineError:
    if len(cells) > len(names):
        return LineError(line, None, f"{len(cells)} cells, but {len(names)} columns")
    given: dict[str, object] = {
        n: c.strip() for n, c in zip(names, cells, strict=False) if c.strip()
    }
    for name in ("setup", "monthly"):
        text = str(given.get(name, ""))
        if not (text.isascii() and text.isdecimal() and len(text) <= 13):
            return LineError(line, name, "write a whole number of the currency's smallest unit")
        given[name] = int(text)
    if "capabilities" in given:
        parts = str(given["capabilities"]).split(_SEPARATOR)
        given["capabilities"] = [part.strip() for part in parts]
    currency = given.pop("currency", "")
    for name in ("setup", "monthly"):
        given[name] = {"amount": given[name], "currency": currency}
    try:
        return msgspec.convert(given, NewBlock)
    except msgspec.ValidationError as error:
        wrong = field_error(error, "body")
        parts = re.findall(r"[a-z_]+", (wrong.field or "").removeprefix("body"))
        column = "currency" if "currency" in parts else next(iter(parts), None)
        return LineError(line, column, wrong.message)


def _expand(line: int, block: NewBlock, country: str) -> tuple[list[StockEntry], LineError | None]:
    """The numbers of `block`, and what is wrong with it (then there are none)."""
    first = normalise(block.first, country)
    if first is None:
        return [], LineError(line, "first", f"{block.first} is no number of {country}'s people")
    last = first if block.last is None else normalise(block.last, country)
    if last is None or len(last) != len(first) or last < first:
        return [], LineError(line, "last", f"{block.last} does not come after {first}, as long")
    if block.setup.currency != block.monthly.currency:
        return [], LineError(line, "monthly", "both prices are in one currency")
    if block.setup.currency not in EXPONENTS:
        return [], LineError(line, "currency", f"{block.setup.currency} is no currency")
    count = int(last) - int(first) + 1
    if count > MOST_NUMBERS:
        return [], LineError(line, "last", f"{count} numbers; at most {MOST_NUMBERS} at once")
    if not block.area.isprintable():
        return [], LineError(line, "area", "holds a character that cannot be printed")
    entries = []
    for value in itertools.islice(itertools.count(int(first)), count):
        number = f"+{value}"
        facts = facts_of(number)
        if facts is None:
            return [], LineError(line, "first", f"{number} cannot be in service")
        entries.append(
            StockEntry(
                line,
                number,
                facts.country,
                facts.area_code,
                block.area.strip(),
                block.type or facts.type,
                tuple(sorted({c.value for c in block.capabilities})),
                block.setup.currency,
                block.setup.amount,
                block.monthly.amount,
            )
        )
    return entries, None
