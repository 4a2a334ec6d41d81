"""Rows into CSV and XLSX files: a row at a time, and nothing in them is ever a formula."""

import contextlib
import csv
import hashlib
import os
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from callctl.core.cells import neutral

SHEET_ROWS = 1_000_000
"""An XLSX sheet holds 1,048,576 rows; what is more goes on in another sheet."""

_CELL_CHARACTERS = 32_767
_FIRST_DATE = datetime(1900, 3, 1)  # noqa: DTZ001 - before it Excel has a day that never was
_HASH_CHUNK = 1024 * 1024


class TableWriter(Protocol):
    """Writes one file. Every method may be called from another thread, one at a time."""

    def write(self, rows: Sequence[Sequence[Any]]) -> None: ...
    def close(self) -> None:
        """Finish the file. Raises OSError."""

    def abandon(self) -> None:
        """Let go of a file that nobody wants any more."""


class CsvWriter:
    """RFC 4180 in UTF-8; times are RFC 3339 in `zone`."""

    def __init__(self, path: Path, columns: Sequence[str], zone: str, *, bom: bool) -> None:
        self._zone = ZoneInfo(zone)
        encoding = "utf-8-sig" if bom else "utf-8"
        self._file = open(  # noqa: SIM115 - closed by `close`
            path, "w", newline="", encoding=encoding, errors="replace", opener=_private
        )
        self._csv = csv.writer(self._file)
        self._csv.writerow(columns)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._csv.writerows([self._cell(value) for value in row] for row in rows)

    def close(self) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())

    def abandon(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()

    def _cell(self, value: Any) -> Any:
        match value:
            case str():
                return neutral(value)
            case datetime():
                return value.astimezone(self._zone).isoformat()
            case bool():
                return "true" if value else "false"
            case list() | tuple():
                return neutral("; ".join(map(str, value)))
        return value


class XlsxWriter:
    """One sheet, or several of `SHEET_ROWS`. Times are cells of the account's clock."""

    def __init__(self, path: Path, columns: Sequence[str], zone: str) -> None:
        # 3 MB, only for who exports workbooks.
        import xlsxwriter

        self._zone = ZoneInfo(zone)
        self._path = path
        self._columns = [f"{name} ({zone})" if name.endswith("_at") else name for name in columns]
        # Strings are written as strings only; what it needs on the way lies beside the file.
        self._book = xlsxwriter.Workbook(
            str(path), {"constant_memory": True, "tmpdir": str(path.parent)}
        )
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._new_sheet()

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            if self._row > SHEET_ROWS:
                self._new_sheet()
            for column, value in enumerate(row):
                self._write_cell(column, value)
            self._row += 1

    def close(self) -> None:
        from xlsxwriter.exceptions import FileCreateError

        try:
            self._book.close()
        except FileCreateError as error:
            raise OSError(*error.args) from error
        self._path.chmod(0o640)
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    def abandon(self) -> None:
        for sheet in self._book.worksheets():
            with contextlib.suppress(OSError):
                sheet.row_data_fh.close()

    def _new_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        for column, name in enumerate(self._columns):
            self._sheet.write_string(0, column, name)
        self._row = 1

    def _write_cell(self, column: int, value: Any) -> None:
        match value:
            case None:
                return
            case bool():
                self._sheet.write_boolean(self._row, column, value)
            case int() | float():
                self._sheet.write_number(self._row, column, value)
            case datetime():
                local = value.astimezone(self._zone).replace(tzinfo=None)
                if local < _FIRST_DATE:
                    self._sheet.write_string(self._row, column, value.isoformat())
                else:
                    self._sheet.write_datetime(self._row, column, local, self._time)
            case date():
                if value < _FIRST_DATE.date():
                    self._sheet.write_string(self._row, column, value.isoformat())
                else:
                    self._sheet.write_datetime(self._row, column, value, self._day)
            case list() | tuple():
                text = "; ".join(map(str, value))
                self._sheet.write_string(self._row, column, text[:_CELL_CHARACTERS])
            case _:
                self._sheet.write_string(self._row, column, str(value)[:_CELL_CHARACTERS])


def open_writer(
    kind: str, path: Path, columns: Sequence[str], zone: str, *, bom: bool
) -> TableWriter:
    """A writer of `kind` (csv, xlsx). Raises OSError."""
    if kind == "xlsx":
        return XlsxWriter(path, columns, zone)
    return CsvWriter(path, columns, zone, bom=bom)


def hash_file(path: Path) -> str:
    """SHA-256 in hexadecimal. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _private(path: str, flags: int) -> int:
    """Calls are nobody's business but the service's and its group's."""
    return os.open(path, flags, 0o640)
