"""What somebody may do to a call that goes on."""

from enum import StrEnum


class InterventionKind(StrEnum):
    """As the API and the table `interventions` name it."""

    HANG_UP = "hang_up"
    TRANSFER = "transfer"
    LISTEN = "listen"
    WHISPER = "whisper"
    BARGE = "barge"


ENDING: frozenset[str] = frozenset({InterventionKind.HANG_UP, InterventionKind.TRANSFER})
"""Those after which who talks to each other does so no more."""

SUPERVISION: frozenset[str] = frozenset(
    {InterventionKind.LISTEN, InterventionKind.WHISPER, InterventionKind.BARGE}
)
"""Those that only people who may listen are told of."""
