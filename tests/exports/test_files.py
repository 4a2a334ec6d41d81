"""What lands in a spreadsheet: numbers as they are, nothing that is taken for a formula."""

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.cells import neutral
from callctl.features.exports import files
from callctl.features.exports.files import CsvWriter, XlsxWriter, hash_file

HOSTILE = (
    "=1+1",
    "+1+cmd|'/C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    " =1",
    "\r=1",
    "\uff1d1+1",
    "\uff0b1",
    '=HYPERLINK("http://x","y")',
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_begins_like_a_formula_is_neutralised(text: str) -> None:
    assert neutral(text) == "'" + text


@pytest.mark.parametrize(
    "text", ["+36201234567", "0036", "201", "*43", "Zo\u00eb", "a=b", "", "#1"]
)
def test_numbers_and_plain_words_stay_as_they_are(text: str) -> None:
    assert neutral(text) == text


@given(st.text())
def test_no_text_at_all_begins_a_formula_in_a_csv(text: str) -> None:
    shown = neutral(text)
    assert text in shown
    first = shown.lstrip()[:1]
    assert first not in ("=", "-", "@")
    assert first != "+" or shown[1:].isdecimal()


ROW: list[Any] = [
    7,
    "+36201234567",
    '=1+"1"',
    None,
    True,
    1.5,
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    date(2026, 3, 29),
    ["201 NOANSWER", "202 ANSWER"],
    'a,"b"\nc;d',
]
COLUMNS = ["id", "number", "name", "none", "missed", "wait", "started_at", "day", "tried", "odd"]


@pytest.mark.parametrize("bom", [True, False])
def test_csv_reads_back(tmp_path: Path, bom: bool) -> None:
    path = tmp_path / "a.csv"
    writer = CsvWriter(path, COLUMNS, "Europe/Budapest", bom=bom)
    writer.write([ROW])
    writer.close()
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == bom
    head, row = csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert head == COLUMNS
    assert row == [
        "7",
        "+36201234567",
        '\'=1+"1"',
        "",
        "true",
        "1.5",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29",
        "201 NOANSWER; 202 ANSWER",
        'a,"b"\nc;d',
    ]
    assert path.stat().st_mode & 0o007 == 0


def test_xlsx_reads_back_with_text_as_text_and_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    writer = XlsxWriter(path, COLUMNS, "Europe/Budapest")
    writer.write([ROW, ["x", *HOSTILE[:9]]])
    writer.close()
    sheet = openpyxl.load_workbook(path).active
    head, row, hostile = sheet.iter_rows()
    assert [c.value for c in head][6] == "started_at (Europe/Budapest)"
    assert [c.value for c in row] == [
        7,
        "+36201234567",
        '=1+"1"',
        None,
        True,
        1.5,
        datetime(2026, 3, 29, 3, 30, tzinfo=UTC).replace(tzinfo=None),
        datetime(2026, 3, 29, tzinfo=UTC).replace(tzinfo=None),
        "201 NOANSWER; 202 ANSWER",
        'a,"b"\nc;d',
    ]
    # openpyxl calls any text with = in front a formula; what Excel goes by is the file's own type.
    assert "<f>" not in _sheet_text(path)
    assert [c.value for c in hostile][1] == HOSTILE[0]
    assert list(tmp_path.iterdir()) == [path]


def _sheet_text(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("xl/worksheets/sheet1.xml").decode()


def test_more_rows_than_a_sheet_holds_go_on_in_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SHEET_ROWS", 3)
    writer = XlsxWriter(tmp_path / "a.xlsx", ["n"], "UTC")
    writer.write([[n] for n in range(7)])
    writer.close()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    values = [[c.value for c in sheet["A"]] for sheet in book]
    assert values == [["n", 0, 1, 2], ["n", 3, 4, 5], ["n", 6]]


def test_the_hash_is_sha256sums(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
