"""A call that goes on, as somebody sees who may act on it."""

import re
from dataclasses import dataclass

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
    asks may see, None = all."""

    call_id: str
    channels: tuple[OngoingChannel, ...]
    seen: tuple[str, ...] | None

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
