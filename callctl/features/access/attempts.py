"""A limit on failed sign-ins, in memory."""

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable

from callctl.core.errors import CallctlError

_FREE = 5
_REFILL_SECONDS = 30.0
_MAX_KEYS = 10_000


def neighbourhood(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one household is given."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    return str(found.ipv4_mapped or ipaddress.IPv6Network((found, 64), strict=False))


class AttemptLimiter:
    """Five failures at once, then one each 30 seconds. `monotonic` is the clock, in seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        # key -> the time at which all its failures are forgotten
        self._forgotten_at: OrderedDict[str, float] = OrderedDict()

    def seconds_to_wait(self, *keys: str) -> int:
        """How long until one of these may try again; 0 = now."""
        now = self._monotonic()
        debt = max((self._forgotten_at.get(key, now) for key in keys), default=now) - now
        return max(0, math.ceil(debt - (_FREE - 1) * _REFILL_SECONDS))

    def begin(self, *keys: str) -> None:
        """Count a failure until `take_back` says that it was none.

        Counted before the slow check, or a crowd of attempts at once would all pass. Raises
        CallctlError("too_many_attempts") when there is no attempt left.
        """
        wait = self.seconds_to_wait(*keys)
        if wait:
            raise CallctlError(
                "too_many_attempts", f"wait {wait} seconds", detail={"retry_seconds": wait}
            )
        self.failed(*keys)

    def failed(self, *keys: str) -> None:
        now = self._monotonic()
        for key in keys:
            self._forgotten_at[key] = max(self._forgotten_at.get(key, now), now) + _REFILL_SECONDS
            self._forgotten_at.move_to_end(key)
        while len(self._forgotten_at) > _MAX_KEYS:
            self._forgotten_at.popitem(last=False)

    def take_back(self, *keys: str) -> None:
        """One of the failures was none."""
        for key in keys:
            if key in self._forgotten_at:
                self._forgotten_at[key] -= _REFILL_SECONDS
