"""Device states as AMI tells them: for looking at, never for deciding."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from callctl.asterisk.ami_protocol import AmiEvent

MAX_DEVICES = 50_000
"""More than any Asterisk has; bounds what forged events can make us keep."""

_KINDS = ("PJSIP/", "Custom:", "park:", "Queue:", "confbridge:")


class DeviceStates:
    """A list at connect, then changes. A change during the list is newer than its entry."""

    def __init__(self) -> None:
        self._states: dict[str, str] = {}
        self._changed_in_sync: set[str] | None = None

    @property
    def states(self) -> Mapping[str, str]:
        return MappingProxyType(self._states)

    def begin_sync(self) -> None:
        self._changed_in_sync = set()

    def end_sync(self, entries: Iterable[AmiEvent]) -> None:
        newer = self._changed_in_sync or set()
        self._changed_in_sync = None
        for entry in entries:
            if entry.get("Device") not in newer:
                self.observe(entry)

    def observe(self, event: AmiEvent) -> None:
        if event.name != "DeviceStateChange":
            return
        device = event.get("Device")
        # Local channels come and go with each call: only what is configured is kept.
        if not device.startswith(_KINDS):
            return
        if device in self._states or len(self._states) < MAX_DEVICES:
            self._states[device] = event.get("State", "UNKNOWN")
            if self._changed_in_sync is not None:
                self._changed_in_sync.add(device)

    def clear(self) -> None:
        self._states.clear()
        self._changed_in_sync = None
