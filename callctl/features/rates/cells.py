"""Rates as rows of CSV (RFC 4180), both ways. Prices are decimals of the currency's main unit."""

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO

from callctl.core.cells import neutral, plain
from callctl.core.errors import CallctlError
from callctl.core.money.hours import parse_hours, write_hours
from callctl.core.money.prices import format_price, parse_price
from callctl.core.money.rating import INCOMING, Rate
from callctl.features.rates.model import LineError

COLUMNS = (
    "prefix", "destination", "price", "unit_seconds", "connect_fee", "minimum_seconds",
    "increment_seconds", "free_seconds", "hours",
)  # fmt: skip
NEEDED = ("prefix", "price")
_SECONDS = ("unit_seconds", "minimum_seconds", "increment_seconds", "free_seconds")

MAX_ROWS = 250_000
MAX_BYTES = 32 * 1024 * 1024
TOLD_ERRORS = 100
_MAX_DESTINATION = 100


def invalid_import(errors: Sequence[LineError]) -> CallctlError:
    """`detail` holds the first of `errors`."""
    first = errors[0]
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    words = f"line {first.line}: {first.column + ': ' if first.column else ''}{first.message}"
    return CallctlError("invalid_import", words + more, detail=list(errors[:TOLD_ERRORS]))


def read_rates(file: BinaryIO, exponent: int) -> list[tuple[int, Rate]]:
    """(line, rate) of every row. `exponent`: decimals of the currency's main unit.

    Raises CallctlError("invalid_import") with every wrong line, also for what is no CSV in UTF-8.
    """
    rates: list[tuple[int, Rate]] = []
    errors: list[LineError] = []
    for line, cells in _read_lines(file):
        if len(rates) + len(errors) >= MAX_ROWS:
            raise invalid_import([LineError(line, None, f"more than {MAX_ROWS} rates")])
        try:
            rates.append((line, _rate(cells, exponent)))
        except _WrongCell as error:
            errors.append(LineError(line, error.column, error.message))
    if errors:
        raise invalid_import(errors)
    return rates


class _WrongCell(Exception):
    def __init__(self, column: str | None, message: str) -> None:
        super().__init__(message)
        self.column, self.message = column, message


def _read_lines(file: BinaryIO) -> Iterator[tuple[int, Mapping[str, str]]]:
    line = 1
    try:
        first = file.readline(64 * 1024).decode("utf-8-sig")
        semicolons = first.count(";") > first.count(",")
        lines = itertools.chain([first], (raw.decode() for raw in file))
        reader = csv.reader(lines, delimiter=";" if semicolons else ",", strict=True)
        names = _heading(next(reader, []))
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if not any(cells):
                continue
            if len(cells) > len(names):
                wrong = f"{len(cells)} cells, but {len(names)} columns"
                raise invalid_import([LineError(line, None, wrong)])
            given = {n: plain(c).strip() for n, c in zip(names, cells, strict=False)}
            if semicolons:
                # Where cells are parted by semicolons, decimals have a comma.
                for name in ("price", "connect_fee"):
                    given[name] = given.get(name, "").replace(",", ".")
            yield line, {name: cell for name, cell in given.items() if cell}
    except UnicodeDecodeError:
        raise invalid_import([LineError(line, None, "not UTF-8")]) from None
    except csv.Error as error:
        raise invalid_import([LineError(line, None, f"not CSV: {error}")]) from None


def _heading(cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            raise invalid_import([LineError(1, name[:40], "unknown column")])
        if names.count(name) > 1:
            raise invalid_import([LineError(1, name, "stands there twice")])
    for name in NEEDED:
        if name not in names:
            raise invalid_import([LineError(1, name, "this column is missing")])
    return names


def _rate(cells: Mapping[str, str], exponent: int) -> Rate:
    if "price" not in cells:
        raise _WrongCell("price", "is missing")
    destination = cells.get("destination", "")
    if len(destination) > _MAX_DESTINATION or not destination.isprintable():
        raise _WrongCell("destination", f"one line of at most {_MAX_DESTINATION} characters")
    seconds = {name: _whole(name, cells[name]) for name in _SECONDS if name in cells}
    values = {name: _price(name, cells[name], exponent) for name in ("price", "connect_fee")
              if name in cells}  # fmt: skip
    try:
        hours = parse_hours(cells.get("hours", ""))
    except ValueError as error:
        raise _WrongCell("hours", str(error)) from None
    prefix = cells.get("prefix", "").replace(" ", "").lower()
    way = INCOMING if prefix.startswith(INCOMING) else ""
    prefix = way + prefix.removeprefix(way).removeprefix("+")
    return Rate(prefix=prefix, destination=destination, hours=hours, **values, **seconds)


def _price(name: str, text: str, exponent: int) -> int:
    try:
        return parse_price(text, exponent)
    except ValueError as error:
        raise _WrongCell(name, str(error)) from None


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise _WrongCell(name, "is no whole number of seconds")
    return int(text)


def write_heading() -> bytes:
    """With a byte order mark, by which spreadsheets know that it is UTF-8."""
    return ("\ufeff" + ",".join(COLUMNS) + "\r\n").encode()


def write_rates(rates: Iterable[Rate], exponent: int) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    for rate in rates:
        writer.writerow(
            (
                rate.prefix,
                neutral(rate.destination),
                format_price(rate.price, exponent),
                rate.unit_seconds,
                format_price(rate.connect_fee, exponent),
                rate.minimum_seconds,
                rate.increment_seconds,
                rate.free_seconds,
                write_hours(rate.hours),
            )
        )
    return file.getvalue().encode()
