"""What a journal's channels are: trunks or extensions. Few facts, so any journal can be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

TRUNK_CONTEXTS = frozenset({"from-trunk", "from-extern"})
"""Dialplan contexts of calls that came in from outside, where the channel alone cannot say."""


def endpoint_of(channel: str) -> str | None:
    """``PJSIP/trunk-a-0000001f`` → ``PJSIP/trunk-a``; None for Local and other inner channels.

    Asterisk appends ``-`` and eight hex digits; a masqueraded channel may carry ``<ZOMBIE>`` after.
    """
    technology, slash, rest = channel.partition("/")
    if not slash or technology in INNER_TECHNOLOGIES:
        return None
    name = rest.partition("<")[0]
    stem, dash, _ = name.rpartition("-")
    return f"{technology}/{stem if dash else name}"


INNER_TECHNOLOGIES = frozenset(
    {
        "Local",
        "Surrogate",
        "Announcer",
        "Recorder",
        "CBAnn",
        "CBRec",
        "Message",
        "Snoop",
        "OutgoingSpoolFailed",
    }
)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Which endpoints are trunks, and which extension an endpoint has; both as ``TECH/name``.

    An endpoint that is neither is an extension called like the endpoint.
    """

    trunks: frozenset[str] = frozenset()
    extension_of: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def build(cls, trunks: Iterable[str], extensions: Mapping[str, str]) -> "Inventory":
        """From trunk names (``trunk`` or ``PJSIP/trunk``) and extension → ``PJSIP/endpoint``."""
        return cls(
            trunks=frozenset(t if "/" in t else f"PJSIP/{t}" for t in trunks),
            extension_of={
                (e if "/" in e else f"PJSIP/{e}"): number for number, e in extensions.items()
            },
        )

    def is_trunk(self, endpoint: str | None) -> bool:
        return endpoint is not None and endpoint in self.trunks

    def extension(self, endpoint: str | None) -> str | None:
        """The extension behind `endpoint`; None for trunks and inner channels."""
        if endpoint is None or endpoint in self.trunks:
            return None
        return self.extension_of.get(endpoint) or endpoint.partition("/")[2]

    def endpoint(self, extension: str) -> str:
        """``TECH/name`` of an extension (the inverse of `extension`)."""
        for endpoint, number in self.extension_of.items():
            if number == extension:
                return endpoint
        return f"PJSIP/{extension}"

    def is_longer_than_extensions(self, number: str) -> bool:
        """Whether `number` has more digits than any extension there is, so that it is none."""
        longest = max((len(n) for n in self.extension_of.values()), default=0)
        return 0 < longest < len(number.lstrip("+"))
