"""Where a page of the client list ended: opaque to others, and never trusted."""

import base64
import binascii

import msgspec

from callctl.core.errors import CallctlError

_MOST_KEY_CHARS = 400


class ListCursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True):
    """The last row of a page: `key` is its sort key, None where the list goes by id."""

    sort: str
    key: str | None
    id: int


def write_cursor(cursor: ListCursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def read_cursor(text: str | None, sort: str) -> ListCursor | None:
    """Raises CallctlError("invalid_field") for what is no cursor of a list in this order."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=ListCursor)
        key = cursor.key or ""
        key.encode()
    except (binascii.Error, UnicodeError, msgspec.MsgspecError, ValueError):
        raise CallctlError("invalid_field", "not a cursor of this list", "query.cursor") from None
    fits = cursor.sort == sort and (cursor.key is None) == (sort != "name")
    if not fits or "\0" in key or len(key) > _MOST_KEY_CHARS or abs(cursor.id) >= 1 << 63:
        raise CallctlError("invalid_field", "a cursor of another list", "query.cursor")
    return cursor
