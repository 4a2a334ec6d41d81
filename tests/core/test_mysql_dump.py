"""Rows of a table out of a dump: as the programs write them, and not as anybody else may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callctl.core.calls.mysql_dump import DumpError, read_dump

CREATE = """\
-- MySQL dump 10.13
CREATE TABLE `cdr` (
  `calldate` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `cnam` varchar(80) NOT NULL DEFAULT '',
  `duration` int(11) NOT NULL DEFAULT 0,
  KEY `calldate` (`calldate`)
) ENGINE=InnoDB;
"""


def read(text: str) -> list[tuple[int, dict[str, str]]]:
    return list(read_dump(text.splitlines(keepends=True), "cdr"))


def test_rows_have_their_columns_from_the_table_or_from_the_statement() -> None:
    one = read(CREATE + "INSERT INTO `cdr` VALUES ('2026-01-01 00:00:00','Ann',5),('x',NULL,-1);\n")
    assert one == [
        (8, {"calldate": "2026-01-01 00:00:00", "cnam": "Ann", "duration": "5"}),
        (8, {"calldate": "x", "cnam": "", "duration": "-1"}),
    ]
    named = read("INSERT INTO `cdr` (`Cnam`, `duration`) VALUES ('a',1);")
    assert named == [(1, {"cnam": "a", "duration": "1"})]


def test_rows_may_stand_on_lines_of_their_own() -> None:
    """As mariadb-dump writes them."""
    text = CREATE + "INSERT INTO `cdr` VALUES\n('a','b',1),\n('c','d',2);\n"
    assert [line for line, _ in read(text)] == [9, 10]


def test_other_tables_and_comments_are_passed_over() -> None:
    text = (
        CREATE
        + "INSERT INTO `cel` VALUES (oops);\n/*!40000 ALTER TABLE `cdr` DISABLE KEYS */;\n"
        + "LOCK TABLES `cdr` WRITE;\nINSERT INTO `asteriskcdrdb`.`cdr` VALUES ('a','b',1);\n"
    )
    assert len(read(text)) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"O\'Neil", "O'Neil"),
        ("O''Neil", "O'Neil"),
        (r"a\\", "a\\"),
        (r"\n\r\t\"\%", '\n\r\t"%'),
        (r"\0", "\ufffd"),
        ("'),('x", None),
        (r"\'),(\'x',1); DROP TABLE `calls`; -- ", None),
    ],
)
def test_values_are_what_was_escaped(written: str, meant: str | None) -> None:
    text = f"INSERT INTO `cdr` (`cnam`,`n`) VALUES ('{written}',1);\n"
    if meant is None:
        with pytest.raises(DumpError, match="line 1"):
            read(text)
    else:
        assert read(text) == [(1, {"cnam": meant, "n": "1"})]


@pytest.mark.parametrize(
    "rows",
    [
        "('a',1)", "('a',1),", "('a',1);x", "('a',1)('b',2);", "('a',now());", "('a');", "();",
        "(a,1);", "('a',1,2);", "('a\n',1);", "('a',0x41);", "select 1;", "('a',1e9);", "('a', ;",
    ],
)  # fmt: skip
def test_what_is_no_row_ends_the_reading(rows: str) -> None:
    with pytest.raises(DumpError):
        read(f"INSERT INTO `cdr` (`cnam`,`n`) VALUES {rows}\n")


def test_a_dump_without_the_table_or_its_columns_is_refused() -> None:
    for text in ("", CREATE, "INSERT INTO `cdr` VALUES ('a');", "id,name\n1,x\n"):
        with pytest.raises(DumpError):
            read(text)


def _written(value: str) -> str:
    """As mysql_real_escape_string does."""
    escaped = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}
    return "".join(escaped.get(c, c) for c in value)


@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=1, max_size=5))
def test_whatever_was_dumped_comes_back(values: list[str]) -> None:
    rows = ",".join(f"('{_written(v)}',1)" for v in values)
    lines = [f"INSERT INTO `cdr` (`cnam`,`n`) VALUES {rows};\n"]
    assert [row["cnam"] for _, row in read_dump(lines, "cdr")] == values


@given(st.text("(),'`\\\\;a1N \n", max_size=60))
def test_nothing_but_a_refusal_comes_of_garbage(garbage: str) -> None:
    try:
        for _, row in read_dump([f"INSERT INTO `cdr` (`a`) VALUES {garbage}"], "cdr"):
            assert set(row) == {"a"}
    except DumpError:
        pass
