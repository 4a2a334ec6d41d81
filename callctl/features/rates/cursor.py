"""Where a page ended: opaque to others, and never trusted."""

import base64
import binascii
from typing import Any

import msgspec

from callctl.core.errors import CallctlError

Key = int | list[str]


def write_cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode()


def read_cursor(text: str | None, kind: type[Any]) -> Any:
    """An id (`int`), or the prefix and the hours of a rate (`list`). None: the first page.

    Raises CallctlError("invalid_field") for what is no cursor of such a list.
    """
    if text is None:
        return None
    try:
        raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        key = msgspec.json.decode(raw, type=Key)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError, ValueError):
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor") from None
    fits = isinstance(key, kind) and (
        abs(key) < 1 << 63
        if isinstance(key, int)
        else len(key) == 2 and all(part.isascii() and part.isprintable() for part in key)
    )
    if not fits:
        raise CallctlError("invalid_field", "a cursor of another list", "query.cursor")
    return key
