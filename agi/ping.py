"""``AGI(agi://host/ping)``: are you there, and with what?"""

from collections.abc import Callable

from callctl.asterisk.fastagi import AgiCall, SetVariable, Verb

PONG_VARIABLE = "CALLCTL_PONG"


def ping_verb(status: Callable[[], str]) -> Verb:
    """The verb, given a line that says who answers (version, routing revision)."""

    def ping(call: AgiCall) -> SetVariable:
        return SetVariable(PONG_VARIABLE, status())

    return ping
