"""Whether a call is recorded: by whose rule, and what its parties hear before (R003-95)."""

from collections.abc import Sequence
from dataclasses import dataclass

from callctl.core.recordings import is_in_share
from callctl.core.routing.model import (
    AccountRouting,
    Did,
    Extension,
    HuntGroup,
    OutboundRoute,
    RecordPolicy,
)
from callctl.core.routing.plan import Direction, Reason


@dataclass(frozen=True, slots=True)
class RecordRule:
    """Whose rule it is (``did:+36…``), which calls it has recorded, and how many in a hundred.

    `announce`: the sound that both parties hear before; None leaves it to the account.
    """

    source: str
    policy: RecordPolicy
    share: int
    announce: str | None


@dataclass(frozen=True, slots=True)
class RecordVerdict:
    """`reason` None: no rule covers the call, which needs no word."""

    wanted: bool
    announce: str | None = None
    reason: Reason | None = None


NOT_RECORDED = RecordVerdict(wanted=False)


def rule_of(
    source: str, item: Extension | Did | HuntGroup | OutboundRoute | AccountRouting
) -> RecordRule:
    return RecordRule(source, item.record, item.record_share, item.record_announce)


def rule_of_extension(extension: Extension) -> RecordRule:
    return rule_of(f"extension:{extension.number}", extension)


def decide_recording(
    rules: Sequence[RecordRule], direction: Direction, uniqueid: str
) -> RecordVerdict:
    """By the first rule that does not inherit. The last one is the account's."""
    for rule in rules:
        if rule.policy is RecordPolicy.INHERIT:
            continue
        if not rule.policy.covers(direction.value):
            break
        if not is_in_share(uniqueid, rule.share):
            return RecordVerdict(False, None, Reason("not_in_share", rule.source, str(rule.share)))
        announce = rule.announce or rules[-1].announce
        return RecordVerdict(True, announce, Reason("recorded", rule.source))
    return NOT_RECORDED
