"""One row of the journal as a value, and the arithmetic of Asterisk's unique ids."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote


class CelEvent(NamedTuple):
    """A channel event (CEL) as Asterisk wrote it. A tuple, since a journal has millions of them.

    `position` orders rows as the file does. `time_us` is microseconds since the epoch, of the
    wall clock when the event was made. Columns that no rule reads are not kept.
    """

    position: int
    type: str
    time_us: int
    cid_name: str
    cid_num: str
    exten: str
    context: str
    channel: str
    app_name: str
    app_data: str
    uniqueid: str
    linkedid: str
    peer: str
    extra: str


UniqueKey = tuple[int, int, str]


def unique_key(uniqueid: str) -> UniqueKey:
    """Order unique ids as numbers (time, counter), never as text: ``….9`` comes before ``….10``.

    A `systemname` in front (``pbx1-1700000000.7``) does not count; text that is no unique id
    sorts last, by itself.
    """
    stamp, dot, counter = uniqueid.rpartition("-")[2].partition(".")
    if dot and stamp.isascii() and stamp.isdigit() and counter.isascii() and counter.isdigit():
        return (int(stamp), int(counter), uniqueid)
    return (1 << 62, 0, uniqueid)


@lru_cache(maxsize=1024)  # What became of a phone that was rung is told in few different words.
def parse_fields(text: str) -> Mapping[str, str]:
    """The payload ``k=v;k=v`` of one of callctl's own rows, values percent-decoded.

    `why` stays encoded: it is a list with a grammar of its own (`encoding.decode_why`). Total: a
    part without ``=`` is left out; the first of two equal keys counts. NUL becomes U+FFFD.
    """
    fields: dict[str, str] = {}
    for part in text.split(";"):
        key, equals, value = part.partition("=")
        if equals:
            if "%" in value and key != "why":
                value = unquote(value, errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
            fields.setdefault(key, value)
    return fields
