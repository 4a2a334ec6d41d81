"""How the planner got to a destination: what is known of the steps before it."""

from dataclasses import dataclass, replace

from callctl.core.routing.model import DestinationKind, Extension
from callctl.core.routing.plan import When
from callctl.core.routing.recorded import RecordRule, rule_of_extension


@dataclass(frozen=True, slots=True)
class Way:
    """What the steps of a destination inherit from whatever led there.

    `path` holds the destinations that are being followed, `records` the recording rules from the
    nearest to the farthest, `forwarder` the extension on whose account a number is dialled.
    """

    when: When | None = None
    path: frozenset[tuple[str, str]] = frozenset()
    records: tuple[RecordRule, ...] = ()
    forwarder: Extension | None = None
    did: str | None = None


def forwarded(extension: Extension, way: Way) -> Way:
    """The way on from an extension that forwards: on its account, by its rules first."""
    return replace(
        way,
        path=way.path | {(DestinationKind.EXTENSION, extension.number)},
        forwarder=extension,
        records=(rule_of_extension(extension), *way.records),
    )
