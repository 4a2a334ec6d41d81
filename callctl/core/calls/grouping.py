"""Which rows belong to one call: union-find over unique ids and linked ids.

One call is everything that transfer, pickup, parking or a bridge ever joined. Asterisk announces
no re-tagging: the same uniqueid just goes on with another linkedid, which is what joins here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from callctl.core.calls.events import CelEvent

_JOINING_KEYS = (
    "transferee_channel_uniqueid",
    "transfer_target_channel_uniqueid",
    "channel2_uniqueid",
    "pickup_channel_uniqueid",
    "local_two_uniqueid",
)
_decode_json = json.JSONDecoder().raw_decode
_TRANSFERS = frozenset({"BLINDTRANSFER", "ATTENDEDTRANSFER", "PICKUP", "LOCAL_OPTIMIZE"})


def event_details(event: CelEvent) -> Mapping[str, object]:
    """The JSON object of `eventextra`; empty when it is none."""
    return _json_object(event.extra) if event.extra.startswith("{") else {}


@lru_cache(maxsize=64)  # All rows of a bridge have the same text, and stand near each other.
def _json_object(text: str) -> Mapping[str, object]:
    try:
        value, end = _decode_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) and not text[end:].strip() else {}


def joined_ids(event: CelEvent) -> Iterator[str]:
    """Every id that this row says is of the same call."""
    yield event.uniqueid
    yield event.linkedid
    if event.type in _TRANSFERS:
        details = event_details(event)
        for key in _JOINING_KEYS:
            value = details.get(key)
            if isinstance(value, str) and value:
                yield value


class CallGroups:
    """Disjoint sets of ids, each with the items filed under it.

    Amortised cost per row is constant but for merges, which move the smaller side.
    """

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._items: dict[str, list[CelEvent]] = {}
        self._ids: dict[str, list[str]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._parent

    def find(self, id_: str) -> str:
        """The set that `id_` is in, made on demand."""
        parent = self._parent
        root = parent.setdefault(id_, id_)
        if root == id_:
            if id_ not in self._items:
                self._items[id_] = []
                self._ids[id_] = [id_]
            return id_
        while (above := parent[root]) != root:
            root = above
        while parent[id_] != root:
            parent[id_], id_ = root, parent[id_]
        return root

    def join(self, ids: Iterable[str]) -> str:
        """Make one set of all `ids`; returns its root."""
        root: str | None = None
        for id_ in ids:
            other = self.find(id_)
            if root is None:
                root = other
            elif other != root:
                root = self._merge(root, other)
        if root is None:
            raise ValueError("no ids to join")
        return root

    def _merge(self, a: str, b: str) -> str:
        if len(self._items[a]) < len(self._items[b]):
            a, b = b, a
        self._parent[b] = a
        self._items[a].extend(self._items.pop(b))
        self._ids[a].extend(self._ids.pop(b))
        return a

    def add(self, event: CelEvent) -> str:
        """File `event`; returns the root of its call."""
        if event.type in _TRANSFERS:
            root = self.join(joined_ids(event))
        else:
            root = self._parent.get(event.uniqueid, "")
            if root not in self._items or self._parent.get(event.linkedid) != root:
                root = self.join((event.uniqueid, event.linkedid))
        self._items[root].append(event)
        return root

    def roots(self) -> list[str]:
        return list(self._items)

    def events(self, root: str) -> list[CelEvent]:
        """The rows of one call, in the order they were filed."""
        return self._items[root]

    def ids(self, root: str) -> list[str]:
        return self._ids[root]

    def forget(self, root: str) -> None:
        """Drop a finished call, with all its ids."""
        for id_ in self._ids.pop(root):
            del self._parent[id_]
        del self._items[root]
