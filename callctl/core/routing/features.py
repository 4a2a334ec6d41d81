"""What extensions dial beside numbers: feature codes, which Asterisk runs without a plan.

`dialplan/50-features.conf` and `asterisk-conf/res_parking.conf` do it; a test holds this table
against both.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Feature:
    """`dialled` is a regular expression of what is dialled, `what` says what it does."""

    name: str
    dialled: str
    what: str


FEATURES: tuple[Feature, ...] = (
    Feature("echo", r"\*43", "hear yourself"),
    Feature("pickup", r"\*8", "take a call that rings in the own pickup group"),
    Feature("pickup", r"\*8[0-9][0-9*#]*", "take the call that rings at that extension"),
    Feature("check", r"\*99", "does callctl answer?"),
    Feature("check", r"\*99[0-9][0-9*#]*", "does callctl answer, and what has the fallback?"),
    Feature("park", "700", "park a call that is transferred there"),
    Feature("park", "7(0[1-9]|1[0-9]|20)", "take back the call that is parked there"),
)


def find_feature(dialled: str) -> Feature | None:
    """The feature that an extension gets by dialling so; it comes before every number."""
    for feature in FEATURES:
        if re.fullmatch(feature.dialled, dialled):
            return feature
    return None
