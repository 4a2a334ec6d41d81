"""Text that Asterisk's configuration reader takes as one value, whatever is in it.

In a value, ``;`` begins a comment and a line's end ends it; nothing else is special, but callers'
names pass through a quoted string besides, and ``${`` means something in extensions.conf. What
cannot be written safely is refused, or, in names that only people read, left out.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

_IN_A_CHUNK = 200


class UnsafeValue(ValueError):
    """A value that Asterisk would read as something else. The text names it, secrets aside."""


def word(text: str, what: str) -> str:
    """A name, an address, a number: printable, without blanks, quotes or dialplan syntax."""
    if not re.fullmatch(r"[A-Za-z0-9_.:*#+@/-]{1,255}", text):
        raise UnsafeValue(f"{what} {text!r} cannot be written for Asterisk")
    return text


def secret(text: str, what: str) -> str:
    """A password: any printable ASCII without blanks, ``;`` escaped."""
    if not re.fullmatch(r"[!-~]{1,255}", text):
        raise UnsafeValue(f"{what}: only printable ASCII without blanks can be written")
    return text.replace(";", "\\;")


def display_name(text: str) -> str:
    """A person's name within quotes: control characters and ``"\\<>;${}`` are left out."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(re.sub(r'["\\<>;${}\[\]]', "", kept).split())[:80]


def last_first(lines: Iterable[str]) -> list[str]:
    """A context's lines with its extensions in falling order, patterns before all.

    Asterisk keeps a context's extensions sorted in a list, and to add one it walks that list from
    its beginning (22, main/pbx.c): in rising order ten thousand numbers cost it fifty million steps
    at each reload, in falling order ten thousand. What stands before the first extension stays.
    """
    head: list[str] = []
    blocks: dict[str, list[str]] = {}
    block = head
    for line in lines:
        if line.startswith("exten => "):
            name = line.removeprefix("exten => ").partition(",")[0]
            block = blocks.setdefault(name, [])
        block.append(line)
    names = sorted(blocks, key=lambda name: (name.startswith("_"), name), reverse=True)
    return [*head, *(line for name in names for line in blocks[name])]


def in_chunks(texts: Iterable[str]) -> Iterator[str]:
    """The same lines, many in one text. A large table has a hundred thousand: as objects they would
    leave the process's memory full of holes, which stay after them."""
    rest = iter(texts)
    while chunk := list(islice(rest, _IN_A_CHUNK)):
        yield "\n".join(chunk)


class Context:
    """A context that grows by extensions, which come in falling order, as in `last_first`."""

    def __init__(self, name: str) -> None:
        self._chunks: list[str] = []
        self._lines = [f"[{name}]"]

    def add(self, lines: Iterable[str]) -> None:
        """One more extension, with those that belong to it."""
        self._lines += last_first(lines)
        if len(self._lines) >= _IN_A_CHUNK:
            self._chunks += in_chunks(self._lines)
            self._lines.clear()

    def text(self) -> str:
        return "\n".join([*self._chunks, *self._lines, ""])
