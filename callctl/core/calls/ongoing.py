"""A call that goes on, as somebody sees who may act on it."""

import re
from dataclasses import dataclass

from callctl.core.calls.interventions import ENDING, InterventionKind

_UNIQUEID = re.compile(r"([0-9A-Za-z_.-]{1,100}-)?[0-9]{1,12}\.[0-9]{1,12}", re.ASCII)


def is_uniqueid(text: str) -> bool:
    """Whether a channel can have this id."""
    return _UNIQUEID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class OngoingChannel:
    """`name` is Asterisk's; `extension` None: somebody outside. `talking`: joined to others."""

    name: str
    extension: str | None
    talking: bool


@dataclass(frozen=True, slots=True)
class OngoingCall:
    """`channels` are people's, the caller's first; `seen` the extensions among them that whoever
    asks may see, None = all; `emergency`: it has been led to an emergency number."""

    call_id: str
    channels: tuple[OngoingChannel, ...]
    seen: tuple[str, ...] | None
    emergency: bool = False

    def why_not(self, kind: InterventionKind) -> str | None:
        """Why nobody may do this to the call, whatever their rights; None where they may. Who
        calls for help is not cut off and not led away by somebody who only looks on."""
        if self.emergency and kind in ENDING:
            return "a call to an emergency number is ended or transferred by its own phones only"
        if kind is InterventionKind.HANG_UP and not self.seen_takes_part():
            return "none of your extensions takes part in the call now"
        return None

    def seen_takes_part(self) -> bool:
        """Whether whoever asks may see somebody who talks in it or has placed it."""
        if self.seen is None:
            return True
        return any(
            c.extension in self.seen and (c.talking or c is self.channels[0]) for c in self.channels
        )

    def talking_extensions(self) -> list[OngoingChannel]:
        """Of those that whoever asks may see."""
        return [
            c
            for c in self.channels
            if c.talking and c.extension and (self.seen is None or c.extension in self.seen)
        ]
