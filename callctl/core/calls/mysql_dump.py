"""Rows of one table out of a file that ``mysqldump`` or ``mariadb-dump`` wrote.

Nothing is executed and nothing is guessed: what is neither a row as these programs write it nor a
line that they put between rows ends the reading. They escape line breaks within values, so that a
row never goes over the end of a line, and no value can begin a statement.
"""

import re
from collections.abc import Iterable, Iterator

MOST_LINE = 256 * 1024 * 1024
"""Characters of one line: a statement holds up to ``max_allowed_packet``, which MySQL bounds."""

_NAME = r"`([^`]*)`"
_INSERT = re.compile(
    rf"INSERT\s+(?:IGNORE\s+)?INTO\s+(?:{_NAME}\.)?{_NAME}\s*(?:\(([^)]*)\)\s*)?VALUES\s*", re.I
)
_CREATE = re.compile(rf"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:{_NAME}\.)?{_NAME}\s*\(", re.I)
_COLUMN = re.compile(rf"\s+{_NAME}\s")
_VALUE = re.compile(
    r"\s*(?:(?:_binary\s*)?'((?:[^'\\]++|\\.|'')*+)'|(NULL)|([-+]?\d+(?:\.\d+)?))\s*", re.I | re.S
)
_ESCAPE = re.compile(r"\\(.)|''", re.S)
_ESCAPED = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "b": "\b",
    "0": "\N{REPLACEMENT CHARACTER}",
    "Z": "\x1a",
}


class DumpError(ValueError):
    """No such dump; the text names the line."""


def read_dump(lines: Iterable[str], table: str) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, values by the names of columns) of each row; NULL is the empty text. Raises
    DumpError."""
    columns: list[str] = []
    named: list[str] = []
    creating = inserting = found = False
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_LINE:
            raise DumpError(f"line {number} is longer than {MOST_LINE} characters")
        start = 0
        if creating:
            column = _COLUMN.match(line)
            creating = not line.startswith(")")
            if column is not None:
                columns.append(column[1].lower())
            continue
        if not inserting:
            if (create := _CREATE.match(line)) and create[2] == table:
                creating, columns = True, []
                continue
            insert = _INSERT.match(line)
            if insert is None or insert[2] != table:
                continue
            found = True
            named = _names(insert[3], number) if insert[3] is not None else columns
            if not named:
                raise DumpError(f"line {number}: nothing before it names the columns of {table}")
            start, inserting = insert.end(), True
        for values, end in _rows_of(line, start, number):
            if values is not None:
                if len(values) != len(named):
                    words = f"{len(values)} values for {len(named)} columns"
                    raise DumpError(f"line {number}: {words}")
                yield number, dict(zip(named, values, strict=True))
            inserting = not end
    if inserting:
        raise DumpError("the file ends within a statement")
    if not found:
        raise DumpError(f"no row of a table `{table}` is inserted in it")


def _names(text: str, number: int) -> list[str]:
    names = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(_NAME, name) for name in names):
        raise DumpError(f"line {number}: {text[:80]!r} are no names of columns")
    return [name.strip("`").lower() for name in names]


def _rows_of(line: str, start: int, number: int) -> Iterator[tuple[list[str] | None, bool]]:
    """Values of the rows of a line from `start` on, and whether the statement ends. A line without
    a row (after ``VALUES``) gives None."""
    place = _skip(line, start)
    if place == len(line):
        yield None, False
    while place < len(line):
        if line[place] != "(":
            raise _broken(line, place, number)
        values: list[str] = []
        mark = ","
        while mark == ",":
            match = _VALUE.match(line, place + 1)
            if match is None:
                raise _broken(line, place + 1, number)
            values.append(_text(match))
            place = match.end()
            mark = line[place : place + 1]
        if mark != ")":
            raise _broken(line, place, number)
        place = _skip(line, place + 1)
        mark = line[place : place + 1]
        if mark not in (",", ";"):
            raise _broken(line, place, number)
        place = _skip(line, place + 1)
        yield values, mark == ";"
        if mark == ";" and place < len(line):
            raise _broken(line, place, number)


def _text(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[3] or ""
    return _ESCAPE.sub(lambda m: "'" if m[1] is None else _ESCAPED.get(m[1], m[1]), match[1])


def _skip(line: str, place: int) -> int:
    while place < len(line) and line[place].isspace():
        place += 1
    return place


def _broken(line: str, place: int, number: int) -> DumpError:
    return DumpError(f"line {number}: a row does not go on with {line[place : place + 30]!r}")
