"""Whether the rows of a call are all there, by what Asterisk and the dialplan write in pairs.

LINKEDID_END is not asked: it tells nothing of a call (docs/journal.md).
"""

from collections.abc import Iterable

from callctl.core.calls.channels import Channel, callctl_rows
from callctl.core.calls.record import Completeness


def find_completeness(channels: Iterable[Channel], repaired: bool) -> Completeness:
    """`truncated` when a channel's end is missing; `repaired` when a single row of it is.

    `repaired` as given: rows were late, doubled, out of order, or found broken.
    """
    for channel in channels:
        if channel.ended_us is None:
            return Completeness.TRUNCATED
        repaired = repaired or _lacks_a_row(channel)
    return Completeness.REPAIRED if repaired else Completeness.COMPLETE


def _lacks_a_row(channel: Channel) -> bool:
    """Start, hang-up (which has the cause) and end; a way into each bridge and out of it; to each
    try its outcome, and the routing that made it."""
    if not channel.has_start or not channel.has_end or channel.cause is None:
        return True
    if any(s.exited_us is None or s.exited_us == s.entered_us for s in channel.stays):
        return True
    tries = len(callctl_rows(channel, "CALLCTL_TRY"))
    if tries != len(callctl_rows(channel, "CALLCTL_ATTEMPT")):
        return True
    return tries > 0 and not callctl_rows(channel, "CALLCTL_ROUTE")
