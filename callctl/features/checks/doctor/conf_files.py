"""Asterisk's configuration files, as far as a check must read them (Asterisk 22, main/config.c)."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

_SECTION = re.compile(r"\[([^\]]+)\](?:\(([^)]*)\))?")
_COMMENT = re.compile(r"(?<!\\);.*")
_INCLUDES = ("#include", "#tryinclude")
_DEPTH = 5


class Entry(NamedTuple):
    """One line. An include has the section it stands in, ``#include`` as key, the file as value."""

    section: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """Asterisk's configuration directory, by file name. A file that is not there has no entries."""

    directory: Path
    files: Mapping[str, tuple[Entry, ...]]

    def values(self, file: str, section: str, key: str) -> list[str]:
        return [e.value for e in self.files.get(file, ()) if (e.section, e.key) == (section, key)]

    def value(self, file: str, section: str, key: str) -> str | None:
        """The last one given, as Asterisk takes it; None when there is none."""
        return next(reversed(self.values(file, section, key)), None)

    def anywhere(self, file: str, key: str) -> list[str]:
        """All values of `key`, in any section."""
        return [e.value for e in self.files.get(file, ()) if e.key == key]

    def includes(self, file: str) -> list[str]:
        return [e.value for e in self.files.get(file, ()) if e.key in _INCLUDES]


def parse_entries(text: str) -> Iterator[Entry]:
    """The lines of a file that say something. Total: what it does not know it leaves out."""
    section = ""
    for raw in text.splitlines():
        line = _COMMENT.sub("", raw).strip()
        if found := _SECTION.match(line):
            section = found[1]
        elif line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield Entry(section, word, rest.strip().strip('"<>'))
        elif "=" in line:
            key, _, value = line.partition("=")
            yield Entry(section, key.strip(), value.removeprefix(">").strip())


def read_configuration(directory: Path, names: tuple[str, ...], without: Path) -> Configuration:
    """The files of these names, what they include in place; nothing beneath `without`.

    Raises OSError when the directory or one of the files may not be read.
    """
    if not (directory / "asterisk.conf").is_file():
        raise FileNotFoundError(f"there is no asterisk.conf in {directory}")
    files = {
        name: tuple(_read(directory, directory / name, without, _DEPTH))
        for name in names
        if (directory / name).is_file()
    }
    return Configuration(directory, files)


def _read(directory: Path, path: Path, without: Path, depth: int) -> Iterator[Entry]:
    section = ""
    for entry in parse_entries(path.read_text(encoding="utf-8", errors="replace")):
        section = entry.section
        yield entry
        if entry.key in _INCLUDES and depth and without not in Path(entry.value).parents:
            for included in sorted(directory.glob(entry.value.removeprefix("/"))):
                if included.is_file() and not entry.value.startswith("/"):
                    for more in _read(directory, included, without, depth - 1):
                        yield more._replace(section=more.section or section)
