"""Clients as rows of CSV (RFC 4180): what stands in each cell, both ways, and nothing that a
spreadsheet would run."""

import csv
import io
import itertools
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from callctl.core.errors import CallctlError
from callctl.features.clients.model import LineError, NewClient
from callctl.http.decode import field_error

COLUMNS = (
    "id", "kind", "name", "type", "service_level", "nature", "address", "email", "owner", "notes",
    "numbers", "companies", "groups",
)  # fmt: skip

MAX_ROWS = 100_000
MAX_BYTES = 64 * 1024 * 1024

_FORMULA = frozenset("=+-@\t\r＝＋－＠")
_ESCAPED = _FORMULA | {"'"}
_PLAIN_NUMBERS = re.compile(r"\+[0-9]+(; \+[0-9]+)*")
_SEPARATOR = ";"


def write_cell(text: str) -> str:
    """`text` so that no spreadsheet takes it for a formula: with an apostrophe in front. Telephone
    numbers stay as they are, they name no function."""
    first, second = text[:1], text[1:2]
    is_formula = first in _FORMULA and not _PLAIN_NUMBERS.fullmatch(text)
    if text and (is_formula or (first == "'" and second in _ESCAPED and second)):
        return "'" + text
    return text


def read_cell(text: str) -> str:
    """The text that `write_cell` made this of; anything else as it is."""
    return text[1:] if len(text) > 1 and text[0] == "'" and text[1] in _ESCAPED else text


def write_rows(clients: Iterable[Mapping[str, Any]]) -> bytes:
    """Rows as `EXPORT_PAGE` has them."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    for client in clients:
        values = dict(client) | {
            "numbers": _join(
                f"{n['label']}: {n['number']}" if n["label"] else n["number"]
                for n in client["numbers"]
            ),
            "companies": _join(str(c["id"]) for c in client["companies"]),
            "groups": _join(g["name"] for g in client["groups"]),
        }
        writer.writerow([write_cell(str(values[name] or "")) for name in COLUMNS])
    return file.getvalue().encode()


def write_heading() -> bytes:
    """With a byte order mark, by which spreadsheets know that it is UTF-8."""
    return ("\ufeff" + ",".join(COLUMNS) + "\r\n").encode()


class Row(msgspec.Struct, frozen=True):
    """One row as it was read. `companies` are ids of the file or names, `owner` is a login."""

    line: int
    id: str
    client: NewClient
    owner: str
    companies: list[str]
    groups: list[str]


def invalid_import(*errors: LineError, failed: int = 1) -> CallctlError:
    """`detail` holds the errors that are told."""
    words = f"line {errors[0].line}: {errors[0].message}"
    more = f" (and {failed - 1} more)" if failed > 1 else ""
    return CallctlError("invalid_import", words + more, detail=list(errors))


def read_rows(file: BinaryIO, *, whole: bool) -> Generator[Row | LineError, None, None]:
    """Row by row; what is wrong with one row stands in its place. `whole`: every column must be
    there, so that nothing is emptied that the file does not speak of.

    Raises CallctlError("invalid_import") for what is no CSV in UTF-8, or has no heading of ours.
    """
    line = 1
    try:
        first = file.readline().decode("utf-8-sig")
        by_semicolon = first.count(";") > first.count(",")
        lines = itertools.chain([first], (raw.decode() for raw in file))
        reader = csv.reader(lines, delimiter=";" if by_semicolon else ",", strict=True)
        names = _heading(next(reader, []), COLUMNS if whole else ("name",))
        while True:
            line = reader.line_num + 1
            cells = next(reader, None)
            if cells is None:
                return
            if any(cells):
                yield _row(line, names, cells)
    except UnicodeDecodeError:
        raise invalid_import(LineError(line, None, "not UTF-8")) from None
    except csv.Error as error:
        raise invalid_import(LineError(line, None, f"not CSV: {error}")) from None


def _heading(cells: Sequence[str], needed: Iterable[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    for name in names:
        if name not in COLUMNS:
            raise invalid_import(LineError(1, name[:40], "unknown column"))
        if names.count(name) > 1:
            raise invalid_import(LineError(1, name, "stands there twice"))
    for name in needed:
        if name not in names:
            raise invalid_import(LineError(1, name, "this column is missing"))
    return names


def _row(line: int, names: Sequence[str], cells: Sequence[str]) -> Row | LineError:
    if len(cells) > len(names):
        return LineError(line, None, f"{len(cells)} cells, but {len(names)} columns")
    given = {n: read_cell(c) for n, c in zip(names, cells, strict=False) if c}
    apart = {n: given.pop(n, "").strip() for n in ("id", "owner", "companies", "groups")}
    numbers = [_number(part) for part in _split(given.pop("numbers", ""))]
    try:
        client = msgspec.convert({**given, "numbers": numbers}, NewClient)
    except msgspec.ValidationError as error:
        wrong = field_error(error, "body")
        column = (wrong.field or "").removeprefix("body").lstrip(".") or None
        return LineError(line, column, wrong.message)
    return Row(
        line,
        apart["id"],
        client,
        apart["owner"],
        _split(apart["companies"]),
        _split(apart["groups"]),
    )


def _join(parts: Iterable[str]) -> str:
    return f"{_SEPARATOR} ".join(parts)


def _split(cell: str) -> list[str]:
    return [part.strip() for part in cell.split(_SEPARATOR) if part.strip()]


def _number(text: str) -> dict[str, str]:
    label, _, number = text.rpartition(":")
    return {"number": number.strip(), "label": label.strip()}
